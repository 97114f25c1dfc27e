//! How long messages are on the wire: their JSON.

use lattice_presence_json::{Decoder, Encoder};
use lattice_presence_sync::Message;

use super::host::Meta;

/// Bytes of a message.
pub(crate) fn of(message: &Message<Meta>) -> usize {
    let encoded = Encoder::new().encode(message);
    encoded.expect("a message can be written").text.len()
}

/// The message in payloads of at most `max_bytes`, read again, each with its length.
pub(crate) fn cut(message: Message<Meta>, max_bytes: usize) -> Vec<(Message<Meta>, usize)> {
    let whole = of(&message);
    if whole <= max_bytes {
        return vec![(message, whole)];
    }
    let encoder = Encoder::new().max_bytes(max_bytes);
    let parts = encoder.parts(&message).map(|part| {
        let text = part.expect("one entry has room").text;
        let read = Decoder::new().message_from_json(&text);
        (read.expect("it was just written"), text.len())
    });
    parts.collect()
}
