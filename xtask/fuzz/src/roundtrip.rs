//! Decode, encode, decode: what is accepted survives every form unchanged, and
//! its bytes are canonical.

use lattice_presence::PresenceState;
use lattice_presence_json::{
    EncodeError, Encoder, JsonMeta, delta_from_json, delta_from_json_slice, digest_from_json,
    digest_from_json_slice, digest_to_json_string,
};
use serde_json::value::RawValue;

use crate::admitted::admitted;

/// Panics where `data` decodes to something that does not survive.
pub fn check(data: &[u8]) {
    if let Ok(digest) = digest_from_json_slice(data) {
        let text = digest_to_json_string(&digest).expect("a peer sent it");
        assert_eq!(
            digest_from_json(&text).expect("it was just written"),
            digest
        );
    }
    let Ok(delta) = delta_from_json_slice::<JsonMeta>(data) else {
        return;
    };
    let compact = Encoder::new().compact(true);
    let text = compact
        .delta_to_json_string(&delta)
        .expect("a peer sent it");
    assert_eq!(
        delta_from_json::<JsonMeta>(&text).expect("it was just written"),
        delta
    );

    // Metadata of any other type goes another way, to the same bytes.
    let raw = delta_from_json_slice::<Box<RawValue>>(data).expect("any metadata is raw text");
    assert_eq!(
        compact.delta_to_json_string(&raw).expect("it is the same"),
        text
    );

    let by_default = Encoder::new()
        .max_clouds(10_000)
        .delta_to_json_string(&delta);
    match &by_default {
        Ok(text) => {
            let again = delta_from_json::<JsonMeta>(text).expect("it was just written");
            assert_eq!(again, delta);
        }
        Err(EncodeError::CloudTooWide { .. }) => {}
        Err(error) => panic!("{error}"),
    }

    let expected = compact
        .delta_to_json_string(&admitted(&delta))
        .expect("it is no more than a peer sent");
    let state = PresenceState::from_snapshot(delta);
    assert_eq!(
        compact.to_json_string(&state).expect("a peer sent it"),
        expected
    );
    let digest = digest_to_json_string(&state.digest()).expect("a peer sent it");
    assert_eq!(
        digest_from_json(&digest).expect("it was just written"),
        state.digest()
    );
}
