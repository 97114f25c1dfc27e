//! The crates and the change log speak of the same version.

use super::manifest::value;
use super::{Finding, Tree};

const CHANGELOG: &str = "CHANGELOG.md";
const MANIFEST: &str = "Cargo.toml";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let manifest = tree.get(MANIFEST).unwrap_or_default();
    let Some(version) = value(manifest, "workspace.package", "version") else {
        return vec![Finding::new(
            MANIFEST,
            "[workspace.package] has no version",
            "give it the version that all crates share",
        )];
    };
    let top = tree.get(CHANGELOG).and_then(top_version);
    if top != Some(&version) {
        findings.push(Finding::new(
            CHANGELOG,
            format!(
                "the top version is {}, the crates are {version}",
                top.unwrap_or("missing")
            ),
            format!("head the newest section `## [{version}] - DATE`, or raise the crates"),
        ));
    }
    findings.extend(own_versions(tree));
    findings.extend(stale_requirements(manifest, &version));
    findings
}

/// The first released version: `## [0.1.0] - 2026-01-31`.
fn top_version(changelog: &str) -> Option<&str> {
    changelog
        .lines()
        .filter_map(|line| line.strip_prefix("## [")?.split(']').next())
        .find(|version| !version.eq_ignore_ascii_case("unreleased"))
}

/// Published crates that do not inherit the version.
fn own_versions(tree: &Tree) -> Vec<Finding> {
    tree.below("crates/", "/Cargo.toml")
        .filter(|(_, text)| value(text, "package", "version").as_deref() != Some("true"))
        .map(|(path, _)| {
            Finding::new(
                path,
                "the crate has a version of its own",
                "write `version.workspace = true`",
            )
        })
        .collect()
}

/// Members depend on each other by the version they have.
fn stale_requirements(manifest: &str, version: &str) -> Vec<Finding> {
    let required = format!("version = \"{version}\"");
    manifest
        .lines()
        .enumerate()
        .filter(|(_, line)| line.contains("path = \"crates/") && !line.contains(&required))
        .map(|(index, _)| {
            Finding::new(
                MANIFEST,
                "a member is required in another version than it has",
                format!("write `{required}`"),
            )
            .at(index + 1)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "[workspace.package]\nversion = \"0.2.0\"\n\
        [workspace.dependencies]\na = { path = \"crates/a\", version = \"0.2.0\" }\n";
    const MEMBER: &str = "[package]\nname = \"a\"\nversion.workspace = true\n";
    const LOG: &str = "# Changes\n\n## [Unreleased]\n\n## [0.2.0] - 2026-01-31\n\n## [0.1.0]\n";

    fn found(root: &str, member: &str, log: &str) -> Vec<Finding> {
        check(&Tree::from([
            (MANIFEST, root),
            ("crates/a/Cargo.toml", member),
            (CHANGELOG, log),
        ]))
    }

    #[test]
    fn one_version_everywhere_passes() {
        assert_eq!(found(ROOT, MEMBER, LOG), []);
    }

    #[test]
    fn a_change_log_that_is_behind_or_missing_fails() {
        let behind = found(ROOT, MEMBER, "## [0.1.0]\n");
        assert_eq!(behind.len(), 1);
        assert!(behind[0].what.contains("0.1.0"), "{}", behind[0]);
        assert_eq!(found(ROOT, MEMBER, "# Changes\n").len(), 1);
    }

    #[test]
    fn a_crate_with_its_own_version_fails() {
        let own = MEMBER.replace("version.workspace = true", "version = \"0.3.0\"");
        assert_eq!(found(ROOT, &own, LOG)[0].path, "crates/a/Cargo.toml");
    }

    #[test]
    fn a_stale_requirement_between_members_fails() {
        let stale = ROOT.replace(
            "crates/a\", version = \"0.2.0\"",
            "crates/a\", version = \"0.1.0\"",
        );
        let findings = found(&stale, MEMBER, LOG);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, Some(4));
    }

    #[test]
    fn a_workspace_without_a_version_fails() {
        assert_eq!(found("[workspace]\n", MEMBER, LOG)[0].path, MANIFEST);
    }
}
