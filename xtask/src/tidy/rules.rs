//! Each rule of the contract is named by a test, `s2_a_second_join_replaces`, and
//! the tests that the pages name exist.

use std::collections::BTreeSet;

use super::{Finding, Tree};

/// A family of rules: the letter of its numbers, how many there are, and where their tests
/// are.
struct Family {
    letter: char,
    rules: usize,
    tests: &'static str,
}

/// S1 to S14, of the state, and R1 to R13, of the machine.
const FAMILIES: [Family; 2] = [
    Family {
        letter: 's',
        rules: 14,
        tests: "crates/lattice-presence/tests/rules/",
    },
    Family {
        letter: 'r',
        rules: 13,
        tests: "crates/lattice-presence-sync/tests/rules/",
    },
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut tests = BTreeSet::new();
    for (path, text) in tree.below("crates/", ".rs") {
        if path.contains("/src/") || path.contains("/tests/") {
            collect(text, &mut tests);
        }
    }
    let mut findings = untested(&tests);
    findings.extend(misnamed(tree, &tests));
    findings
}

fn untested(tests: &BTreeSet<String>) -> Vec<Finding> {
    let tested: BTreeSet<_> = tests.iter().filter_map(|name| rule_of(name)).collect();
    let all = FAMILIES
        .iter()
        .flat_map(|family| (1..=family.rules).map(move |rule| (family, rule)));
    all.filter(|(family, rule)| !tested.contains(&(family.letter, *rule)))
        .map(|(family, rule)| {
            let letter = family.letter;
            Finding::new(
                family.tests,
                format!("no test names the rule {}{rule}", letter.to_uppercase()),
                format!("write one there whose name starts with `{letter}{rule}_`, marked #[test]"),
            )
        })
        .collect()
}

/// Names like `s2_…` in back quotes, in a page, of which there is no test.
fn misnamed(tree: &Tree, tests: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.below("", ".md") {
        for (index, line) in text.lines().enumerate() {
            let quoted = line.split('`').skip(1).step_by(2);
            let is_one = |name: &&str| {
                let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
                rule_of(name).is_some() && name.chars().all(is_word) && !name.ends_with('_')
            };
            for name in quoted.filter(is_one).filter(|name| !tests.contains(*name)) {
                let what = format!("there is no test `{name}`");
                let mend = "write the name that the test has now";
                findings.push(Finding::new(path, what, mend).at(index + 1));
            }
        }
    }
    findings
}

/// The names of the tests that run and whose names start with a rule.
fn collect(code: &str, tests: &mut BTreeSet<String>) {
    let (mut is_test, mut is_ignored) = (false, false);
    for line in code.lines().map(str::trim) {
        let function = line
            .strip_prefix("fn ")
            .and_then(|rest| rest.split('(').next());
        if let Some(name) = function.filter(|name| rule_of(name).is_some()) {
            if is_test && !is_ignored {
                tests.insert(name.to_owned());
            }
            (is_test, is_ignored) = (false, false);
        } else if line == "#[test]" {
            is_test = true;
        } else if line.starts_with("#[") {
            // Other attributes may stand before and behind the mark.
            is_ignored |= line.contains("ignore");
        } else if !line.is_empty() {
            (is_test, is_ignored) = (false, false);
        }
    }
}

/// The letter and the 2 of `s2_…`.
fn rule_of(name: &str) -> Option<(char, usize)> {
    let mut letters = name.chars();
    let letter = letters.next()?;
    let is_one = FAMILIES.iter().any(|family| family.letter == letter);
    let (number, _) = letters.as_str().split_once('_').filter(|_| is_one)?;
    Some((letter, number.parse().ok()?))
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

    /// How many rules there are, of all families.
    const RULES: usize = FAMILIES[0].rules + FAMILIES[1].rules;

    /// A test for each rule but those of `except`.
    fn tests_for(except: &[&str]) -> String {
        let mut text = String::new();
        for Family { letter, rules, .. } in FAMILIES {
            for rule in (1..=rules).map(|rule| format!("{letter}{rule}")) {
                if !except.contains(&rule.as_str()) {
                    writeln!(text, "#[test]\n#[should_panic]\nfn {rule}_holds() {{}}").unwrap();
                }
            }
        }
        text
    }

    #[test]
    fn a_test_for_each_rule_passes() {
        let all = tests_for(&[]);
        assert_eq!(missing("crates/a/tests/rules.rs", &all), [""; 0]);
        assert_eq!(missing("crates/a/src/state.rs", &all), [""; 0]);
    }

    #[test]
    fn a_rule_without_a_test_fails() {
        let text = tests_for(&["s7", "r13"]);
        assert_eq!(
            missing("crates/a/tests/rules.rs", &text),
            ["no test names the rule S7", "no test names the rule R13"]
        );
    }

    #[test]
    fn a_page_that_names_no_test_fails() {
        let all = tests_for(&[]);
        let found = |page| {
            let files = [
                ("crates/a/tests/rules.rs", all.as_str()),
                ("docs/a.md", page),
            ];
            check(&Tree::from(files))
        };
        assert_eq!(found("`s3_holds`, `s3_`, `s3_…`, `s9` and `state_of`"), []);
        let findings = found("\n`s3_holds` and `s3_is_held`\n");
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, Some(2));
        assert!(findings[0].what.contains("s3_is_held"), "{}", findings[0]);
    }

    #[test]
    fn only_tests_count() {
        for text in [
            "fn s1_helper() {}",
            "// #[test]\n// fn s1_once() {}",
            "#[test]\nfn other() {}\nfn s1_helper() {}",
            "#[test]\n#[ignore]\nfn s1_holds() {}",
            "#[ignore = \"slow\"]\n#[test]\nfn s1_holds() {}",
            "#[test]\n#[cfg_attr(miri, ignore)]\nfn s1_holds() {}",
        ] {
            assert_eq!(
                missing("crates/a/tests/rules.rs", text).len(),
                RULES,
                "{text}"
            );
        }
        let all = tests_for(&[]);
        assert_eq!(missing("xtask/src/main.rs", &all).len(), RULES);
    }
}
