//! Encoding and decoding is the identity, and the bytes are canonical.
//!
//! quickcheck prints the failing case, shrunk; `QUICKCHECK_TESTS` sets how many.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use lattice_presence::{CausalContext, Dot, Presence, PresenceDelta, PresenceState, ReplicaId};
use lattice_presence_json::{
    Decoder, Encoder, JsonMeta, delta_from_json, delta_from_json_slice, delta_to_json_string,
    delta_to_json_writer, digest_from_json, digest_to_json_string, from_json, to_json_string,
    to_json_writer,
};
use quickcheck::{Arbitrary, Gen, TestResult, quickcheck};

/// One entry to be, and clocks that were seen besides.
#[derive(Clone, Debug)]
struct Claim {
    replica: u8,
    first: u64,
    length: u64,
    live: bool,
    names: [String; 3],
    meta: Meta,
}

impl Arbitrary for Claim {
    fn arbitrary(g: &mut Gen) -> Self {
        Self {
            replica: u8::arbitrary(g) % 4,
            first: 1 + u64::from(u8::arbitrary(g) % 24),
            length: u64::from(u8::arbitrary(g) % 5),
            live: bool::arbitrary(g),
            names: [name(g), name(g), name(g)],
            meta: Meta::arbitrary(g),
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let this = self.clone();
        let metas = this.meta.shrink().map(move |meta| Self {
            meta,
            ..this.clone()
        });
        Box::new(metas)
    }
}

/// Short, often equal, and now and then anything.
fn name(g: &mut Gen) -> String {
    if bool::arbitrary(g) {
        String::arbitrary(g)
    } else {
        format!("n{}", u8::arbitrary(g) % 4)
    }
}

#[derive(Clone, Debug)]
enum Meta {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Meta {
    fn of_depth(g: &mut Gen, depth: u32) -> Self {
        let kinds = if depth == 0 { 4 } else { 6 };
        let len = usize::arbitrary(g) % 4;
        match u32::arbitrary(g) % kinds {
            0 => Self::Null,
            1 => Self::Bool(bool::arbitrary(g)),
            2 => Self::Int(i64::arbitrary(g)),
            3 => Self::Text(String::arbitrary(g)),
            4 => Self::List((0..len).map(|_| Self::of_depth(g, depth - 1)).collect()),
            _ => Self::Map(
                (0..len)
                    .map(|_| (name(g), Self::of_depth(g, depth - 1)))
                    .collect(),
            ),
        }
    }

    /// JSON with white space wherever `spaced` allows some.
    fn text(&self, spaced: bool) -> String {
        let gap = if spaced { " \n" } else { "" };
        match self {
            Self::Null => "null".into(),
            Self::Bool(b) => b.to_string(),
            Self::Int(i) => i.to_string(),
            Self::Text(text) => serde_json::to_string(text).unwrap(),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| item.text(spaced)).collect();
                format!("[{gap}{}{gap}]", items.join(&format!("{gap},{gap}")))
            }
            Self::Map(fields) => {
                let field = |(key, value): &(String, Self)| {
                    let key = serde_json::to_string(key).unwrap();
                    format!("{key}{gap}:{gap}{}", value.text(spaced))
                };
                let fields: Vec<_> = fields.iter().map(field).collect();
                format!("{{{gap}{}{gap}}}", fields.join(&format!("{gap},{gap}")))
            }
        }
    }
}

impl Arbitrary for Meta {
    fn arbitrary(g: &mut Gen) -> Self {
        Self::of_depth(g, 4)
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        match self {
            Self::Null => quickcheck::empty_shrinker(),
            Self::List(items) => Box::new(items.shrink().map(Self::List)),
            Self::Map(fields) => Box::new(fields.shrink().map(Self::Map)),
            Self::Text(text) => Box::new(text.shrink().map(Self::Text)),
            _ => quickcheck::single_shrinker(Self::Null),
        }
    }
}

fn delta_of(claims: &[Claim]) -> PresenceDelta<JsonMeta> {
    let mut context = CausalContext::new();
    let mut entries: Vec<Presence<JsonMeta>> = Vec::new();
    for claim in claims {
        let replica = ReplicaId::from(format!("r{}", claim.replica));
        let last = claim.first + claim.length;
        context.insert_range(replica.clone(), claim.first..=last);
        let dot = Dot::new(replica, last);
        if claim.live && entries.iter().all(|entry| *entry.dot() != dot) {
            let [topic, key, pid] = &claim.names;
            let meta = claim.meta.text(false).parse().unwrap();
            entries.push(Presence::new(dot, topic.as_str(), key, pid, meta));
        }
    }
    PresenceDelta::from_parts("r0".into(), context, entries).unwrap()
}

