//! Whether the licence of every crate in the tree is one that `deny.toml` allows.
//!
//! `cargo deny check` looks at the texts of licences, too, where it is installed.
//! This one needs nothing but cargo, and says the same of what manifests declare.

use std::collections::{BTreeMap, BTreeSet};

use crate::shell::{self, Outcome, cargo};

pub(crate) fn run() -> Outcome {
    let path = shell::root().join("deny.toml");
    let deny = std::fs::read_to_string(&path).map_err(|error| format!("deny.toml: {error}"))?;
    let policy = Policy::read(&deny)?;
    // Without `--target all`: what other systems need is not downloaded for that.
    let mut tree = cargo(["tree", "--workspace", "--all-features", "--locked"]);
    tree.args(["--edges", "all", "--prefix", "none", "--format", "{p}|{l}"]);
    let tree = shell::output(&mut tree)?;
    let count = policy.check(&tree)?;
    println!("{count} crates, each under a licence that deny.toml allows");
    Ok(())
}

/// What `deny.toml` says of licences.
#[derive(Debug, Default, PartialEq)]
struct Policy {
    allowed: BTreeSet<String>,
    /// By crate: what it alone may have besides.
    exceptions: BTreeMap<String, BTreeSet<String>>,
}

impl Policy {
    /// Reads the sections that matter, one key a line.
    fn read(deny: &str) -> Result<Self, String> {
        let (mut policy, mut section, mut of) = (Self::default(), "", "");
        for line in deny.lines().map(str::trim) {
            if line.starts_with('[') {
                (section, of) = (line, "");
            } else if let Some(name) = line.strip_prefix("crate = ") {
                of = name.trim_matches('"');
            } else if let Some(list) = line.strip_prefix("allow = ") {
                let names = list.split('"').skip(1).step_by(2).map(str::to_owned);
                match section {
                    "[licenses]" => policy.allowed = names.collect(),
                    "[[licenses.exceptions]]" => {
                        policy.exceptions.insert(of.to_owned(), names.collect());
                    }
                    _ => {}
                }
            }
        }
        let is_empty = policy.allowed.is_empty() || policy.exceptions.contains_key("");
        (!is_empty)
            .then_some(policy)
            .ok_or_else(|| "deny.toml: its licences are written in another way".into())
    }

    /// How many crates there are; or those whose licence is not allowed.
    fn check(&self, tree: &str) -> Result<usize, String> {
        let (mut crates, mut refused) = (BTreeSet::new(), BTreeSet::new());
        for line in tree.lines() {
            let line = line.trim_end_matches(" (*)");
            let Some((package, licence)) = line.split_once('|') else {
                continue;
            };
            let name = package.split(' ').next().unwrap_or_default();
            if !crates.insert(package.to_owned()) {
                continue;
            }
            let none = BTreeSet::new();
            let besides = self.exceptions.get(name).unwrap_or(&none);
            let allows = |one: &str| self.allowed.contains(one) || besides.contains(one);
            if !is_allowed(licence, &allows) {
                refused.insert(format!("{name}: `{licence}`"));
            }
        }
        if refused.is_empty() {
            return Ok(crates.len());
        }
        let refused: Vec<String> = refused.into_iter().collect();
        Err(format!("not allowed by deny.toml: {}", refused.join(", ")))
    }
}

/// Whether an SPDX expression can be met: `OR`, `AND`, brackets, and `/` as it was once
/// written for `OR`.
fn is_allowed(expression: &str, allows: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ")
        // One word: an exception belongs to its licence.
        .replace(" WITH ", "+WITH+");
    let words: Vec<String> = spaced
        .split_whitespace()
        .map(|word| word.replace("+WITH+", " WITH "))
        .collect();
    let mut at = 0;
    let met = either(&words, &mut at, allows);
    met && at == words.len()
}

fn either(words: &[String], at: &mut usize, allows: &dyn Fn(&str) -> bool) -> bool {
    let mut met = both(words, at, allows);
    while words.get(*at).is_some_and(|word| word == "OR") {
        *at += 1;
        met |= both(words, at, allows);
    }
    met
}

fn both(words: &[String], at: &mut usize, allows: &dyn Fn(&str) -> bool) -> bool {
    let mut met = one(words, at, allows);
    while words.get(*at).is_some_and(|word| word == "AND") {
        *at += 1;
        met &= one(words, at, allows);
    }
    met
}

fn one(words: &[String], at: &mut usize, allows: &dyn Fn(&str) -> bool) -> bool {
    let Some(word) = words.get(*at) else {
        return false;
    };
    *at += 1;
    if word != "(" {
        return allows(word);
    }
    let met = either(words, at, allows);
    let is_closed = words.get(*at).is_some_and(|word| word == ")");
    *at += 1;
    met && is_closed
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str = "[licenses]\nallow = [\"MIT\", \"Zlib\"]\n\n[[licenses.exceptions]]\n\
                        crate = \"odd\"\nallow = [\"ISC\"]\n\n[bans]\nallow = [\"GPL-3.0\"]\n";

    #[test]
    fn expressions_are_met_as_spdx_says() {
        let allows = |one: &str| ["MIT", "Zlib", "A WITH B"].contains(&one);
        for met in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/Apache-2.0",
            "MIT AND Zlib",
            "(ISC OR MIT) AND Zlib",
            "ISC AND X OR MIT",
            "A WITH B",
        ] {
            assert!(is_allowed(met, &allows), "{met}");
        }
        for not in [
            "",
            "ISC",
            "MIT AND ISC",
            "MIT AND (ISC OR X)",
            "A",
            "MIT WITH B",
            "(MIT",
            "MIT)",
            "MIT Zlib",
        ] {
            assert!(!is_allowed(not, &allows), "{not}");
        }
    }

    #[test]
    fn a_crate_under_another_licence_is_named() {
        let policy = Policy::read(DENY).unwrap();
        assert_eq!(policy.check("a v1.0.0|MIT\nodd v2.0.0|ISC (*)\n"), Ok(2));
        let refused = policy.check("a v1.0.0|MIT\nb v1.0.0|ISC\nc v1.0.0|\nd v1.0.0|GPL-3.0\n");
        let expected = "not allowed by deny.toml: b: `ISC`, c: ``, d: `GPL-3.0`";
        assert_eq!(refused, Err(expected.into()));
    }

    #[test]
    fn a_deny_toml_that_is_written_otherwise_is_no_permission() {
        assert!(Policy::read("").is_err());
        let inline = "[licenses]\nallow = [\"MIT\"]\n[[licenses.exceptions]]\nallow = [\"X\"]\n";
        assert!(Policy::read(inline).is_err());
    }

    #[test]
    fn ours_can_be_read() {
        let deny = std::fs::read_to_string(shell::root().join("deny.toml")).unwrap();
        let policy = Policy::read(&deny).unwrap();
        assert!(policy.allowed.contains("Apache-2.0") && policy.exceptions.len() > 5);
    }
}
