//! What the checks read: texts, and what cargo says of the packages.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::workspace::{self, Package};

/// The files of the workspace: paths from its root, with `/` between parts, and
/// the texts of Rust, TOML and Markdown.
pub(crate) struct Tree {
    /// The text is empty where nothing reads it.
    files: BTreeMap<String, String>,
    packages: Vec<Package>,
}

impl Tree {
    /// Reads everything below `root` but Git's own files and what was built.
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        let mut files = BTreeMap::new();
        collect(root, "", &mut files).map_err(|error| error.to_string())?;
        let packages = workspace::packages()?;
        Ok(Self { files, packages })
    }

    /// The packages that are published.
    pub(super) fn published(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.is_published)
    }

    /// The text of one file.
    pub(super) fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether there is a file `path`, or one below it.
    pub(super) fn exists(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.keys().any(|file| file.starts_with(&folder))
    }

    /// The files below `prefix` whose names end in `suffix`, sorted by path.
    pub(super) fn below<'a>(
        &'a self,
        prefix: &'a str,
        suffix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(move |(path, _)| path.starts_with(prefix) && path.ends_with(suffix))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }
}

fn collect(directory: &Path, prefix: &str, files: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if matches!(name.as_str(), ".git" | "target" | "node_modules") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files)?;
            continue;
        }
        let is_read = [".rs", ".toml", ".md"]
            .iter()
            .any(|end| name.ends_with(end));
        let text = if is_read {
            fs::read_to_string(entry.path())?
        } else {
            String::new()
        };
        files.insert(path, text);
    }
    Ok(())
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Tree {
    fn from(files: [(&str, &str); N]) -> Self {
        let files = files
            .into_iter()
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
            .collect();
        let packages = Vec::new();
        Self { files, packages }
    }
}

#[cfg(test)]
impl Tree {
    pub(super) fn with(mut self, packages: Vec<Package>) -> Self {
        self.packages = packages;
        self
    }
}

/// A published package as cargo describes it, with these dependencies: name, kind, and
/// whether it is one of ours.
#[cfg(test)]
pub(crate) fn package(name: &str, dependencies: &[(&str, Option<&str>, bool)]) -> Package {
    let dependency = |(name, kind, is_local): &(&str, Option<&str>, bool)| {
        let path = is_local.then(|| format!("/crates/{name}"));
        serde_json::json!({"name": name, "req": "^0.1.0", "kind": kind, "path": path})
    };
    let dependencies: Vec<_> = dependencies.iter().map(dependency).collect();
    let json = serde_json::json!({
        "name": name, "version": "0.1.0", "publish": null, "rust_version": "1.89",
        "features": {}, "targets": [], "dependencies": dependencies,
    });
    Package::read(&json).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_is_read_from_its_root() {
        let tree = Tree::read(crate::shell::root()).unwrap();
        assert!(tree.get("xtask/src/tidy/tree.rs").is_some());
        assert!(tree.exists("xtask/src/tidy") && tree.exists("LICENSE-MIT"));
        assert!(!tree.exists("xtask/src/tid"));
        assert_eq!(tree.below("target/", "").count(), 0);
    }
}
