//! Ten megabytes of malice cost a small multiple of ten megabytes.
//!
//! The allocator is counted, not the process: what is asserted is the most that
//! was allocated at one time while a payload was decoded, the payload itself not
//! counted. One test only, since tests of one file share the allocator.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod memory_support;

use core::fmt::Write as _;

use lattice_presence::ReplicaId;
use lattice_presence_json::{Category, Decoder, JsonMeta};
use memory_support::{is_stated, list, measured, name, sizes};

const SIZE: usize = 10 << 20;

/// What docs/wire-format.md states: a payload costs at most this many times its
/// size, be it read as a state, a delta or a digest, and whatever the limits are.
/// The dearest case here comes to 15.1.
const MULTIPLE: f64 = 16.0;

struct Case {
    name: &'static str,
    payload: String,
    expected: Option<Category>,
}

/// A case whose payload repeats a piece until it is long enough.
fn repeated(
    name: &'static str,
    expected: Option<Category>,
    [head, separator, tail]: [&str; 3],
    mut piece: impl FnMut(&mut String, usize),
) -> Case {
    let mut payload = String::with_capacity(SIZE + 256);
    payload.push_str(head);
    let mut i = 0;
    while payload.len() < SIZE {
        if i > 0 {
            payload.push_str(separator);
        }
        piece(&mut payload, i);
        i += 1;
    }
    payload.push_str(tail);
    Case {
        name,
        payload,
        expected,
    }
}

fn value(out: &mut String, clock: usize, topic: usize, meta: &str) {
    write!(
        out,
        r#"{{"tag":{{"replica":"n","clock":{clock}}},"entry":{{"topic":"{topic}","key":"{clock}","pid":"{clock}","meta":{meta}}}}}"#
    )
    .unwrap();
}

const MANY: &str = r#"{"replica":"n","context":{"n":9000000000},"clouds":{},"values":["#;
const IN_META: &str = r#"{"replica":"n","context":{"n":1},"clouds":{},"values":[{"tag":{"replica":"n","clock":1},"entry":{"topic":"t","key":"k","pid":"p","meta":"#;
const BEHIND: &str = r#"{"replica":"n","context":{},"clouds":{},"values":[],"x":"#;
const IN_CLOUD: &str = r#"{"replica":"n","context":{},"clouds":{"n":["#;

