//! The wire.

use lattice_presence_json::{JsonMeta, delta_from_json, from_json, to_json_string};

use crate::case::{Case, Ceiling, Operation, timed};
use crate::floors::{self, DecodedMap};
use crate::workload;

/// Encoding, decoding, and decoding into a state that is there.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        name: "encode N",
        ceiling: Ceiling::Ratio(1.3),
        prepare: encode,
    },
    Operation {
        name: "decode N",
        ceiling: Ceiling::Ratio(1.5),
        prepare: decode,
    },
    Operation {
        name: "decode N to a state, indexed",
        ceiling: Ceiling::Stated,
        prepare: decode_state,
    },
    Operation {
        name: "decode + merge N into N",
        ceiling: Ceiling::Ratio(1.2),
        prepare: decode_and_merge,
    },
];

fn encode(n: usize) -> Case {
    let state = workload::remote(n);
    let plain = floors::plain(&state);
    Case::new(n, move || timed(|| to_json_string(&state)))
        .floor(move || timed(|| floors::encode(&plain)))
}

/// The payload of N entries, and the floor's payload of the same.
fn payloads(n: usize) -> (String, String) {
    let state = workload::remote(n);
    let ours = to_json_string(&state).expect("metadata is shallow");
    (ours, floors::encode(&floors::plain(&state)))
}

fn decode(n: usize) -> Case {
    let (ours, floor) = payloads(n);
    Case::new(n, move || {
        timed(|| delta_from_json::<JsonMeta>(&ours).expect("just encoded"))
    })
    .floor(move || timed(|| floors::decode(&floor)))
}

/// Floor: F2 and F1, since this builds the indexes.
fn decode_state(n: usize) -> Case {
    let (ours, floor) = payloads(n);
    Case::new(n, move || {
        timed(|| from_json::<JsonMeta>(&ours).expect("just encoded"))
    })
    .floor(move || {
        timed(|| {
            let mut map = DecodedMap::new();
            floors::decode_into(&mut map, &floor);
            map
        })
    })
}

fn decode_and_merge(n: usize) -> Case {
    let (ours, floor) = payloads(n);
    let held = floors::encode(&floors::plain(&workload::local(n)));
    Case::new(n, move || {
        let mut state = workload::local(n);
        timed(|| {
            let delta = delta_from_json(&ours).expect("just encoded");
            state.merge_delta(&delta).expect("two names");
            (state, delta)
        })
    })
    .floor(move || {
        let mut map = DecodedMap::new();
        floors::decode_into(&mut map, &held);
        timed(|| {
            floors::decode_into(&mut map, &floor);
            map
        })
    })
}
