//! Reading `Cargo.toml`: the tables and keys that the tasks need, line by line.
//!
//! It understands what this workspace writes (a key per line, single-line
//! headers) and needs no TOML crate for it.

/// Which table a dependency stands in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Normal,
    Development,
    Build,
}

const TABLES: [(&str, Kind); 3] = [
    ("dependencies", Kind::Normal),
    ("dev-dependencies", Kind::Development),
    ("build-dependencies", Kind::Build),
];

/// One dependency, by the name of the package it is.
#[derive(Debug, PartialEq)]
pub(crate) struct Dependency<'a> {
    pub(crate) kind: Kind,
    pub(crate) name: &'a str,
    /// Counted from one.
    pub(crate) line: usize,
}

/// Every dependency of a manifest, those of targets included.
pub(crate) fn dependencies(manifest: &str) -> Vec<Dependency<'_>> {
    let mut found: Vec<Dependency<'_>> = Vec::new();
    for setting in settings(manifest) {
        let Some((kind, named)) = dependency_table(setting.table) else {
            continue;
        };
        let renamed = package_of(&setting);
        let name = renamed.or(named).unwrap_or(setting.key);
        if named.is_some() && renamed.is_none() && found.last().is_some_and(|d| d.name == name) {
            continue; // another key of the same `[dependencies.name]`
        }
        found.push(Dependency {
            kind,
            name,
            line: setting.line,
        });
    }
    found
}

/// The string or word under `key` in `[table]`.
pub(crate) fn value(manifest: &str, table: &str, key: &str) -> Option<String> {
    settings(manifest)
        .find(|setting| setting.table == table && setting.key == key)
        .map(|setting| setting.value.trim_matches('"').to_owned())
}

/// The keys of `[table]`, in order.
pub(crate) fn keys(manifest: &str, table: &str) -> Vec<String> {
    settings(manifest)
        .filter(|setting| setting.table == table)
        .map(|setting| setting.key.to_owned())
        .collect()
}

struct Setting<'a> {
    table: &'a str,
    /// Up to the first dot: `serde` of `serde.workspace = true`.
    key: &'a str,
    value: &'a str,
    line: usize,
}

fn settings(manifest: &str) -> impl Iterator<Item = Setting<'_>> {
    let mut table = "";
    manifest
        .lines()
        .enumerate()
        .filter_map(move |(index, line)| {
            let line_number = index + 1;
            if let Some(header) = line.strip_prefix('[') {
                table = header.split(']').next().unwrap_or_default().trim();
                return None;
            }
            // Continued values are indented, or start with a bracket or a quote.
            if !line.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
                return None;
            }
            let (key, value) = line.split_once('=')?;
            Some(Setting {
                table,
                key: key.split('.').next().unwrap_or_default().trim(),
                value: value.trim(),
                line: line_number,
            })
        })
}

/// The kind of a dependency table, and the name in `[dependencies.name]`.
fn dependency_table(table: &str) -> Option<(Kind, Option<&str>)> {
    // `target.'cfg(unix)'.dependencies`: the quotes may hold dots.
    let table = match table.strip_prefix("target.") {
        Some(rest) => match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once("'.")?.1,
            None => rest.split_once('.')?.1,
        },
        None => table,
    };
    TABLES.iter().find_map(|&(name, kind)| {
        let rest = table.strip_prefix(name)?;
        if rest.is_empty() {
            return Some((kind, None));
        }
        Some((kind, Some(rest.strip_prefix('.')?.trim_matches('"'))))
    })
}

/// The real name behind a rename: `json = { package = "serde_json" }`.
fn package_of<'a>(setting: &Setting<'a>) -> Option<&'a str> {
    let value = if setting.key == "package" {
        setting.value
    } else {
        let (_, after) = setting.value.split_once("package")?;
        after.trim_start().strip_prefix('=')?
    };
    value.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(manifest: &str) -> Vec<(Kind, &str)> {
        dependencies(manifest)
            .iter()
            .map(|dependency| (dependency.kind, dependency.name))
            .collect()
    }

    #[test]
    fn dependencies_are_found_in_every_spelling() {
        let manifest = r#"
[package]
name = "x"
[dependencies]
serde.workspace = true
smallvec = { version = "1", features = [
    "union",
] }
json = { package = "serde_json", version = "1" }
[dependencies.uuid]
version = "1"
optional = true
[target.'cfg(target_os = "linux")'.dependencies]
libc = "0.2"
[dev-dependencies]
quickcheck.workspace = true
[build-dependencies]
cc = "1"
"#;
        assert_eq!(
            named(manifest),
            [
                (Kind::Normal, "serde"),
                (Kind::Normal, "smallvec"),
                (Kind::Normal, "serde_json"),
                (Kind::Normal, "uuid"),
                (Kind::Normal, "libc"),
                (Kind::Development, "quickcheck"),
                (Kind::Build, "cc"),
            ]
        );
        assert_eq!(dependencies(manifest)[0].line, 5);
    }

    #[test]
    fn features_and_workspace_tables_are_no_dependencies() {
        let manifest = "[features]\nserde = []\n[workspace.dependencies]\nserde = \"1\"\n";
        assert_eq!(named(manifest), []);
        assert_eq!(keys(manifest, "features"), ["serde"]);
        assert_eq!(
            value(manifest, "workspace.dependencies", "serde").as_deref(),
            Some("1")
        );
        assert_eq!(value(manifest, "features", "std"), None);
    }
}
