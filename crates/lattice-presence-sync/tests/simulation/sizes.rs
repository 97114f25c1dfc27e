//! How long messages are on the wire: their JSON.

use lattice_presence_json::Encoder;
use lattice_presence_sync::Message;

use super::host::Meta;

/// Bytes of a message.
pub(crate) fn of(message: &Message<Meta>) -> usize {
    let encoded = Encoder::new().encode(message);
    encoded.expect("a message can be written").text.len()
}
