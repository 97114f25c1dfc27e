//! Decode, encode, decode: what is accepted survives every form unchanged, and
//! its bytes are canonical.

use lattice_presence::{CausalContext, PresenceDelta, PresenceState};
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

    let by_default = Encoder::new().max_listed(10_000);
    let encoded = by_default
        .encode(&delta)
        .expect("it leaves out what it must");
    let again = delta_from_json::<JsonMeta>(&encoded.text).expect("it was just written");
    match by_default.strict(true).encode(&delta) {
        Ok(strict) => assert_eq!((strict.text, again), (encoded.text, delta.clone())),
        Err(EncodeError::CloudTooWide { .. }) => {
            let untold = delta.context().difference(again.context());
            let untold = untold.iter().map(|(_, clocks)| clocks.len());
            assert_eq!(untold.sum::<u64>(), encoded.left_out.claims);
            assert!(again.entries().eq(delta.entries()));
        }
        Err(error) => panic!("{error}"),
    }
    parts_come_together(&delta, text.len());

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

/// In parts of a third of its length, or a little more.
fn parts_come_together(delta: &PresenceDelta<JsonMeta>, bytes: usize) {
    let encoder = Encoder::new().compact(true).max_bytes((bytes / 3).max(64));
    let mut context = CausalContext::new();
    let (mut entries, mut left_out) = (Vec::new(), 0);
    for part in encoder.parts(delta) {
        let part = part.expect("the writer has a name");
        let read = delta_from_json::<JsonMeta>(&part.text).expect("it was just written");
        context.merge(read.context());
        entries.extend(read.entries().cloned());
        left_out += part.left_out.entries;
    }
    assert_eq!(entries.len() as u64 + left_out, delta.len() as u64);
    assert!(delta.context().dominates(&context));
    let whole = PresenceDelta::from_parts(delta.replica().clone(), context, entries)
        .expect("no entry comes twice, and each is covered");
    assert!(
        whole
            .entries()
            .all(|entry| delta.get(entry.dot()) == Some(entry))
    );
}
