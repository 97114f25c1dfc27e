//! Edges run one way, `web → node → sync → presence → causal` and `node → json → presence`, and
//! outside stays outside.
//!
//! What is in no manifest is in no code: that the compiler says.

use crate::workspace::Package;

use super::{Finding, Tree};

/// One published crate, and what it may depend on.
struct Layer {
    name: &'static str,
    allowed: &'static [&'static str],
    /// Crates of this workspace that its tests may use besides. Those of others are free.
    tests_only: &'static [&'static str],
}

const LAYERS: [Layer; 6] = [
    Layer {
        name: "lattice-causal",
        allowed: &["quickcheck", "serde", "smallvec", "thiserror"],
        tests_only: &[],
    },
    Layer {
        name: "lattice-presence",
        allowed: &[
            "hashbrown",
            "lattice-causal",
            "serde",
            "smallvec",
            "thiserror",
            "uuid",
        ],
        tests_only: &[],
    },
    Layer {
        name: "lattice-presence-sync",
        allowed: &["lattice-presence", "thiserror"],
        // Its simulation counts the bytes of messages.
        tests_only: &["lattice-presence-json"],
    },
    Layer {
        name: "lattice-presence-json",
        allowed: &[
            "hashbrown",
            "itoa",
            "lattice-causal",
            "lattice-presence",
            "serde",
            "serde_json",
            "thiserror",
        ],
        tests_only: &[],
    },
    Layer {
        name: "lattice-presence-node",
        allowed: &[
            "async-nats",
            "bytes",
            "futures-util",
            "lattice-presence",
            "lattice-presence-json",
            "lattice-presence-sync",
            "metrics",
            "redis",
            "serde",
            "thiserror",
            "tokio",
            "tracing",
            "zenoh",
        ],
        tests_only: &[],
    },
    Layer {
        name: "lattice-presence-web",
        allowed: &[
            "axum",
            "base64",
            "bytes",
            "futures-util",
            "hyper",
            "hyper-util",
            "lattice-presence",
            "lattice-presence-json",
            "lattice-presence-node",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tokio-tungstenite",
            "tracing",
        ],
        tests_only: &[],
    },
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in tree.published() {
        match LAYERS.iter().find(|layer| layer.name == package.name) {
            Some(layer) => findings.extend(undecided(package, layer)),
            None => findings.push(Finding::new(
                &manifest_of(&package.name),
                format!("{} is in no layer", package.name),
                "give it a layer in xtask/src/tidy/edges.rs, or `publish = false`",
            )),
        }
    }
    let is_there = |layer: &&Layer| tree.published().any(|package| package.name == layer.name);
    for layer in LAYERS.iter().filter(|layer| !is_there(layer)) {
        findings.push(Finding::new(
            &manifest_of(layer.name),
            "this layer is missing",
            "restore it, or name the layers anew in xtask/src/tidy/edges.rs",
        ));
    }
    findings
}

fn undecided(package: &Package, layer: &Layer) -> Vec<Finding> {
    let is_decided = |name: &str, is_for_tests: bool, is_local: bool| {
        layer.allowed.contains(&name)
            || is_for_tests && (!is_local || layer.tests_only.contains(&name))
    };
    let undecided = package.dependencies.iter().filter(|dependency| {
        !is_decided(
            &dependency.name,
            dependency.is_for_tests,
            dependency.is_local,
        )
    });
    let findings = undecided.map(|dependency| {
        let (name, path) = (&dependency.name, manifest_of(layer.name));
        if dependency.is_local {
            Finding::new(
                &path,
                format!(
                    "{} depends on {name}, which is no crate below it",
                    layer.name
                ),
                "move the code or the test to the crate that may know both",
            )
        } else {
            Finding::new(
                &path,
                format!("{name} is no dependency that {} may have", layer.name),
                "do without it, or give the reason in docs/decisions/ and add it to the list in \
                 xtask/src/tidy/edges.rs",
            )
        }
    });
    findings.collect()
}

fn manifest_of(name: &str) -> String {
    format!("crates/{name}/Cargo.toml")
}

#[cfg(test)]
mod tests {
    use super::super::tree::package;
    use super::*;

    /// Every layer, the first with these dependencies: (name, kind, is local).
    fn layers(of_causal: &[(&str, Option<&str>, bool)]) -> Vec<Package> {
        let with = |layer: &Layer| {
            package(
                layer.name,
                if layer.name == LAYERS[0].name {
                    of_causal
                } else {
                    &[]
                },
            )
        };
        LAYERS.iter().map(with).collect()
    }

    fn found(packages: Vec<Package>) -> Vec<Finding> {
        check(&Tree::from([]).with(packages))
    }

    #[test]
    fn edges_that_run_inwards_and_tools_of_tests_pass() {
        let tools = [("serde", None, false), ("postcard", Some("dev"), false)];
        assert_eq!(found(layers(&tools)), []);
        let mut all = layers(&[]);
        all[2] = package(
            "lattice-presence-sync",
            &[
                ("lattice-presence", None, true),
                ("lattice-presence-json", Some("dev"), true),
            ],
        );
        assert_eq!(found(all), []);
    }

    #[test]
    fn an_edge_outwards_fails_even_for_tests() {
        for kind in [None, Some("dev"), Some("build")] {
            let found = found(layers(&[("lattice-presence", kind, true)]));
            assert_eq!(found.len(), 1);
            assert!(found[0].what.contains("no crate below it"), "{}", found[0]);
        }
    }

    #[test]
    fn a_dependency_that_nobody_decided_on_fails() {
        for kind in [None, Some("build")] {
            let found = found(layers(&[("rand", kind, false)]));
            assert_eq!(found.len(), 1);
            assert!(found[0].mend.contains("docs/decisions/"), "{}", found[0]);
        }
    }

    #[test]
    fn a_missing_layer_and_a_crate_in_no_layer_fail() {
        let mut other = layers(&[]);
        other[5].name = "lattice-new".into();
        let findings = found(other);
        let paths: Vec<&str> = findings.iter().map(|finding| &*finding.path).collect();
        assert_eq!(
            paths,
            [
                "crates/lattice-new/Cargo.toml",
                "crates/lattice-presence-web/Cargo.toml"
            ]
        );
    }
}
