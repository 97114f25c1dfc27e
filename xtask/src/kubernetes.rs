//! The manifest for Kubernetes: it parses, its parts fit together, and the page shows it.

use saphyr::{LoadableYamlNode, Yaml};

use crate::shell::root;

const MANIFEST: &str = "deploy/kubernetes.yaml";

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The value at a path of keys and numbers.
fn at<'a>(yaml: &'a Yaml<'a>, path: &str) -> &'a Yaml<'a> {
    path.split('.').fold(yaml, |yaml, step| {
        let found = match step.parse::<usize>() {
            Ok(index) => yaml.as_sequence().and_then(|items| items.get(index)),
            Err(_) => yaml.as_mapping_get(step),
        };
        found.unwrap_or_else(|| panic!("no `{step}` of `{path}`"))
    })
}

fn text<'a>(yaml: &'a Yaml<'a>, path: &str) -> &'a str {
    let value = at(yaml, path);
    value
        .as_str()
        .unwrap_or_else(|| panic!("`{path}`: {value:?}"))
}

fn number(yaml: &Yaml<'_>, path: &str) -> i64 {
    let value = at(yaml, path);
    value
        .as_integer()
        .unwrap_or_else(|| panic!("`{path}`: {value:?}"))
}

#[test]
fn the_page_shows_the_manifest_as_it_is() {
    let (page, manifest) = (read("docs/running.md"), read(MANIFEST));
    let shown = page.split("```yaml\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    assert_eq!(shown, manifest, "docs/running.md shows another {MANIFEST}");
}

#[test]
fn three_peers_find_each_other_by_a_headless_service() {
    let manifest = read(MANIFEST);
    let parts = Yaml::load_from_str(&manifest).unwrap();
    let kinds: Vec<&str> = parts.iter().map(|part| text(part, "kind")).collect();
    assert_eq!(kinds, ["Service", "Service", "StatefulSet"]);
    let versions: Vec<&str> = parts.iter().map(|part| text(part, "apiVersion")).collect();
    assert_eq!(versions, ["v1", "v1", "apps/v1"]);
    let [peers, web, nodes] = &parts[..] else {
        panic!("three parts");
    };

    // Who is meant.
    let label = text(nodes, "spec.template.metadata.labels.app");
    for selector in [
        text(peers, "spec.selector.app"),
        text(web, "spec.selector.app"),
        text(nodes, "spec.selector.matchLabels.app"),
    ] {
        assert_eq!(selector, label);
    }
    assert_eq!(text(peers, "spec.clusterIP"), "None", "headless");
    assert_eq!(
        at(peers, "spec.publishNotReadyAddresses").as_bool(),
        Some(true)
    );
    assert_eq!(number(nodes, "spec.replicas"), 3);
    assert_eq!(
        text(nodes, "spec.serviceName"),
        text(peers, "metadata.name")
    );

    // Where they meet.
    let pod = at(nodes, "spec.template.spec.containers.0");
    assert_eq!(
        number(pod, "ports.0.containerPort"),
        number(peers, "spec.ports.0.port")
    );
    let (set, service) = (text(nodes, "metadata.name"), text(peers, "metadata.name"));
    let port = number(peers, "spec.ports.0.port");
    let address = |at: usize| format!("tcp/{set}-{at}.{service}:{port}");
    assert_eq!(text(pod, "env.1.name"), "PEERS");
    assert_eq!(
        text(pod, "env.1.value"),
        format!("{},{}", address(0), address(1))
    );
    assert_eq!(text(pod, "env.0.name"), "NODE");
    assert_eq!(
        text(pod, "env.0.valueFrom.fieldRef.fieldPath"),
        "metadata.name"
    );

    // Who gets traffic, by the names of ports.
    let ports = [text(pod, "ports.0.name"), text(pod, "ports.1.name")];
    assert_eq!(ports, ["zenoh", "http"]);
    assert_eq!(text(web, "spec.ports.0.targetPort"), ports[1]);
    assert_eq!(text(pod, "readinessProbe.httpGet.port"), ports[1]);
    assert_eq!(text(pod, "readinessProbe.httpGet.path"), "/ready");

    // What the page says of them.
    let page = read("docs/running.md");
    for said in [
        format!("one TCP port for each node, {port}"),
        format!("port {} for browsers", number(pod, "ports.1.containerPort")),
        format!("`terminationGracePeriodSeconds` is {}", {
            number(nodes, "spec.template.spec.terminationGracePeriodSeconds")
        }),
    ] {
        assert!(page.contains(&said), "docs/running.md does not say: {said}");
    }
}
