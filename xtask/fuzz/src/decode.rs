//! Any bytes are decoded or refused: no panic, no half-built result, and never
//! an opinion on JSON that `serde_json` does not share.

use lattice_presence_json::{Category, DecodeError, Decoder, JsonMeta};
use serde::de::IgnoredAny;

use crate::admitted::admitted;

/// Panics where the decoder misbehaves on `data`.
pub fn check(data: &[u8]) {
    let decoder = Decoder::new();
    let delta = decoder.delta_from_json_slice::<JsonMeta>(data);
    let digest = decoder.digest_from_json_slice(data);
    let is_json =
        serde_json::from_slice::<IgnoredAny>(data).is_ok() && str::from_utf8(data).is_ok();

    agrees_on_syntax(data, is_json, delta.as_ref().err());
    agrees_on_syntax(data, is_json, digest.as_ref().err());
    if delta.is_ok() {
        tighter_limits_refuse_or_agree(data);
    }

    let state = decoder.from_json_slice::<JsonMeta>(data);
    match (delta, state) {
        (Ok(delta), Ok(state)) => assert_eq!(state.snapshot(), admitted(&delta)),
        (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
        (one, other) => panic!("as a delta {one:?}, as a state {:?}", other.err()),
    }
}

fn agrees_on_syntax(data: &[u8], is_json: bool, error: Option<&DecodeError>) {
    let Some(error) = error else {
        assert!(is_json, "accepted what is no JSON");
        return;
    };
    assert!(error.line() >= 1 && error.column() >= 1, "{error}");
    assert!(error.line() <= 1 + data.len(), "{error}");
    if error.category() == Category::Syntax && is_json {
        // serde_json checks escapes for their digits only where it skips them.
        assert!(error.to_string().contains("lone surrogate"), "{error}");
    }
}

fn tighter_limits_refuse_or_agree(data: &[u8]) {
    let tight = Decoder::new()
        .max_entries(2)
        .max_replicas(2)
        .max_clouds(3)
        .max_meta_depth(2)
        .max_meta_bytes(16)
        .max_string_bytes(8);
    if let Err(error) = tight.delta_from_json_slice::<JsonMeta>(data) {
        let category = error.category();
        assert!(
            matches!(category, Category::Limit | Category::Depth),
            "{error}"
        );
    }
}
