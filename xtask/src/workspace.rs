//! What cargo says of packages: `cargo metadata`.

use serde_json::Value;

use crate::shell::{self, cargo};

/// One package of a workspace.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) rust_version: Option<String>,
    pub(crate) is_published: bool,
    pub(crate) features: Vec<String>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) benches: Vec<String>,
    /// What stands under `[package.metadata.docs.rs]`, or null.
    pub(crate) docs_rs: Value,
}

/// One line of a dependency table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dependency {
    /// Of the package, whatever it is called in code.
    pub(crate) name: String,
    /// As cargo writes it: `^0.1.0`.
    pub(crate) requirement: String,
    /// Whether only tests, benches and examples use it.
    pub(crate) is_for_tests: bool,
    /// Whether it lies in this repository.
    pub(crate) is_local: bool,
}

/// The packages of this workspace.
pub(crate) fn packages() -> Result<Vec<Package>, String> {
    let mut metadata = cargo(["metadata", "--format-version", "1", "--no-deps"]);
    read(&shell::output(&mut metadata)?)
}

/// The packages that `cargo metadata` lists in `json`.
fn read(json: &str) -> Result<Vec<Package>, String> {
    let failure = |what: &str| format!("cargo metadata: {what}");
    let json: Value = serde_json::from_str(json).map_err(|error| failure(&error.to_string()))?;
    let packages = json["packages"].as_array();
    let packages = packages.ok_or_else(|| failure("it lists no packages"))?;
    packages
        .iter()
        .map(|package| Package::read(package).ok_or_else(|| failure(&format!("read {package}"))))
        .collect()
}

impl Package {
    /// `None` if something is missing that cargo always writes.
    pub(crate) fn read(json: &Value) -> Option<Self> {
        let dependencies = json["dependencies"].as_array()?;
        let targets = json["targets"].as_array()?;
        let is_bench = |target: &&Value| target["kind"][0] == "bench";
        Some(Self {
            name: text(&json["name"])?,
            version: text(&json["version"])?,
            rust_version: text(&json["rust_version"]),
            // Null is "wherever you like", a list names registries.
            is_published: json["publish"].as_array().is_none_or(|to| !to.is_empty()),
            features: json["features"].as_object()?.keys().cloned().collect(),
            dependencies: dependencies
                .iter()
                .map(Dependency::read)
                .collect::<Option<_>>()?,
            benches: targets
                .iter()
                .filter(is_bench)
                .map(|bench| text(&bench["name"]))
                .collect::<Option<_>>()?,
            docs_rs: json["metadata"]["docs"]["rs"].clone(),
        })
    }
}

impl Dependency {
    fn read(json: &Value) -> Option<Self> {
        Some(Self {
            name: text(&json["name"])?,
            requirement: text(&json["req"])?,
            is_for_tests: json["kind"] == "dev",
            is_local: json["path"].is_string(),
        })
    }
}

fn text(json: &Value) -> Option<String> {
    json.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::PUBLISHED;

    #[test]
    fn this_workspace_is_what_its_manifests_say() {
        let packages = packages().unwrap();
        let named = |name: &str| {
            packages
                .iter()
                .find(|package| package.name == name)
                .unwrap()
        };
        for name in PUBLISHED {
            assert!(named(name).is_published, "{name}");
        }
        let presence = named("lattice-presence");
        assert_eq!(presence.features, ["default", "serde", "uuid"]);
        let of = |name: &str| {
            presence
                .dependencies
                .iter()
                .find(|one| one.name == name)
                .unwrap()
        };
        assert!(of("lattice-causal").is_local && !of("lattice-causal").is_for_tests);
        assert!(of("quickcheck").is_for_tests && !of("quickcheck").is_local);
        assert_eq!(
            of("lattice-causal").requirement,
            format!("^{}", presence.version)
        );
        assert!(
            named("lattice-benches")
                .benches
                .contains(&"codec".to_owned())
        );
        assert!(!named("xtask").is_published && named("xtask").rust_version.is_some());
    }

    #[test]
    fn what_cargo_never_prints_is_refused() {
        for json in ["", "{}", r#"{"packages":[{"name":"a"}]}"#] {
            assert!(
                read(json).unwrap_err().starts_with("cargo metadata: "),
                "{json}"
            );
        }
        assert_eq!(read(r#"{"packages":[]}"#), Ok(vec![]));
    }
}
