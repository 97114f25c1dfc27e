//! Links between the pages lead somewhere.

use super::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.below("", ".md") {
        for (line, target) in targets(text) {
            let leads_somewhere =
                resolve(path, target).is_some_and(|resolved| tree.exists(&resolved));
            if !leads_somewhere {
                let what = format!("the link to {target} leads nowhere");
                let mend = "write the page, or correct the link; it starts from the page's folder";
                findings.push(Finding::new(path, what, mend).at(line));
            }
        }
    }
    findings
}

/// The lines and targets of links into this workspace, without their anchors.
fn targets(markdown: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_fence = false;
    markdown
        .lines()
        .enumerate()
        .filter(move |(_, line)| {
            if line.trim_start().starts_with("```") {
                in_fence = !in_fence;
            }
            !in_fence
        })
        .flat_map(|(index, line)| {
            line.split("](")
                .skip(1)
                .filter_map(move |rest| Some((index + 1, rest.split_once(')')?.0)))
        })
        .filter_map(|(line, target)| {
            let file = target.split('#').next()?;
            let is_ours = !file.is_empty() && !file.contains(':');
            is_ours.then_some((line, file))
        })
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
            ("docs/other.md", ""),
            ("LICENSE-MIT", ""),
        ]))
    }

    #[test]
    fn links_to_files_folders_anchors_and_the_web_pass() {
        for link in [
            "other.md",
            "./other.md#part",
            "../LICENSE-MIT",
            "../docs/",
            "..",
            "#part",
            "https://example.org/x",
        ] {
            assert_eq!(found(link), [], "{link}");
        }
    }

    #[test]
    fn a_link_that_leads_nowhere_fails() {
        for link in ["missing.md", "docs/other.md", "../../up.md", "othe"] {
            let findings = found(link);
            assert_eq!(findings.len(), 1, "{link}");
            assert_eq!(findings[0].line, Some(3), "{link}");
        }
    }

    #[test]
    fn code_is_not_read_for_links() {
        let page = "```\nlist[0](missing)\n```\n";
        assert_eq!(check(&Tree::from([("page.md", page)])), []);
    }
}
