//! The rules are on a page of the repository and in the documentation of the crate.

use std::fs;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/semantics.md");
const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rules.md");

/// Set `LATTICE_WRITE_RULES` to write the module from the page.
#[test]
fn the_crate_carries_the_rules_of_the_page() {
    let page = fs::read_to_string(PAGE).unwrap();
    let start = page.find("In the examples, `a@3`").unwrap();
    let end = page.find("\n## Scenarios").unwrap();
    let rules = &page[start..end];
    assert!(!rules.contains("]("), "no link leads out of the package");
    for rule in 1..=14 {
        assert!(rules.contains(&format!("**S{rule} ")), "S{rule} is missing");
    }
    if std::env::var_os("LATTICE_WRITE_RULES").is_some() {
        fs::write(MODULE, rules).unwrap();
    }
    assert!(
        fs::read_to_string(MODULE).unwrap_or_default() == rules,
        "src/rules.md is not what docs/semantics.md says: LATTICE_WRITE_RULES=1 cargo test -p \
         lattice-presence --test rules page"
    );
}
