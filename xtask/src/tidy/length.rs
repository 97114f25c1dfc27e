//! Files stay short enough to be read in one sitting.
//!
//! CONTRIBUTING.md owns the limit, in the heading of the section that lists the
//! exceptions with their reasons.

use std::collections::BTreeMap;

use super::{Finding, Tree};

const CONTRIBUTING: &str = "CONTRIBUTING.md";
const HEADING: &str = "### Files longer than ";

/// What CONTRIBUTING says.
struct Policy<'a> {
    limit: usize,
    /// Path → (reason, line).
    exceptions: BTreeMap<&'a str, (&'a str, usize)>,
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(policy) = tree.get(CONTRIBUTING).and_then(policy) else {
        return vec![Finding::new(
            CONTRIBUTING,
            format!("no section `{HEADING}N lines`"),
            "name the limit there, and the exceptions as a table `| file | reason |`",
        )];
    };
    let mut findings = too_long(tree, &policy);
    findings.extend(idle_exceptions(tree, &policy));
    findings
}

fn too_long(tree: &Tree, policy: &Policy<'_>) -> Vec<Finding> {
    let limit = policy.limit;
    tree.below("", ".rs")
        .filter(|(path, _)| !policy.exceptions.contains_key(path))
        .map(|(path, text)| (path, length(path, text)))
        .filter(|&(_, lines)| lines > limit)
        .map(|(path, lines)| {
            Finding::new(
                path,
                format!("{lines} lines without tests, the limit is {limit}"),
                format!("split it by concept, or list it with a reason in {CONTRIBUTING}"),
            )
        })
        .collect()
}

fn idle_exceptions(tree: &Tree, policy: &Policy<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (&path, &(reason, line)) in &policy.exceptions {
        let long = tree
            .get(path)
            .is_some_and(|text| length(path, text) > policy.limit);
        if !long {
            let what = format!("{path} is listed as long, and is not");
            findings.push(Finding::new(CONTRIBUTING, what, "remove the row").at(line));
        } else if reason.is_empty() {
            let what = format!("{path} is listed without a reason");
            findings.push(Finding::new(CONTRIBUTING, what, "say why it stays whole").at(line));
        }
    }
    findings
}

fn length(path: &str, text: &str) -> usize {
    if path.starts_with("tests/") || path.contains("/tests/") {
        return text.lines().count();
    }
    let lines: Vec<&str> = text.lines().collect();
    before_tests(&lines).unwrap_or(lines.len())
}

/// How many lines there are before a `#[cfg(test)] mod tests { … }` that ends the file, as
/// `rustfmt` writes it.
fn before_tests(lines: &[&str]) -> Option<usize> {
    let start = lines.iter().rposition(|line| *line == "#[cfg(test)]")?;
    // Other attributes may stand between the `cfg` and the module.
    let mut module = lines[start..]
        .iter()
        .skip_while(|line| **line != "mod tests {");
    let ends_with_it = module.any(|line| *line == "}") && module.next().is_none();
    ends_with_it.then_some(start)
}

fn policy(contributing: &str) -> Option<Policy<'_>> {
    let mut lines = contributing.lines().enumerate();
    let limit = lines.find_map(|(_, line)| {
        let rest = line.strip_prefix(HEADING)?;
        rest.split_whitespace().next()?.parse().ok()
    })?;
    let exceptions = lines
        .take_while(|(_, line)| !line.starts_with('#'))
        .filter_map(|(index, line)| {
            let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
            let path = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
            Some((path, (cells.next()?, index + 1)))
        })
        .collect();
    Some(Policy { limit, exceptions })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(rows: &str, path: &str, text: &str) -> Vec<Finding> {
        let contributing =
            format!("# x\n\n{HEADING}3 lines\n\n| file | reason |\n|---|---|\n{rows}\n## y\n");
        check(&Tree::from([
            (CONTRIBUTING, contributing.as_str()),
            (path, text),
        ]))
    }

    const LONG: &str = "a\nb\nc\nd\n";

    #[test]
    fn a_short_file_passes() {
        assert_eq!(with("", "crates/a/src/b.rs", "a\nb\nc\n"), []);
    }

    #[test]
    fn a_test_module_at_the_end_does_not_count() {
        let text = "a\nb\nc\n#[cfg(test)]\nmod tests {\n    d\n}\n";
        assert_eq!(with("", "crates/a/src/b.rs", text), []);
        assert_eq!(with("", "crates/a/tests/b.rs", text).len(), 1);
        let followed = format!("{text}e\n");
        assert_eq!(with("", "crates/a/src/b.rs", &followed).len(), 1);
        let elsewhere = "a\nb\nc\n#[cfg(test)]\nmod tests;\n";
        assert_eq!(with("", "crates/a/src/b.rs", elsewhere).len(), 1);
    }

    #[test]
    fn a_long_file_fails_unless_listed_with_a_reason() {
        let found = with("", "crates/a/src/b.rs", LONG);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("4 lines"), "{}", found[0]);

        let listed = "| `crates/a/src/b.rs` | one table |";
        assert_eq!(with(listed, "crates/a/src/b.rs", LONG), []);

        let found = with("| `crates/a/src/b.rs` | |", "crates/a/src/b.rs", LONG);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("without a reason"), "{}", found[0]);
    }

    #[test]
    fn an_exception_that_nobody_needs_fails() {
        let found = with(
            "| `crates/a/src/b.rs` | one table |",
            "crates/a/src/b.rs",
            "a\n",
        );
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(7));
        assert_eq!(found[0].mend, "remove the row");
    }

    #[test]
    fn a_contributing_without_the_section_fails() {
        assert_eq!(check(&Tree::from([(CONTRIBUTING, "# x\n")])).len(), 1);
        assert_eq!(check(&Tree::from([])).len(), 1);
    }
}
