//! The crates, what they ask of each other, and the change log speak of the same version.
//!
//! Cargo refuses a requirement that no member meets, but not one that is older than what the
//! members were built and tested with.

use super::{Finding, Tree};

const CHANGELOG: &str = "CHANGELOG.md";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let top = tree.get(CHANGELOG).and_then(top_version);
    let Some(version) = top else {
        let mend = "head the newest section `## [VERSION] - DATE`";
        return vec![Finding::new(CHANGELOG, "no section has a version", mend)];
    };
    let mut findings = Vec::new();
    for package in tree.published() {
        let path = format!("crates/{}/Cargo.toml", package.name);
        if package.version != version {
            let what = format!(
                "the crate is {}, the change log is at {version}",
                package.version
            );
            let mend = "write `version.workspace = true`, and a section for the version of all";
            findings.push(Finding::new(&path, what, mend));
        }
        let required = format!("^{version}");
        let of_ours = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.is_local);
        for dependency in of_ours.filter(|dependency| dependency.requirement != required) {
            let what = format!(
                "{} is required as {}",
                dependency.name, dependency.requirement
            );
            let mend = format!("write `version = \"{version}\"` in the manifest of the workspace");
            findings.push(Finding::new(&path, what, mend));
        }
    }
    findings
}

/// The first released version: `## [0.1.0] - 2026-01-31`.
fn top_version(changelog: &str) -> Option<&str> {
    changelog
        .lines()
        .filter_map(|line| line.strip_prefix("## [")?.split(']').next())
        .find(|version| !version.eq_ignore_ascii_case("unreleased"))
}

#[cfg(test)]
mod tests {
    use super::super::tree::package;
    use super::*;

    const LOG: &str = "# Changes\n\n## [Unreleased]\n\n## [0.1.0] - 2026-01-31\n\n## [0.0.9]\n";

    fn found(log: &str, version: &str, required: &str) -> Vec<Finding> {
        let mut one = package("a", &[("b", None, true), ("serde", None, false)]);
        one.version = version.into();
        one.dependencies[0].requirement = required.into();
        check(&Tree::from([(CHANGELOG, log)]).with(vec![one]))
    }

    #[test]
    fn one_version_everywhere_passes() {
        assert_eq!(found(LOG, "0.1.0", "^0.1.0"), []);
    }

    #[test]
    fn a_change_log_that_is_behind_or_missing_fails() {
        let behind = found(&LOG.replace("0.1.0", "0.0.9"), "0.1.0", "^0.0.9");
        assert_eq!(behind.len(), 1);
        assert!(behind[0].what.contains("0.0.9"), "{}", behind[0]);
        assert_eq!(found("# Changes\n", "0.1.0", "^0.1.0")[0].path, CHANGELOG);
    }

    #[test]
    fn a_crate_with_its_own_version_fails() {
        let found = found(LOG, "0.3.0", "^0.1.0");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "crates/a/Cargo.toml");
    }

    #[test]
    fn a_stale_requirement_between_members_fails() {
        let found = found(LOG, "0.1.0", "^0.0.9");
        assert_eq!(found.len(), 1);
        assert!(
            found[0].what.contains("b is required as ^0.0.9"),
            "{}",
            found[0]
        );
    }
}
