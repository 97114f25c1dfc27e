//! Front pages lead somewhere: those of docs.rs and of the registry out of their package by
//! whole addresses only, and addresses in this repository to files and headings that exist.
//!
//! What rustdoc makes of them is looked at by `cargo xtask docs`.

use super::links::headings;
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
        let in_package = path
            .strip_prefix("crates/")
            .and_then(|path| path.split_once('/'));
        for (index, line) in text.lines().enumerate() {
            match in_package {
                // What the registry shows.
                Some((_, "README.md")) => findings.extend(climbs_out(path, index + 1, line)),
                // What `include_str!` makes a page of docs.rs.
                Some((_, file)) if file.starts_with("src/") => {
                    findings.extend(leads_out(path, index + 1, line));
                }
                _ => {}
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
    let is_file = |target: &str| {
        let file = target.split('#').next().unwrap_or_default();
        !file.contains(':') && (file.contains('/') || file.ends_with(".md"))
    };
    let target = targets(text).find(|target| is_file(target))?;
    Some(no_page(
        path,
        line,
        format!("{target} is no page of docs.rs"),
    ))
}

/// A link to a file outside of the package.
fn climbs_out(path: &str, line: usize, text: &str) -> Option<Finding> {
    let target = targets(text).find(|target| target.split('/').any(|part| part == ".."))?;
    Some(no_page(path, line, format!("{target} is in no package")))
}

fn no_page(path: &str, line: usize, what: String) -> Finding {
    let mend = format!("link the item, or the whole address: {REPOSITORY}blob/main/…");
    Finding::new(path, what, mend).at(line)
}

/// An address in this repository, of a file that is not there.
fn leads_nowhere(tree: &Tree, path: &str, line: usize, text: &str) -> Option<Finding> {
    let missing = text.split(REPOSITORY).skip(1).find_map(|rest| {
        let end = rest.find([')', '>', ' ', '`', '"']);
        missing_of(tree, &rest[..end.unwrap_or(rest.len())])
    })?;
    let what = format!("there is no {missing} in this repository");
    Some(Finding::new(path, what, "correct the address, or write the page").at(line))
}

/// What is not there of an address: the file, or the heading in it.
pub(crate) fn missing(tree: &Tree, address: &str) -> Option<String> {
    missing_of(tree, address.strip_prefix(REPOSITORY)?)
}

fn missing_of(tree: &Tree, rest: &str) -> Option<String> {
    let target = rest
        .strip_prefix("blob/main/")
        .or_else(|| rest.strip_prefix("tree/main/"))?;
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    if file.contains('…') {
        return None;
    }
    if !tree.exists(file) {
        return Some(format!("file {file}"));
    }
    let text = tree.get(file).filter(|_| file.ends_with(".md"))?;
    let is_there = anchor.is_empty() || headings(text).any(|heading| heading == anchor);
    (!is_there).then(|| format!("heading {anchor} in {file}"))
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
        let tree = Tree::from([(path, text), ("docs/sync.md", "# X\n")]);
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
    fn a_readme_stays_in_its_package() {
        let path = "crates/a/README.md";
        assert_eq!(
            found(path, "[p](src/lib.rs), [q](https://docs.rs/x)\n"),
            [""; 0]
        );
        for link in ["[p](../b)", "[p](../../docs/sync.md)", "[p]: src/../../b"] {
            let found = found(path, link);
            assert_eq!(found.len(), 1, "{link}");
            assert!(found[0].contains("in no package"), "{found:?}");
        }
    }

    #[test]
    fn an_address_of_a_file_or_heading_that_is_not_there_fails() {
        for (address, what) in [
            ("docs/gone.md#x", "file docs/gone.md"),
            ("docs/sync.md#y", "heading y in docs/sync.md"),
        ] {
            let link = format!("[p]({REPOSITORY}blob/main/{address})");
            let expected = [format!("there is no {what} in this repository")];
            assert_eq!(found("README.md", &link), expected);
        }
    }
}