fn nested() -> Vec<Case> {
    vec![
        repeated(
            "brackets in metadata",
            Some(Category::Depth),
            [IN_META, "", ""],
            |out, _| out.push('['),
        ),
        repeated(
            "objects in metadata",
            Some(Category::Depth),
            [IN_META, "", ""],
            |out, _| out.push_str(r#"{"":"#),
        ),
        repeated(
            "brackets in an unknown field",
            Some(Category::Syntax),
            [BEHIND, "", ""],
            |out, _| out.push('['),
        ),
        repeated(
            "objects in an unknown field",
            Some(Category::Syntax),
            [BEHIND, "", ""],
            |out, _| out.push_str(r#"{"":"#),
        ),
        repeated(
            "brackets as the payload",
            Some(Category::Shape),
            ["", "", ""],
            |out, _| out.push('['),
        ),
        repeated(
            "brackets in a cloud",
            Some(Category::Shape),
            [IN_CLOUD, "", ""],
            |out, _| out.push('['),
        ),
    ]
}

fn clouds() -> Vec<Case> {
    let ends = [IN_CLOUD, ",", "]},\"values\":[]}"];
    vec![
        repeated("every other clock", None, ends, |out, i| {
            write!(out, "{}", 2 * i + 2).unwrap();
        }),
        repeated("every other clock, descending", None, ends, |out, i| {
            write!(out, "{}", 9_000_000_000 - 2 * i).unwrap();
        }),
        repeated(
            "one clock over and over",
            Some(Category::Limit),
            ends,
            |out, _| out.push('2'),
        ),
        repeated("low and high clocks in turn", None, ends, |out, i| {
            write!(
                out,
                "{}",
                if i % 2 == 0 {
                    2 * i + 2
                } else {
                    (1 << 53) - 2 * i
                }
            )
            .unwrap();
        }),
        repeated("wide intervals", None, ends, |out, i| {
            write!(out, "[{},{}]", 9 * i + 2, 9 * i + 8).unwrap();
        }),
        repeated("everything that there is", None, ends, |out, _| {
            out.push_str("[1,9007199254740991]");
        }),
    ]
}

fn duplicates() -> Vec<Case> {
    vec![
        repeated(
            "one known field",
            Some(Category::Duplicate),
            ["{", ",", "}"],
            |out, _| out.push_str(r#""replica":"n""#),
        ),
        repeated(
            "one unknown field",
            Some(Category::Shape),
            ["{", ",", "}"],
            |out, _| out.push_str(r#""x":0"#),
        ),
        repeated(
            "one replica in the context",
            Some(Category::Duplicate),
            [r#"{"context":{"#, ",", "}}"],
            |out, _| out.push_str(r#""n":1"#),
        ),
        repeated(
            "one key in metadata",
            Some(Category::Limit),
            [&format!("{IN_META}{{"), ",", "}}}]}"],
            |out, _| out.push_str(r#""a":1"#),
        ),
        repeated(
            "one tag",
            Some(Category::Duplicate),
            [MANY, ",", "]}"],
            |out, _| value(out, 1, 1, "0"),
        ),
    ]
}

fn strings() -> Vec<Case> {
    vec![
        repeated(
            "a replica name",
            Some(Category::Limit),
            [r#"{"replica":""#, "", "\"}"],
            |out, _| out.push('a'),
        ),
        repeated(
            "an escaped replica name",
            Some(Category::Limit),
            [r#"{"replica":""#, "", "\"}"],
            |out, _| out.push_str("\\n"),
        ),
        repeated(
            "a replica name that ends early",
            Some(Category::Syntax),
            [r#"{"replica":"\n"#, "", ""],
            |out, _| out.push('a'),
        ),
        repeated(
            "a replica in the context",
            Some(Category::Limit),
            [r#"{"context":{""#, "", "\":1}}"],
            |out, _| out.push('é'),
        ),
        repeated(
            "a field name",
            Some(Category::Shape),
            [r#"{""#, "", "\":1}"],
            |out, _| out.push_str("\\u0041"),
        ),
        repeated(
            "a string of metadata",
            Some(Category::Limit),
            [&format!("{IN_META}\""), "", "\"}}]}"],
            |out, _| out.push('a'),
        ),
        repeated(
            "escapes of metadata",
            Some(Category::Limit),
            [&format!("{IN_META}\""), "", "\"}}]}"],
            |out, _| out.push_str("\\\\"),
        ),
        repeated(
            "white space in metadata",
            Some(Category::Limit),
            [&format!("{IN_META}["), "", "0]}}]}"],
            |out, _| out.push(' '),
        ),
        repeated(
            "white space",
            None,
            [&BEHIND[..BEHIND.len() - 5], "", "}"],
            |out, _| out.push('\n'),
        ),
    ]
}

fn many() -> Vec<Case> {
    let context = [
        r#"{"replica":"n","context":{"#,
        ",",
        r#"},"clouds":{},"values":[]}"#,
    ];
    let clouds = [
        r#"{"replica":"n","context":{},"clouds":{"#,
        ",",
        r#"},"values":[]}"#,
    ];
    vec![
        repeated(
            "replicas in the context",
            Some(Category::Limit),
            context,
            |out, i| write!(out, r#""{i}":1"#).unwrap(),
        ),
        repeated(
            "replicas in the clouds",
            Some(Category::Limit),
            clouds,
            |out, i| write!(out, r#""{i}":[2]"#).unwrap(),
        ),
        repeated(
            "replicas in the tags",
            Some(Category::Limit),
            [MANY, ",", "]}"],
            |out, i| {
                write!(out, r#"{{"tag":{{"replica":"{i}","clock":1}},"entry":{{"topic":"","key":"","pid":"","meta":0}}}}"#).unwrap();
            },
        ),
        repeated("values", None, [MANY, ",", "]}"], |out, i| {
            value(out, i + 1, 1, "0");
        }),
        repeated("values, descending", None, [MANY, ",", "]}"], |out, i| {
            value(out, 1_000_000 - i, 1, "0");
        }),
        repeated(
            "values of a topic each",
            None,
            [MANY, ",", "]}"],
            |out, i| value(out, i + 1, i, "0"),
        ),
        repeated(
            "values with spaced metadata",
            None,
            [MANY, ",", "]}"],
            |out, i| value(out, i + 1, 1, "[ 1, 2, 3 ]"),
        ),
        repeated(
            "values that nothing covers",
            Some(Category::Coverage),
            [&MANY.replace("9000000000", "1"), ",", "]}"],
            |out, i| value(out, i + 1, 1, "0"),
        ),
        repeated(
            "values without an end",
            Some(Category::Syntax),
            [MANY, ",", ""],
            |out, i| value(out, i + 1, 1, "0"),
        ),
    ]
}

fn digests() -> Vec<Case> {
    let known = r#"{"context":1,"cloud":[],"fingerprint":"0123456789abcdef"}"#;
    let cloud = [
        r#"{"n":{"context":1,"cloud":["#,
        ",",
        r#"],"fingerprint":"0123456789abcdef"}}"#,
    ];
    vec![
        repeated(
            "replicas",
            Some(Category::Limit),
            ["{", ",", "}"],
            |out, i| write!(out, r#""{i}":{known}"#).unwrap(),
        ),
        repeated(
            "one replica",
            Some(Category::Duplicate),
            ["{", ",", "}"],
            |out, _| write!(out, r#""n":{known}"#).unwrap(),
        ),
        repeated("a cloud", None, cloud, |out, i| {
            write!(out, "{}", 2 * i + 3).unwrap();
        }),
    ]
}

fn payload(context: &str, clouds: &str, values: &str) -> String {
    format!(
        r#"{{"replica":"a","context":{{{context}}},"clouds":{{{clouds}}},"values":[{values}]}}"#
    )
}

/// What is claimed of each of `n` names.
fn claims(n: usize, claim: &str) -> String {
    list(n, |i| format!(r#""{}":{claim}"#, name(i)))
}

/// An incarnation that starts at a millisecond.
fn life(millisecond: u8) -> String {
    let mut uuid = [0; 16];
    (uuid[5], uuid[6], uuid[8]) = (millisecond, 0x70, 0x80);
    ReplicaId::incarnation("a", uuid).as_str().to_owned()
}

fn accepted<const N: usize>(payloads: [(&'static str, String); N]) -> Vec<Case> {
    let case = |(name, payload)| Case {
        name,
        payload,
        expected: None,
    };
    payloads.into_iter().map(case).collect()
}

/// Payloads of `n` names.
fn names(n: usize) -> Vec<Case> {
    accepted([
        ("names in the context", payload(&claims(n, "1"), "", "")),
        ("idle names", payload(&claims(n, "0"), "", "")),
        ("names in the clouds", payload("", &claims(n, "[2]"), "")),
        ("names with empty clouds", payload("", &claims(n, "[]"), "")),
        (
            "names with a prefix and a cloud",
            payload(&claims(n, "1"), &claims(n, "[3]"), ""),
        ),
        ("names with two gaps", payload("", &claims(n, "[2,4]"), "")),
        (
            "names with three gaps",
            payload("", &claims(n, "[2,4,6]"), ""),
        ),
        (
            "names with two gaps, descending",
            payload("", &claims(n, "[4,2]"), ""),
        ),
        (
            "names with five gaps, descending",
            payload("", &claims(n, "[9,7,5,3,1]"), ""),
        ),
        (
            "names with a prefix and two gaps",
            payload(&claims(n, "1"), &claims(n, "[3,5]"), ""),
        ),
        (
            "half of the names with a prefix, half with a cloud",
            payload(
                &claims(n / 2, "1"),
                &list(n - n / 2, |i| format!(r#""{}":[2]"#, name(i + n / 2))),
                "",
            ),
        ),
        (
            "a writer who claims former lives, too",
            format!(
                r#"{{"replica":"{}","context":{{"{}":1,{}}},"clouds":{{}},"values":[]}}"#,
                life(2),
                life(1),
                claims(n.saturating_sub(3) + 1, "1")
            ),
        ),
    ])
}

/// Payloads of `n` small pieces.
fn small_pieces(n: usize) -> Vec<Case> {
    let cloud = |clocks: String| payload("", &format!(r#""a":[{clocks}]"#), "");
    let in_turn = |i| if i % 2 == 0 { i + 2 } else { 4 * n - i };
    let one = |replica: &str, clock: usize| {
        format!(
            r#"{{"tag":{{"replica":"{replica}","clock":{clock}}},"entry":{{"topic":"","key":"","pid":"","meta":0}}}}"#
        )
    };
    let of_topic = |i| {
        format!(
            r#"{{"tag":{{"replica":"a","clock":{}}},"entry":{{"topic":"{}","key":"","pid":"","meta":0}}}}"#,
            i + 1,
            name(i)
        )
    };
    let mut cases = names(n);
    cases.extend(accepted([
        (
            "a cloud, ascending",
            cloud(list(n, |i| (2 * i + 2).to_string())),
        ),
        (
            "a cloud, descending",
            cloud(list(n, |i| (2 * (n - i)).to_string())),
        ),
        (
            "a cloud, low and high in turn",
            cloud(list(n, |i| in_turn(i).to_string())),
        ),
        (
            "a cloud, two clocks in turn",
            cloud(list(n, |i| (2 + i % 2 * 7).to_string())),
        ),
        (
            "a cloud, ascending, then two clocks in turn",
            cloud(list(n, |i| {
                let ascending = (2 * i + 2).to_string();
                if i < n / 4 {
                    ascending
                } else {
                    (2 + i % 2 * 7).to_string()
                }
            })),
        ),
        (
            "names with a value each",
            payload(&claims(n, "1"), "", &list(n, |i| one(&name(i), 1))),
        ),
        (
            "values of a topic each",
            payload(&format!(r#""a":{n}"#), "", &list(n, of_topic)),
        ),
        (
            "values",
            payload(&format!(r#""a":{n}"#), "", &list(n, |i| one("a", i + 1))),
        ),
    ]));
    cases
}

/// The same for digests.
fn small_digest(n: usize) -> Case {
    let known = |i| {
        format!(
            r#""{}":{{"context":1,"cloud":[],"fingerprint":"0123456789abcdef"}}"#,
            name(i)
        )
    };
    let known = (0..n).map(known).collect::<Vec<_>>().join(",");
    Case {
        name: "names in a digest",
        payload: format!("{{{known}}}"),
        expected: None,
    }
}

/// Payloads of all sizes up to the limit on replicas, then some without it.
fn small(report: &mut Report, default: &Decoder) {
    for n in (1..=13).flat_map(sizes) {
        // The writer is one of the names: 2^12 are at the limit, and one more above it.
        let decoder = default.clone().max_replicas(n);
        let decoder = if n > 1 << 12 { &decoder } else { default };
        for case in small_pieces(n) {
            let text = case.payload.as_str();
            let delta = measured(text, |text| decoder.delta_from_json::<JsonMeta>(text));
            report.check(&case, &format!("{n}, delta"), delta, MULTIPLE);
            let state = measured(text, |text| decoder.from_json::<JsonMeta>(text));
            report.check(&case, &format!("{n}, state"), state, MULTIPLE);
        }
        let case = small_digest(n);
        let digest = measured(&case.payload, |text| decoder.digest_from_json(text));
        report.check(&case, &format!("{n}, digest"), digest, MULTIPLE);
    }
    let lifted = default
        .clone()
        .max_replicas(usize::MAX)
        .max_clouds(usize::MAX);
    for (n, kinds) in [((1 << 17) + 1, usize::MAX), ((1 << 20) + 1, 1)] {
        for case in names(n).into_iter().take(kinds) {
            let delta = measured(&case.payload, |text| {
                lifted.delta_from_json::<JsonMeta>(text)
            });
            report.check(&case, &format!("{n}, delta"), delta, MULTIPLE);
        }
    }
}

#[test]
fn ten_megabytes_of_malice_cost_a_small_multiple() {
    // Ten megabytes of gaps are above the default limit on cloud items.
    let default = Decoder::new().max_clouds(1 << 22).max_claims(u64::MAX);
    let unlimited = default
        .clone()
        .max_replicas(usize::MAX)
        .max_clouds(usize::MAX)
        .max_meta_bytes(usize::MAX)
        .max_string_bytes(usize::MAX);
    let mut report = Report::default();
    let delta = |case: &Case| {
        measured(&case.payload, |text| {
            default.delta_from_json::<JsonMeta>(text)
        })
    };
    for case in [nested, clouds, duplicates]
        .iter()
        .flat_map(|cases| cases())
    {
        report.check(&case, "delta", delta(&case), MULTIPLE);
    }
    for case in [strings, many].iter().flat_map(|cases| cases()) {
        report.check(&case, "delta", delta(&case), MULTIPLE);
        let text = case.payload.as_str();
        let state = measured(text, |text| default.from_json::<JsonMeta>(text));
        report.check(&case, "state", state, MULTIPLE);
        let (multiple, _) = measured(text, |text| unlimited.delta_from_json::<JsonMeta>(text));
        let free = (multiple, case.expected);
        report.check(&case, "delta without limits", free, MULTIPLE);
    }
    for case in digests() {
        let digest = measured(&case.payload, |text| default.digest_from_json(text));
        report.check(&case, "digest", digest, MULTIPLE);
    }
    small(&mut report, &default);
    eprintln!("{}", report.lines);
    assert!(
        !report.wrong,
        "peak heap as a multiple of the payload:\n{}",
        report.lines
    );
    // The bound is no looser than it must be, and the page states it.
    assert!(report.greatest > MULTIPLE - 2.0, "{}", report.lines);
    assert!(is_stated(MULTIPLE));
}

#[derive(Default)]
struct Report {
    lines: String,
    wrong: bool,
    greatest: f64,
}

impl Report {
    fn check(
        &mut self,
        case: &Case,
        kind: &str,
        (multiple, found): (f64, Option<Category>),
        allowed: f64,
    ) {
        let fine = multiple <= allowed && found == case.expected;
        self.wrong |= !fine;
        self.greatest = self.greatest.max(multiple);
        let verdict = if fine { "fine" } else { "WRONG" };
        let name = case.name;
        writeln!(
            self.lines,
            "{verdict} {name}, {kind}: {multiple:.2}, {found:?}"
        )
        .unwrap();
    }
}
