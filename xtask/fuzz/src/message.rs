//! Messages: any bytes are decoded or refused, what is accepted survives and is
//! canonical, and cut to any size it still says nothing else.

use lattice_presence::{Body, CausalContext, Message, PresenceDelta};
use lattice_presence_json::{Category, DecodeError, Decoder, Encoder, JsonMeta};
use serde::de::IgnoredAny;

type Said = Message<JsonMeta>;

/// Panics where the codec misbehaves on `data`.
pub fn check(data: &[u8]) {
    let decoder = Decoder::new();
    let header = str::from_utf8(data).map(|text| decoder.message_header(text));
    let message = match decoder.message_from_json_slice::<JsonMeta>(data) {
        Ok(message) => message,
        Err(error) => return is_refused_rightly(data, &error),
    };
    let header = header.expect("it is UTF-8").expect("it has a header");
    assert_eq!(
        (&header.from, &header.cluster),
        (&message.from, &message.cluster)
    );
    assert!(serde_json::from_slice::<IgnoredAny>(data).is_ok());

    let encoded = Encoder::new().encode(&message).expect("a peer sent it");
    assert!(encoded.left_out.is_empty(), "{}", encoded.left_out);
    let again = decoder
        .message_from_json::<JsonMeta>(&encoded.text)
        .expect("it was just written");
    assert_eq!(again, message);
    let twice = Encoder::new().encode(&again).expect("it was just read");
    assert_eq!(twice.text, encoded.text);
    is_cut_rightly(&message, encoded.text.len());
}

fn is_refused_rightly(data: &[u8], error: &DecodeError) {
    assert!(error.line() >= 1 && error.column() >= 1, "{error}");
    assert!(error.line() <= 1 + data.len(), "{error}");
    let is_json =
        serde_json::from_slice::<IgnoredAny>(data).is_ok() && str::from_utf8(data).is_ok();
    if error.category() == Category::Syntax && is_json {
        // serde_json checks escapes for their digits only where it skips them.
        assert!(error.to_string().contains("lone surrogate"), "{error}");
    }
}

/// The parts of a push hold nothing else than the push, and each of its entries once, or
/// it was left out.
fn is_cut_rightly(message: &Said, bytes: usize) {
    let max = (bytes / 2).max(64);
    let mut pushed = Vec::new();
    let mut left_out = 0;
    for part in Encoder::new().max_bytes(max).parts(message) {
        let Ok(part) = part else {
            return; // Not even a header has room, or it is a piece already.
        };
        assert!(part.text.len() <= max);
        let read = Decoder::new()
            .message_from_json::<JsonMeta>(&part.text)
            .expect("it was just written");
        assert_eq!(read.body.kind(), message.body.kind());
        left_out += part.left_out.entries;
        pushed.push(read.body);
    }
    if let Body::Push { piece, delta, .. } = &message.body {
        let all = pushed.len();
        for (body, at) in pushed.iter().zip(0_u16..) {
            let Body::Push { piece: read, .. } = body else {
                panic!("{body:?}");
            };
            let is_told = usize::from(read.count) == all && read.index == at;
            assert!(is_told || (all == 1 && read == piece), "{read:?} of {all}");
        }
        let parts = pushed.iter().map(|body| match body {
            Body::Push { delta, .. } => delta,
            other => panic!("{other:?}"),
        });
        hold_each_entry_once(parts, delta, left_out);
    }
}

fn hold_each_entry_once<'p>(
    parts: impl Iterator<Item = &'p PresenceDelta<JsonMeta>>,
    whole: &PresenceDelta<JsonMeta>,
    left_out: u64,
) {
    let mut context = CausalContext::new();
    let mut held = 0;
    for part in parts {
        assert!(part.entries().all(|entry| whole.get(entry.dot()).is_some()));
        context.merge(part.context());
        held += part.len() as u64;
    }
    assert_eq!(held + left_out, whole.len() as u64);
    assert!(whole.context().dominates(&context));
}