quickcheck! {
    fn a_delta_survives_both_forms_and_both_writers(claims: Vec<Claim>) -> bool {
        let delta = delta_of(&claims);
        let text = delta_to_json_string(&delta).unwrap();
        let compact = Encoder::new().compact(true).delta_to_json_string(&delta).unwrap();
        let mut written = Vec::new();
        delta_to_json_writer(&delta, &mut written).unwrap();
        written == text.as_bytes()
            && delta_from_json(&text).unwrap() == delta
            && delta_from_json_slice(&written).unwrap() == delta
            && delta_from_json(&compact).unwrap() == delta
    }

    fn a_state_survives_with_its_digest(claims: Vec<Claim>) -> bool {
        let state = PresenceState::from_snapshot(delta_of(&claims));
        let text = to_json_string(&state).unwrap();
        let mut written = Vec::new();
        to_json_writer(&state, &mut written).unwrap();
        let again = from_json::<JsonMeta>(&text).unwrap();
        written == text.as_bytes()
            && again.snapshot() == state.snapshot()
            && again.digest() == state.digest()
            && digest_from_json(&digest_to_json_string(&state.digest()).unwrap()).unwrap() == state.digest()
    }

    fn equal_content_has_equal_bytes_whatever_the_order(claims: Vec<Claim>, seed: u64) -> TestResult {
        let delta = delta_of(&claims);
        let text = delta_to_json_string(&delta).unwrap();
        let scrambled = scramble(&text, seed);
        if scrambled == text {
            return TestResult::discard();
        }
        let decoded = delta_from_json::<JsonMeta>(&scrambled).unwrap();
        TestResult::from_bool(delta_to_json_string(&decoded).unwrap() == text)
    }

    fn metadata_loses_only_white_space(meta: Meta) -> bool {
        let (spaced, plain) = (meta.text(true), meta.text(false));
        spaced.parse::<JsonMeta>().unwrap().as_str() == plain
            && plain.parse::<JsonMeta>().unwrap().as_str() == plain
            && serde_json::from_str::<JsonMeta>(&spaced).unwrap().as_str() == plain
            && serde_json::to_string(&plain.parse::<JsonMeta>().unwrap()).unwrap() == plain
    }

    fn metadata_of_any_type_is_written_as_its_text_is(claims: Vec<Claim>) -> bool {
        let text = delta_to_json_string(&delta_of(&claims)).unwrap();
        let raw = delta_from_json::<Box<serde_json::value::RawValue>>(&text).unwrap();
        delta_to_json_string(&raw).unwrap() == text
    }

    fn a_changed_byte_never_makes_the_decoder_panic(claims: Vec<Claim>, place: usize, byte: u8) -> bool {
        let mut bytes = delta_to_json_string(&delta_of(&claims)).unwrap().into_bytes();
        let place = place % bytes.len();
        bytes[place] = byte;
        match Decoder::new().delta_from_json_slice::<JsonMeta>(&bytes) {
            // What is accepted can be sent on.
            Ok(delta) => delta_from_json(&delta_to_json_string(&delta).unwrap()).unwrap() == delta,
            Err(error) => error.line() >= 1 && error.column() >= 1,
        }
    }
}

/// The same payload with its values, clouds and fields in another order.
fn scramble(text: &str, seed: u64) -> String {
    let payload: serde_json::Value = serde_json::from_str(text).unwrap();
    // Metadata must keep its spelling, which a `Value` does not.
    let raw = delta_from_json::<JsonMeta>(text).unwrap();
    let mut values: Vec<String> = raw
        .entries()
        .map(|entry| {
            let quoted = |text: &str| serde_json::to_string(text).unwrap();
            format!(
                r#"{{"entry":{{"meta":{},"pid":{},"key":{},"topic":{}}},"tag":{{"clock":{},"replica":{}}}}}"#,
                entry.meta(),
                quoted(entry.pid()),
                quoted(entry.key()),
                quoted(entry.topic()),
                entry.dot().clock,
                quoted(entry.dot().replica.as_str()),
            )
        })
        .collect();
    let mut clouds: Vec<String> = payload["clouds"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(replica, clocks)| {
            let mut clocks: Vec<_> = clocks
                .as_array()
                .unwrap()
                .iter()
                .map(ToString::to_string)
                .collect();
            rotate(&mut clocks, seed);
            format!("{:?}:[{}]", replica, clocks.join(","))
        })
        .collect();
    rotate(&mut values, seed);
    rotate(&mut clouds, seed);
    format!(
        r#"{{"values":[{}],"clouds":{{{}}},"context":{},"replica":{}}}"#,
        values.join(","),
        clouds.join(","),
        payload["context"],
        payload["replica"],
    )
}

fn rotate(items: &mut [String], seed: u64) {
    if !items.is_empty() {
        let by = usize::try_from(seed % items.len() as u64).unwrap();
        items.rotate_left(by);
        items.reverse();
    }
}
