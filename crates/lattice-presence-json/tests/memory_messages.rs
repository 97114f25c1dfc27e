//! Messages of malice cost a small multiple of their size, as payloads do (`memory.rs`).
//!
//! One test only, since tests of one file share the allocator.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use core::fmt::Write as _;
use std::alloc::System;

use lattice_presence_json::{Category, Decoder, JsonMeta};
use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc, PeakMemAllocTrait as _};

#[global_allocator]
static ALLOCATOR: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What docs/wire-format.md states, of pushes and of the others. The dearest of these, a
/// question about 1,025 names and nothing else, comes to 54.
const OF_DELTAS: f64 = 22.0;
const OF_OTHERS: f64 = 60.0;

/// What the smallest tables take is no multiple of anything.
const SLACK: usize = 4 << 10;

const HEAD: &str = r#"{"v":1,"cluster":"c","from":"a","#;

/// `head`, then `n` pieces with commas between them, then `tail`.
fn repeated(head: &str, tail: &str, n: usize, mut piece: impl FnMut(&mut String, usize)) -> String {
    let mut text = format!("{HEAD}{head}");
    for i in 0..n {
        if i > 0 {
            text.push(',');
        }
        piece(&mut text, i);
    }
    text.push_str(tail);
    text
}

/// A number in the shortest names that there are, of base 62, none of them the sender's.
fn name(mut i: usize) -> String {
    const LETTERS: &[u8; 62] = b"bcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    let mut name = String::new();
    loop {
        name.push(char::from(LETTERS[i % 62]));
        if i < 62 {
            return name;
        }
        i = i / 62 - 1;
    }
}

type Case = (&'static str, String, Option<Category>);

fn deltas(n: usize) -> Vec<Case> {
    let entries = [r#""push":1,"delta":[{"entries":["#, "]}]}"];
    let groups = [r#""push":1,"delta":["#, "]}"];
    let [entries, end] = entries;
    vec![
        (
            "entries",
            repeated(entries, end, n, |out, i| {
                write!(out, r#"[{},"","","",0]"#, i + 1).unwrap();
            }),
            None,
        ),
        (
            "entries, descending",
            repeated(entries, end, n, |out, i| {
                write!(out, r#"[{},"","","",0]"#, n - i).unwrap();
            }),
            None,
        ),
        (
            "entries with gaps",
            repeated(entries, end, n, |out, i| {
                write!(out, r#"[{},"","","",0]"#, 2 * i + 2).unwrap();
            }),
            None,
        ),
        (
            "entries of a topic each",
            repeated(entries, end, n, |out, i| {
                write!(out, r#"[{},"{}","","",0]"#, i + 1, name(i)).unwrap();
            }),
            None,
        ),
        (
            "one entry over and over",
            repeated(entries, end, n, |out, _| out.push_str(r#"[1,"","","",0]"#)),
            (n > 1).then_some(Category::Duplicate),
        ),
        (
            "replicas",
            repeated(groups[0], groups[1], n, |out, i| {
                write!(out, r#"{{"of":"{}","seen":[1]}}"#, name(i)).unwrap();
            }),
            None,
        ),
        (
            "replicas with an entry each",
            repeated(groups[0], groups[1], n, |out, i| {
                write!(out, r#"{{"of":"{}","entries":[[1,"","","",0]]}}"#, name(i)).unwrap();
            }),
            None,
        ),
        (
            "replicas with nothing",
            repeated(groups[0], groups[1], n, |out, i| {
                write!(out, r#"{{"of":"{}"}}"#, name(i)).unwrap();
            }),
            None,
        ),
        (
            "gaps",
            repeated(r#""push":1,"delta":[{"seen":["#, "]}]}", n, |out, i| {
                write!(out, "{}", 2 * i + 2).unwrap();
            }),
            None,
        ),
    ]
}

fn questions(n: usize) -> Vec<Case> {
    vec![
        (
            "parts",
            repeated(
                r#""question":1,"asks":{"b":{"parts":["#,
                "]}}}",
                n,
                |out, i| write!(out, r#"[{0},{0},"0000000000000000"]"#, i + 1).unwrap(),
            ),
            None,
        ),
        (
            "parts with dots",
            repeated(
                r#""question":1,"asks":{"b":{"parts":["#,
                "]}}}",
                n,
                |out, i| write!(out, r#"[{0},{0},"0000000000000000",[]]"#, i + 1).unwrap(),
            ),
            None,
        ),
        (
            "replicas asked about",
            repeated(r#""question":1,"asks":{"#, "}}", n, |out, i| {
                write!(out, r#""{}":{{}}"#, name(i)).unwrap();
            }),
            None,
        ),
        (
            "missed pushes",
            repeated(r#""question":1,"missed":["#, "]}", n, |out, i| {
                write!(out, "{}", 2 * i + 1).unwrap();
            }),
            None,
        ),
        (
            "replicas that differ",
            repeated(r#""answer":1,"differs":{"#, "}}", n, |out, i| {
                write!(out, r#""{}":[1]"#, name(i)).unwrap();
            }),
            None,
        ),
        (
            "lines",
            repeated(
                r#""compare":"0000000000000000","digest":{"#,
                "}}",
                n,
                |out, i| {
                    write!(
                        out,
                        r#""{}":{{"context":1,"cloud":[],"fingerprint":"0123456789abcdef"}}"#,
                        name(i)
                    )
                    .unwrap();
                },
            ),
            None,
        ),
        (
            "brackets in an unknown field",
            format!("{HEAD}\"push\":1,\"x\":{}", "[".repeat(16 * n)),
            Some(Category::Syntax),
        ),
    ]
}

#[test]
fn messages_of_malice_cost_a_small_multiple() {
    let decoder = Decoder::new()
        .max_replicas(usize::MAX)
        .max_clouds(usize::MAX)
        .max_claims(u64::MAX);
    let (mut greatest, mut wrong, mut lines) = (0.0_f64, false, String::new());
    let sizes = (1..=13).flat_map(|bits| [1 << bits, (1 << bits) + 1]);
    for n in sizes.chain([(1 << 16) + 1]) {
        let deltas = deltas(n).into_iter().map(|case| (case, OF_DELTAS));
        let others = questions(n).into_iter().map(|case| (case, OF_OTHERS));
        for ((case, text, expected), allowed) in deltas.chain(others) {
            ALLOCATOR.reset_peak_memory();
            let result = decoder.message_from_json::<JsonMeta>(&text);
            let peak = ALLOCATOR.get_peak_memory().saturating_sub(SLACK);
            #[allow(clippy::cast_precision_loss, reason = "a ratio of megabytes")]
            let multiple = peak as f64 / text.len() as f64;
            let found = result.err().map(|error| error.category());
            let fine = multiple <= allowed && found == expected;
            wrong |= !fine;
            greatest = greatest.max(multiple);
            let verdict = if fine { "fine" } else { "WRONG" };
            writeln!(lines, "{verdict} {case}, {n}: {multiple:.2}, {found:?}").unwrap();
        }
    }
    eprintln!("{lines}greatest {greatest:.2}");
    assert!(!wrong, "peak heap as a multiple of the message:\n{lines}");
    // The allocator was listened to at all.
    assert!(greatest > 1.0, "{lines}");
}
