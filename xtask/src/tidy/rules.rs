//! Each rule of the contract is named by a test: `s2_a_second_join_replaces`.

use super::source::code_of;
use super::{Finding, Tree};

/// S1 to S14.
const RULES: usize = 14;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut tested = [false; RULES];
    for (path, text) in tree.below("crates/", ".rs") {
        if path.contains("/src/") || path.contains("/tests/") {
            mark(&code_of(text), &mut tested);
        }
    }
    (1..=RULES)
        .filter(|rule| !tested[rule - 1])
        .map(|rule| {
            Finding::new(
                "crates/lattice-presence/tests/rules/",
                format!("no test names the rule S{rule}"),
                format!("write one there whose name starts with `s{rule}_`, marked #[test]"),
            )
        })
        .collect()
}

fn mark(code: &str, tested: &mut [bool; RULES]) {
    let mut is_test = false;
    for line in code.lines().map(str::trim) {
        if let Some(rule) = rule_of(line) {
            if is_test && (1..=RULES).contains(&rule) {
                tested[rule - 1] = true;
            }
            is_test = false;
        } else if line == "#[test]" {
            is_test = true;
        } else if !line.is_empty() && !line.starts_with("#[") {
            // Other attributes may stand between the mark and its function.
            is_test = false;
        }
    }
}

/// The 2 of `fn s2_…`.
fn rule_of(line: &str) -> Option<usize> {
    let (number, _) = line.strip_prefix("fn s")?.split_once('_')?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn missing(path: &str, text: &str) -> Vec<String> {
        check(&Tree::from([(path, text)]))
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    fn tests_for(rules: impl Iterator<Item = usize>) -> String {
        let mut text = String::new();
        for rule in rules {
            writeln!(text, "#[test]\n#[ignore]\nfn s{rule}_holds() {{}}").unwrap();
        }
        text
    }

    #[test]
    fn a_test_for_each_rule_passes() {
        let all = tests_for(1..=RULES);
        assert_eq!(missing("crates/a/tests/rules.rs", &all), [""; 0]);
        assert_eq!(missing("crates/a/src/state.rs", &all), [""; 0]);
    }

    #[test]
    fn a_rule_without_a_test_fails() {
        let text = tests_for((1..=RULES).filter(|&rule| rule != 7));
        assert_eq!(
            missing("crates/a/tests/rules.rs", &text),
            ["no test names the rule S7"]
        );
    }

    #[test]
    fn only_tests_count() {
        for text in [
            "fn s1_helper() {}",
            "// #[test]\n// fn s1_once() {}",
            "#[test]\nfn other() {}\nfn s1_helper() {}",
        ] {
            assert_eq!(
                missing("crates/a/tests/rules.rs", text).len(),
                RULES,
                "{text}"
            );
        }
        let all = tests_for(1..=RULES);
        assert_eq!(missing("xtask/src/main.rs", &all).len(), RULES);
    }
}
