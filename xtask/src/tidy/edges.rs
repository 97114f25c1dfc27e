//! Edges run one way, `web → node → sync → presence → causal` and `node → json → presence`, and
//! outside stays outside.

use super::manifest::{self, Kind};
use super::source::{code_of, names, production};
use super::{Finding, Tree};

/// One crate: what it may depend on, and what its code may not name.
struct Layer {
    name: &'static str,
    allowed: &'static [&'static str],
    /// Crates further out: not even a test may reach for them.
    outer: &'static [&'static str],
    /// Crates that tests may use and the library may not.
    tests_only: &'static [&'static str],
}

const LAYERS: [Layer; 6] = [
    Layer {
        name: "lattice-causal",
        allowed: &["hashbrown", "quickcheck", "serde", "smallvec", "thiserror"],
        outer: &[
            "lattice-presence",
            "lattice-presence-json",
            "lattice-presence-node",
            "lattice-presence-sync",
            "lattice-presence-web",
        ],
        tests_only: &["serde_json"],
    },
    Layer {
        name: "lattice-presence",
        allowed: &[
            "hashbrown",
            "lattice-causal",
            "quickcheck",
            "serde",
            "smallvec",
            "thiserror",
            "uuid",
        ],
        outer: &[
            "lattice-presence-json",
            "lattice-presence-node",
            "lattice-presence-sync",
            "lattice-presence-web",
        ],
        tests_only: &["serde_json"],
    },
    Layer {
        name: "lattice-presence-sync",
        allowed: &["lattice-presence", "thiserror"],
        outer: &["lattice-presence-node", "lattice-presence-web"],
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
        outer: &[
            "lattice-presence-node",
            "lattice-presence-sync",
            "lattice-presence-web",
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
        outer: &["lattice-presence-web"],
        tests_only: &["serde_json"],
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
        outer: &[],
        tests_only: &[],
    },
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for layer in &LAYERS {
        dependencies(tree, layer, &mut findings);
        imports(tree, layer, &mut findings);
    }
    findings
}

fn dependencies(tree: &Tree, layer: &Layer, findings: &mut Vec<Finding>) {
    let path = format!("crates/{}/Cargo.toml", layer.name);
    let Some(text) = tree.get(&path) else {
        findings.push(Finding::new(
            &path,
            "this layer is missing",
            "restore it, or name the layers anew in xtask/src/tidy/edges.rs",
        ));
        return;
    };
    for dependency in manifest::dependencies(text) {
        let name = dependency.name;
        let finding = if layer.outer.contains(&name) {
            Finding::new(
                &path,
                format!("{} depends on {name}, which is further out", layer.name),
                "move the code or the test to the outer crate",
            )
        } else if dependency.kind != Kind::Development && !layer.allowed.contains(&name) {
            Finding::new(
                &path,
                format!("{name} is no dependency that {} may have", layer.name),
                "do without it, or give the reason in docs/decisions/ and add it to \
                 the list in xtask/src/tidy/edges.rs",
            )
        } else {
            continue;
        };
        findings.push(finding.at(dependency.line));
    }
}

fn imports(tree: &Tree, layer: &Layer, findings: &mut Vec<Finding>) {
    let root = format!("crates/{}/", layer.name);
    let src = format!("{root}src/");
    for (path, text) in tree.below(&root, ".rs") {
        let code = code_of(text);
        let of_the_library = if path.starts_with(&src) {
            production(&code).lines().count()
        } else {
            0
        };
        for (index, line) in code.lines().enumerate() {
            let tests_only = layer.tests_only.iter().filter(|_| index < of_the_library);
            for name in layer.outer.iter().chain(tests_only) {
                if names(line, &name.replace('-', "_")) {
                    findings.push(
                        Finding::new(
                            path,
                            format!("{} names {name}", layer.name),
                            "move the code to the crate that may know it: edges run json or sync, \
                             presence, causal",
                        )
                        .at(index + 1),
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSAL: &str = "crates/lattice-causal/Cargo.toml";
    const PRESENCE: &str = "crates/lattice-presence/Cargo.toml";
    const SYNC: &str = "crates/lattice-presence-sync/Cargo.toml";
    const JSON: &str = "crates/lattice-presence-json/Cargo.toml";
    const NODE: &str = "crates/lattice-presence-node/Cargo.toml";
    const WEB: &str = "crates/lattice-presence-web/Cargo.toml";

    fn with_causal(manifest: &str, lib: &str) -> Vec<Finding> {
        check(&Tree::from([
            (CAUSAL, manifest),
            ("crates/lattice-causal/src/lib.rs", lib),
            (
                PRESENCE,
                "[dependencies]\nlattice-causal.workspace = true\n",
            ),
            (SYNC, "[dependencies]\nlattice-presence.workspace = true\n"),
            (JSON, "[dependencies]\nlattice-presence.workspace = true\n"),
            (NODE, "[dependencies]\nlattice-presence.workspace = true\n"),
            (
                WEB,
                "[dependencies]\nlattice-presence-node.workspace = true\n",
            ),
        ]))
    }

    #[test]
    fn edges_that_run_inwards_pass() {
        let manifest =
            "[dependencies]\nserde.workspace = true\n[dev-dependencies]\nserde_json = \"1\"\n";
        let lib = "// lattice_presence builds on this.\n\
                   #[cfg(test)]\nmod tests {\n    use serde_json::Value;\n}\n";
        assert_eq!(with_causal(manifest, lib), []);
    }

    #[test]
    fn an_edge_outwards_fails_even_for_tests() {
        let found = with_causal("[dev-dependencies]\nlattice-presence = \"0.1\"\n", "");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(2));
        assert!(found[0].what.contains("further out"), "{}", found[0]);
    }

    #[test]
    fn a_dependency_that_nobody_decided_on_fails() {
        let found = with_causal("[dependencies]\nrand = \"0.10\"\n", "");
        assert_eq!(found.len(), 1);
        assert!(found[0].mend.contains("docs/decisions/"), "{}", found[0]);
    }

    #[test]
    fn code_that_names_an_outer_crate_fails() {
        let found = with_causal("", "use lattice_presence::Diff;\n");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(1));
        let found = with_causal("", "fn f(v: serde_json::Value) {}\n");
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_missing_layer_fails() {
        let there = [
            (CAUSAL, ""),
            (PRESENCE, ""),
            (SYNC, ""),
            (NODE, ""),
            (WEB, ""),
        ];
        let found = check(&Tree::from(there));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, JSON);
    }
}
