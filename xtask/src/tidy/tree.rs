//! The texts that the checks read.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// The files of the workspace: paths from its root, with `/` between parts, and
/// the texts of Rust, TOML and Markdown.
pub(super) struct Tree {
    /// The text is empty where nothing reads it.
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads everything below `root` but Git's own files and what was built.
    pub(super) fn read(root: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        collect(root, "", &mut files)?;
        Ok(Self { files })
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
        Self { files }
    }
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
