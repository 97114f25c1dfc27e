//! Links between the pages lead somewhere, down to the heading, and the files that pages
//! name exist.

use super::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.below("", ".md") {
        for (line, target) in targets(text) {
            if !leads_somewhere(tree, path, text, target) {
                let what = format!("the link to {target} leads nowhere");
                let mend = "write the page, or correct the link; it starts from the page's folder";
                findings.push(Finding::new(path, what, mend).at(line));
            }
        }
        for (line, name) in sources(text) {
            if !is_a_source(tree, name) {
                let what = format!("there is no file `{name}`");
                let mend = "write the name that the file has now, with its folder or without";
                findings.push(Finding::new(path, what, mend).at(line));
            }
        }
    }
    findings
}

/// The lines and names of Rust files in back quotes.
fn sources(markdown: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-/.".contains(c);
    markdown.lines().enumerate().flat_map(move |(index, line)| {
        let quoted = line.split('`').skip(1).step_by(2);
        quoted
            .filter(move |name| name.ends_with(".rs") && name.chars().all(is_part))
            .map(move |name| (index + 1, name))
    })
}

fn is_a_source(tree: &Tree, name: &str) -> bool {
    let below = format!("/{name}");
    tree.below("", ".rs")
        .any(|(path, _)| path == name || path.ends_with(&below))
}

/// Whether there is the file, and in it the heading, if the link names one.
fn leads_somewhere(tree: &Tree, page: &str, text: &str, target: &str) -> bool {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let Some(resolved) = resolve(page, file) else {
        return false;
    };
    let of = if file.is_empty() {
        Some(text)
    } else if tree.exists(&resolved) {
        tree.get(&resolved)
    } else {
        return false;
    };
    let is_page = file.is_empty() || file.ends_with(".md");
    anchor.is_empty() || !is_page || of.is_some_and(|of| headings(of).any(|one| one == anchor))
}

/// The anchors of a page's headings, as GitHub makes them.
pub(super) fn headings(markdown: &str) -> impl Iterator<Item = String> {
    let heads = outside_code(markdown).filter(|(_, line)| line.starts_with('#'));
    heads.map(|(_, line)| {
        let title = line.trim_start_matches('#').trim();
        let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
        let slug = title.chars().filter(kept).flat_map(char::to_lowercase);
        slug.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

/// The lines that are no code, counted from 0.
fn outside_code(markdown: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_fence = false;
    markdown.lines().enumerate().filter(move |(_, line)| {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        }
        !in_fence
    })
}

/// The lines and targets of links into this workspace.
fn targets(markdown: &str) -> impl Iterator<Item = (usize, &str)> {
    outside_code(markdown)
        .flat_map(|(index, line)| {
            line.split("](")
                .skip(1)
                .filter_map(move |rest| Some((index + 1, rest.split_once(')')?.0)))
        })
        .filter(|(_, target)| !target.split('#').next().unwrap_or_default().contains(':'))
}

/// The path from the root; `None` where the link climbs above it.
fn resolve(page: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(link: &str) -> Vec<Finding> {
        let page = format!("# Page\n\nSee [this]({link}).\n");
        check(&Tree::from([
            ("docs/page.md", page.as_str()),
            (
                "docs/other.md",
                "## A `part`, of it\n```\n# no heading\n```\n",
            ),
            ("LICENSE-MIT", ""),
        ]))
    }

    #[test]
    fn links_to_files_folders_anchors_and_the_web_pass() {
        for link in [
            "other.md",
            "./other.md#a-part-of-it",
            "../LICENSE-MIT",
            "../docs/",
            "..",
            "#page",
            "https://example.org/x",
        ] {
            assert_eq!(found(link), [], "{link}");
        }
    }

    #[test]
    fn a_link_that_leads_nowhere_fails() {
        let links = ["missing.md", "docs/other.md", "../../up.md", "othe"];
        for link in links.into_iter().chain(["other.md#no-heading", "#part"]) {
            let findings = found(link);
            assert_eq!(findings.len(), 1, "{link}");
            assert_eq!(findings[0].line, Some(3), "{link}");
        }
    }

    #[test]
    fn a_page_that_names_no_file_fails() {
        let found = |page| check(&Tree::from([("a/src/merge.rs", ""), ("page.md", page)]));
        assert_eq!(
            found("`merge.rs`, `src/merge.rs`, `a/src/merge.rs`, `x.RS`"),
            []
        );
        let findings = found("\n`merge.rs`, `erge.rs`, `b/merge.rs`\n");
        let named: Vec<&str> = findings.iter().map(|finding| &*finding.what).collect();
        assert_eq!(
            named,
            [
                "there is no file `erge.rs`",
                "there is no file `b/merge.rs`"
            ]
        );
        assert_eq!(findings[0].line, Some(2));
    }

    #[test]
    fn code_is_not_read_for_links() {
        let page = "```\nlist[0](missing)\n```\n";
        assert_eq!(check(&Tree::from([("page.md", page)])), []);
    }
}
