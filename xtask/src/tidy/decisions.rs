//! Every decision record is in the index, numbered once.

use std::collections::BTreeMap;

use super::{Finding, Tree};

const FOLDER: &str = "docs/decisions/";
const INDEX: &str = "docs/decisions/README.md";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut numbers: BTreeMap<&str, &str> = BTreeMap::new();
    let index = tree.get(INDEX).unwrap_or_default();
    for (path, _) in tree.below(FOLDER, ".md").filter(|(path, _)| *path != INDEX) {
        let name = &path[FOLDER.len()..];
        let number = name.split('-').next().unwrap_or_default();
        if !index.contains(&format!("]({name})")) {
            let mend = format!("link {name} in {INDEX}");
            findings.push(Finding::new(path, "the record is not in the index", mend));
        }
        if let Some(other) = numbers.insert(number, name) {
            let what = format!("{other} has the number {number} as well");
            findings.push(Finding::new(path, what, "take the next free number"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexed_records_pass() {
        let tree = Tree::from([
            (INDEX, "- [Layout](0001-layout.md)\n"),
            ("docs/decisions/0001-layout.md", ""),
        ]);
        assert_eq!(check(&tree), []);
    }

    #[test]
    fn a_record_outside_the_index_fails() {
        let tree = Tree::from([(INDEX, ""), ("docs/decisions/0001-layout.md", "")]);
        assert_eq!(check(&tree).len(), 1);
    }

    #[test]
    fn a_number_taken_twice_fails() {
        let tree = Tree::from([
            (INDEX, "[a](0001-a.md) [b](0001-b.md)"),
            ("docs/decisions/0001-a.md", ""),
            ("docs/decisions/0001-b.md", ""),
        ]);
        let found = check(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "docs/decisions/0001-b.md");
    }
}
