//! Front pages lead somewhere: those of docs.rs out of their package by whole addresses
//! only, and addresses in this repository to files that exist.

use super::{Finding, Tree};

/// Where the files of this repository are on the web.
const REPOSITORY: &str = "https://github.com/lattice-presence/lattice-presence/";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.below("crates/", ".rs") {
        for (line, comment) in doc_comments(text) {
            findings.extend(leads_out(path, line, comment));
            findings.extend(leads_nowhere(tree, path, line, comment));
        }
    }
    for (path, text) in tree.below("", ".md") {
        // What `include_str!` makes a page of docs.rs.
        let is_page = path.starts_with("crates/") && path.contains("/src/");
        for (index, line) in text.lines().enumerate() {
            if is_page {
                findings.extend(leads_out(path, index + 1, line));
            }
            findings.extend(leads_nowhere(tree, path, index + 1, line));
        }
    }
    findings
}

fn doc_comments(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let line = line.trim_start();
        let comment = line
            .strip_prefix("//!")
            .or_else(|| line.strip_prefix("///"));
        comment.map(|comment| (index + 1, comment))
    })
}

/// A link to a file: docs.rs has none of them.
fn leads_out(path: &str, line: usize, text: &str) -> Option<Finding> {
    let target = targets(text).find(|target| {
        let file = target.split('#').next().unwrap_or_default();
        !file.contains(':') && (file.contains('/') || file.ends_with(".md"))
    })?;
    let what = format!("{target} is no page of docs.rs");
    let mend = format!("link the item, or the whole address: {REPOSITORY}blob/main/…");
    Some(Finding::new(path, what, mend).at(line))
}

/// An address in this repository, of a file that is not there.
fn leads_nowhere(tree: &Tree, path: &str, line: usize, text: &str) -> Option<Finding> {
    let missing = text.split(REPOSITORY).skip(1).find_map(|rest| {
        let rest = rest
            .strip_prefix("blob/main/")
            .or_else(|| rest.strip_prefix("tree/main/"))?;
        let end = rest.find([')', '#', '>', ' ', '`', '"']);
        let file = &rest[..end.unwrap_or(rest.len())];
        (!tree.exists(file) && !file.contains('…')).then(|| file.to_owned())
    })?;
    let what = format!("there is no file {missing} in this repository");
    Some(Finding::new(path, what, "correct the address, or write the page").at(line))
}

/// What the links of a line lead to, written behind the text or below it.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let inline = line
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    let below = line
        .trim_start()
        .starts_with('[')
        .then(|| line.split_once("]: ").map(|(_, target)| target.trim()))
        .flatten();
    inline.chain(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::from([(path, text), ("docs/sync.md", "")]);
        check(&tree)
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    #[test]
    fn items_and_whole_addresses_pass() {
        let text = "//! [`Node`], [it](Node::builder), [top](#features), [r](rules),\n\
            //! [page](https://github.com/lattice-presence/lattice-presence/blob/main/docs/sync.md#x)\n\
            //! [x]: https://docs.rs/x\n// [not](../docs/a.md) a page\n";
        assert_eq!(found("crates/a/src/lib.rs", text), [""; 0]);
        assert_eq!(found("docs/page.md", "[other](sync.md)\n"), [""; 0]);
    }

    #[test]
    fn files_of_the_repository_are_no_pages_of_docs_rs() {
        for link in [
            "[p](../../docs/sync.md)",
            "[p](sync.md#rules)",
            "[p]: src/lib.rs",
        ] {
            let texts = [
                ("crates/a/src/lib.rs", format!("//! {link}\n")),
                ("crates/a/src/x.rs", format!("    /// {link}\n")),
                ("crates/a/src/rules.md", format!("{link}\n")),
            ];
            for (path, text) in texts {
                let found = found(path, &text);
                assert_eq!(found.len(), 1, "{path}: {text}");
                assert!(found[0].contains("no page of docs.rs"), "{found:?}");
            }
        }
    }

    #[test]
    fn an_address_of_a_file_that_is_not_there_fails() {
        let link = format!("[p]({REPOSITORY}blob/main/docs/gone.md#x)");
        let found = found("README.md", &link);
        assert_eq!(found, ["there is no file docs/gone.md in this repository"]);
    }
}
