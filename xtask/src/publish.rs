//! Publishing, but for the upload.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{self, Outcome, PUBLISHED, cargo};

/// What cargo asks of a package, and that each crate builds from what is in its package,
/// against the packages of the crates before it. What is not committed yet is packaged,
/// too: this is about what is in a package.
pub(crate) fn publish() -> Outcome {
    forget_unpacked()?;
    forget_compiled()?;
    let mut command = cargo(["publish", "--dry-run", "--allow-dirty"]);
    for published in PUBLISHED {
        command.args(["--package", published]);
    }
    shell::run(&mut command)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn remove(folder: &Path) -> Outcome {
    fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Removes what an earlier dry run unpacked: cargo takes a package of the same version for
/// the same package, even if it comes from a registry that was made for one run.
fn forget_unpacked() -> Outcome {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let Some(home) = home else {
        return Ok(());
    };
    // A registry that lies on this machine has no host in its name.
    let is_local = |registry: &PathBuf| name_of(registry).starts_with('-');
    let registries = entries(&home.join("registry/src"));
    for registry in registries.into_iter().filter(is_local) {
        for package in entries(&registry) {
            let name = name_of(&package);
            let is_of = |ours: &&str| name.starts_with(&format!("{ours}-"));
            if PUBLISHED.iter().any(is_of) {
                remove(&package)?;
            }
        }
    }
    Ok(())
}

/// Lets cargo compile again what an earlier dry run compiled from an unpacked package.
fn forget_compiled() -> Outcome {
    let debug = shell::target_dir().join("debug");
    for info in entries(&debug.join("deps")) {
        let Some(fingerprint) = fingerprint_of(&name_of(&info)) else {
            continue;
        };
        let sources = fs::read_to_string(&info).unwrap_or_default();
        let folder = debug.join(".fingerprint").join(fingerprint);
        if is_unpacked(&sources) && folder.exists() {
            remove(&folder)?;
        }
    }
    Ok(())
}

/// The name of cargo's fingerprint, by that of the list of sources, if it is of a crate of
/// ours.
fn fingerprint_of(info: &str) -> Option<String> {
    let (name, hash) = info.strip_suffix(".d")?.rsplit_once('-')?;
    let ours = PUBLISHED
        .iter()
        .find(|ours| ours.replace('-', "_") == name)?;
    Some(format!("{ours}-{hash}"))
}

/// Whether a list of sources names those of a package in a registry of this machine.
fn is_unpacked(sources: &str) -> bool {
    sources.contains("registry/src/-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_compiled_from_a_package_of_ours_is_forgotten() {
        let of = fingerprint_of("lattice_presence_json-0a1b.d");
        assert_eq!(of.as_deref(), Some("lattice-presence-json-0a1b"));
        assert_eq!(fingerprint_of("serde_json-0a1b.d"), None);
        assert_eq!(fingerprint_of("liblattice_causal-0a1b.rlib"), None);
        assert!(is_unpacked(
            "x.d: /h/.cargo/registry/src/-9cca/lattice-causal-0.1.0/src/lib.rs"
        ));
        assert!(!is_unpacked("x.d: crates/lattice-causal/src/lib.rs"));
        assert!(!is_unpacked(
            "x.d: /h/.cargo/registry/src/host-1949/serde-1.0.0/src/lib.rs"
        ));
    }
}
