//! `cargo xtask tidy`: rules that neither cargo nor the compiler nor its lints check.
//!
//! Each check is a function from a [`Tree`] of texts to what it found, so that
//! a test can feed it a tree of three lines.

mod changelog;
mod decisions;
mod docs_rs;
mod edges;
pub(crate) mod front_pages;
mod length;
mod links;
mod module_docs;
mod no_std;
mod rules;
mod tree;

use std::fmt;

use crate::shell::{Outcome, root};
pub(crate) use tree::Tree;
#[cfg(test)]
pub(crate) use tree::package;

/// One thing that is wrong, and what puts it right.
#[derive(Debug, PartialEq)]
struct Finding {
    path: String,
    /// Counted from one; `None` where the whole file is meant.
    line: Option<usize>,
    what: String,
    mend: String,
}

impl Finding {
    fn new(path: &str, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line: None,
            what: what.into(),
            mend: mend.into(),
        }
    }

    fn at(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}\n    mend: {}", self.what, self.mend)
    }
}

type Check = fn(&Tree) -> Vec<Finding>;

const CHECKS: &[(&str, Check)] = &[
    ("edges", edges::check),
    ("module docs", module_docs::check),
    ("file length", length::check),
    ("rules", rules::check),
    ("changelog", changelog::check),
    ("no std", no_std::check),
    ("decisions", decisions::check),
    ("links", links::check),
    ("front pages", front_pages::check),
    ("docs.rs", docs_rs::check),
];

/// Runs every check over the working tree.
pub(crate) fn run(_: &[String]) -> Outcome {
    let tree = Tree::read(root())?;
    let mut found = 0;
    for (name, check) in CHECKS {
        let findings = check(&tree);
        let verdict = if findings.is_empty() { "ok" } else { "FAILED" };
        println!("tidy: {name:<12} {verdict}");
        for finding in &findings {
            println!("  {finding}");
        }
        found += findings.len();
    }
    match found {
        0 => Ok(()),
        1 => Err("1 finding".into()),
        _ => Err(format!("{found} findings")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each check a tree that it refuses.
    fn refused() -> Vec<(&'static str, Tree)> {
        let lib = "crates/x/src/lib.rs";
        let stranger = vec![package("x", &[])];
        let untold = [
            ("CONTRIBUTING.md", "### Files longer than 1 lines\n"),
            (lib, "//! A.\nx\n"),
        ];
        vec![
            ("edges", Tree::from([]).with(stranger.clone())),
            ("module docs", Tree::from([(lib, "fn x() {}\n")])),
            ("file length", Tree::from(untold)),
            ("rules", Tree::from([("docs/a.md", "`s1_is_no_test`")])),
            (
                "changelog",
                Tree::from([("CHANGELOG.md", "## [9.9.9]\n")]).with(stranger.clone()),
            ),
            (
                "no std",
                Tree::from([("crates/lattice-causal/src/lib.rs", "extern crate std;\n")]),
            ),
            ("decisions", Tree::from([("docs/decisions/0001-a.md", "")])),
            ("links", Tree::from([("a.md", "[b](b.md)\n")])),
            ("front pages", Tree::from([(lib, "//! [a](../a.md)\n")])),
            ("docs.rs", Tree::from([(lib, "")]).with(stranger)),
        ]
    }

    #[test]
    fn every_check_can_fail() {
        let refused = refused();
        for (name, check) in CHECKS {
            let tree = refused.iter().find(|(of, _)| of == name);
            let (_, tree) = tree.unwrap_or_else(|| panic!("{name}: no tree that it refuses"));
            assert!(!check(tree).is_empty(), "{name} refuses nothing");
        }
    }

    #[test]
    fn a_finding_says_where_what_and_the_mend() {
        let finding = Finding::new("a.rs", "it is broken", "repair it").at(7);
        assert_eq!(
            finding.to_string(),
            "a.rs:7: it is broken\n    mend: repair it"
        );
    }
}
