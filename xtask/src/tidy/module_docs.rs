//! Every Rust file says first what it is for.

use super::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.below("", ".rs")
        .filter(|(_, text)| !is_documented(text))
        .map(|(path, _)| {
            Finding::new(
                path,
                "the file does not start with `//!` docs",
                "say in a line above everything else what the module is for",
            )
            .at(1)
        })
        .collect()
}

fn is_documented(text: &str) -> bool {
    text.lines()
        .find(|line| !line.trim().is_empty())
        .and_then(|line| line.strip_prefix("//!"))
        .is_some_and(|docs| !docs.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        check(&Tree::from([("crates/a/src/lib.rs", text)])).len()
    }

    #[test]
    fn a_module_with_docs_passes() {
        assert_eq!(found("//! What this is.\n\nfn f() {}\n"), 0);
        assert_eq!(found("\n//! What this is.\n#![no_main]\n"), 0);
    }

    #[test]
    fn a_module_without_docs_fails() {
        assert_eq!(found("fn f() {}\n//! Too late.\n"), 1);
        assert_eq!(found("// Not docs.\n"), 1);
        assert_eq!(found("//!\nfn f() {}\n"), 1);
        assert_eq!(found(""), 1);
    }
}
