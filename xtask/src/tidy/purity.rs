//! The crates below every format and socket know no clock, no I/O, no randomness.

use super::source::{code_of, names, production};
use super::{Finding, Tree};

const PURE: [&str; 3] = [
    "crates/lattice-causal/src/",
    "crates/lattice-presence/src/",
    "crates/lattice-presence-sync/src/",
];

/// What reaches the world outside, and what a caller passes instead.
const BANNED: &[(&[&str], &str)] = &[
    (
        &["std::time", "SystemTime", "Instant"],
        "let the caller decide when: it calls replica_down and replica_up",
    ),
    (
        &[
            "std::net",
            "std::fs",
            "std::env",
            "std::process",
            "std::thread",
            "std::io",
        ],
        "take or return values, and leave input and output to the caller",
    ),
    (
        &["rand", "getrandom", "now_v7", "new_v4"],
        "take the identity or the number as an argument",
    ),
    (
        &["RandomState", "std::collections"],
        "take the maps of `alloc` or `hashbrown`: those of std are seeded at random",
    ),
    (
        &["println!", "print!", "eprintln!", "eprint!", "dbg!"],
        "return what there is to say: an error or a diff",
    ),
    // A group would hide its members from this check.
    (&["std::{"], "write one path per `use` of std"),
];

/// An exception, for one name in one file.
struct Allowance {
    path: &'static str,
    name: &'static str,
    /// Printed nowhere; an exception without a reason should not compile.
    _reason: &'static str,
}

const ALLOWED: &[Allowance] = &[Allowance {
    path: "crates/lattice-presence/src/replica_id.rs",
    name: "now_v7",
    _reason: "feature `uuid`: one draw per process incarnation (S1), for callers who \
              do not bring their own",
}];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in PURE.iter().flat_map(|src| tree.below(src, ".rs")) {
        let code = code_of(text);
        for (index, line) in production(&code).lines().enumerate() {
            for &(banned, mend) in BANNED {
                let outside = banned
                    .iter()
                    .find(|name| names(line, name) && !is_allowed(path, name));
                if let Some(name) = outside {
                    let what = format!("`{name}` reaches outside a pure crate");
                    findings.push(Finding::new(path, what, mend).at(index + 1));
                }
            }
        }
    }
    findings
}

fn is_allowed(path: &str, name: &str) -> bool {
    ALLOWED
        .iter()
        .any(|allowed| allowed.path == path && allowed.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<Finding> {
        check(&Tree::from([(path, text)]))
    }

    #[test]
    fn pure_code_passes() {
        let text = "use core::time::Duration;\n// Instant, println!\nfn f(operand: u8) {}\n\
                    #[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        assert_eq!(found("crates/lattice-causal/src/a.rs", text), []);
    }

    #[test]
    fn every_banned_name_fails() {
        for (banned, _) in BANNED {
            for name in *banned {
                let text = format!("//! A.\nx {name} y\n");
                let findings = found("crates/lattice-presence/src/a.rs", &text);
                assert_eq!(findings.len(), 1, "{name}");
                assert_eq!(findings[0].line, Some(2), "{name}");
            }
        }
    }

    #[test]
    fn the_codec_and_the_tests_may() {
        let text = "use std::io;\n";
        assert_eq!(found("crates/lattice-presence-json/src/a.rs", text), []);
        assert_eq!(found("crates/lattice-presence/tests/a.rs", text), []);
    }

    #[test]
    fn an_allowance_covers_one_name_in_one_file() {
        let draw = "Uuid::now_v7()\n";
        assert_eq!(found("crates/lattice-presence/src/replica_id.rs", draw), []);
        assert_eq!(found("crates/lattice-presence/src/state.rs", draw).len(), 1);
        let text = "Instant\n";
        assert_eq!(
            found("crates/lattice-presence/src/replica_id.rs", text).len(),
            1
        );
    }
}
