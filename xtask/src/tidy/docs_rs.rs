//! What docs.rs shows of a crate: everything, with the features that each item takes; and a
//! front page that answers what a reader comes with.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Finding, Tree};
use crate::workspace::Package;

/// What turns badges on, in the manifest and in `lib.rs`.
const ARGUMENTS: [&str; 2] = ["--cfg", "docsrs"];
const BADGES: &str = "#![cfg_attr(docsrs, feature(doc_cfg))]";

/// What every front page says, and how to tell that it does.
const ANSWERS: [(&str, &str); 6] = [
    ("for whom it is", "This crate is for "),
    ("its first lines of code", "```"),
    ("its features", "# Features"),
    ("where the rules are", "rules"),
    ("where examples are", "/examples/"),
    ("its sister crates", "https://docs.rs/lattice-"),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let packages = tree.published();
    packages
        .flat_map(|package| of_package(tree, package))
        .collect()
}

fn of_package(tree: &Tree, package: &Package) -> Vec<Finding> {
    let folder = format!("crates/{}", package.name);
    let (manifest, lib) = (
        format!("{folder}/Cargo.toml"),
        format!("{folder}/src/lib.rs"),
    );
    let mut findings = Vec::new();
    let wanted = json!({"all-features": true, "rustdoc-args": ARGUMENTS});
    if package.docs_rs != wanted {
        let mend = format!("write [package.metadata.docs.rs] with {wanted}");
        findings.push(Finding::new(
            &manifest,
            "docs.rs does not show all of it",
            mend,
        ));
    }
    let text = tree.get(&lib).unwrap_or_default();
    if !text.lines().any(|line| line == BADGES) {
        let mend = format!("write `{BADGES}`");
        findings.push(Finding::new(
            &lib,
            "docs.rs shows no badges of features",
            mend,
        ));
    }
    let page = front_page(text);
    for (what, _) in ANSWERS.iter().filter(|(_, mark)| !page.contains(mark)) {
        let what = format!("the front page does not say {what}");
        findings.push(Finding::new(
            &lib,
            what,
            "say it, as the front pages of the others do",
        ));
    }
    let readme = format!("{folder}/README.md");
    let readme_text = tree.get(&readme).unwrap_or_default();
    for (path, page) in [(&lib, &*page), (&readme, readme_text)] {
        let (named, there) = (features_in(page), features_of(package));
        if named != there {
            let what = format!("its features are {there:?}, the page names {named:?}");
            let mend = "list them under `Features`: a line each, `- `name`: …` or a row";
            findings.push(Finding::new(path, what, mend));
        }
    }
    findings
}

/// The text of the docs of a crate.
fn front_page(lib: &str) -> String {
    let lines = lib.lines().filter_map(|line| line.strip_prefix("//!"));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

fn features_of(package: &Package) -> BTreeSet<&str> {
    let names = package.features.iter().map(String::as_str);
    names.filter(|name| *name != "default").collect()
}

/// What the section on features lists: quoted, before a colon or in the first cell.
fn features_in(page: &str) -> BTreeSet<&str> {
    let mut lines = page.lines();
    lines.find(|line| line.trim_start_matches('#') == " Features");
    let section = lines.take_while(|line| !line.starts_with('#'));
    let heads = section.filter_map(|line| {
        let (row, item) = (line.strip_prefix("| "), line.strip_prefix("- "));
        row.and_then(|row| row.split('|').next())
            .or_else(|| item?.split(':').next())
    });
    heads
        .flat_map(|head| head.split('`').skip(1).step_by(2))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::package;
    use super::*;

    const LIB: &str = "//! What.\n//!\n//! This crate is for you: rules, [x](y/examples/z).\n//!\n//! ```\n\
        //! ```\n//! https://docs.rs/lattice-b\n//! # Features\n//!\n//! - `a`, `b`: two.\n//!\n\
        //! # More `c`\n#![cfg_attr(docsrs, feature(doc_cfg))]\n";
    const README: &str =
        "# x\n\n## Features\n\n| feature | |\n|---|---|\n| `a` | of `z` |\n| `b` | |\n";

    fn found(lib: &str, readme: &str, args: &[&str]) -> Vec<String> {
        let mut one = package("x", &[]);
        one.features = ["a", "b", "default"].map(str::to_owned).into();
        one.docs_rs = json!({"all-features": true, "rustdoc-args": args});
        let files = [("crates/x/src/lib.rs", lib), ("crates/x/README.md", readme)];
        let findings = check(&Tree::from(files).with(vec![one]));
        findings
            .into_iter()
            .map(|finding| finding.to_string())
            .collect()
    }

    #[test]
    fn a_whole_front_page_passes() {
        assert_eq!(found(LIB, README, &ARGUMENTS), [""; 0]);
    }

    #[test]
    fn a_page_without_an_answer_fails() {
        for (what, mark) in ANSWERS {
            let lib = LIB.replace(mark, "x");
            let found = found(&lib, README, &ARGUMENTS);
            assert!(
                found.iter().any(|finding| finding.contains(what)),
                "{what}: {found:?}"
            );
        }
    }

    #[test]
    fn a_crate_without_badges_fails() {
        let found_in = |lib: &str, args: &[&str]| found(lib, README, args).len();
        assert_eq!(found_in(LIB, &[]), 1);
        assert_eq!(found_in(&LIB.replace(BADGES, "#![no_std]"), &ARGUMENTS), 1);
    }

    #[test]
    fn a_feature_that_is_not_there_or_not_named_fails() {
        let more = README.replace("| `b` | |", "| `b` | |\n| `std` | |");
        let less = README.replace("| `b` | |\n", "");
        for readme in [&*more, &less, "# x\n"] {
            let found = found(LIB, readme, &ARGUMENTS);
            assert_eq!(found.len(), 1, "{readme}");
            assert!(
                found[0].starts_with("crates/x/README.md: its features are"),
                "{found:?}"
            );
        }
        assert_eq!(
            found(&LIB.replace("`a`, `b`", "`a`"), README, &ARGUMENTS).len(),
            1
        );
    }
}
