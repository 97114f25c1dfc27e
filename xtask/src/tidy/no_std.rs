//! The crates below every format and socket know no clock, no I/O, no randomness: they are
//! `no_std`, and only their tests bring `std` back.
//!
//! The rest the compiler says, since there is no `std` to name: `cargo xtask ci no-std`. What
//! draws or reads a clock without `std` is a dependency, which the check of edges refuses, or
//! stands in `clippy.toml`.

use super::{Finding, Tree};

const PURE: [&str; 3] = [
    "crates/lattice-causal/src/",
    "crates/lattice-presence/src/",
    "crates/lattice-presence-sync/src/",
];

/// What may stand above `extern crate std`: tests, and generators for tests.
const FOR_TESTS: [&str; 2] = [
    "#[cfg(test)]",
    "#[cfg(any(feature = \"quickcheck\", test))]",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for src in PURE {
        let root = format!("{src}lib.rs");
        let text = tree.get(&root).unwrap_or_default();
        if !text.lines().any(|line| line == "#![no_std]") {
            let mend = "write `#![no_std]`: take values and time as arguments";
            findings.push(Finding::new(&root, "the crate is not `no_std`", mend));
        }
        for (path, text) in tree.below(src, ".rs") {
            findings.extend(with_std(path, text));
        }
    }
    findings
}

/// Where `std` is brought back for more than tests.
fn with_std<'a>(path: &'a str, text: &'a str) -> impl Iterator<Item = Finding> + 'a {
    let above = core::iter::once("").chain(text.lines().map(str::trim));
    let lines = text.lines().map(str::trim).zip(above).enumerate();
    let outside = lines.filter(|(_, (line, above))| {
        line.contains("extern crate std") && !line.starts_with("//") && !FOR_TESTS.contains(above)
    });
    outside.map(move |(index, _)| {
        let mend = format!("take it away, or write `{}` above it", FOR_TESTS[0]);
        Finding::new(path, "`std` is there for more than tests", mend).at(index + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(causal: &str, other: &str) -> Vec<Finding> {
        check(&Tree::from([
            ("crates/lattice-causal/src/lib.rs", causal),
            ("crates/lattice-causal/src/other.rs", other),
            ("crates/lattice-presence/src/lib.rs", "#![no_std]\n"),
            ("crates/lattice-presence-sync/src/lib.rs", "#![no_std]\n"),
        ]))
    }

    #[test]
    fn std_for_tests_alone_passes() {
        for above in FOR_TESTS {
            let text = format!("#![no_std]\n{above}\nextern crate std;\n");
            assert_eq!(found(&text, "// extern crate std\n"), []);
        }
    }

    #[test]
    fn a_crate_with_std_fails() {
        for text in ["", "#![cfg_attr(not(feature = \"std\"), no_std)]\n"] {
            let found = found(text, "");
            assert_eq!(found.len(), 1, "{text}");
            assert!(found[0].what.contains("no_std"), "{}", found[0]);
        }
    }

    #[test]
    fn std_that_comes_back_fails() {
        for text in [
            "extern crate std;\n",
            "#[cfg(feature = \"uuid\")]\nextern crate std as s;\n",
        ] {
            let found = found("#![no_std]\n", text);
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(found[0].line, Some(text.lines().count()), "{text}");
        }
    }
}
