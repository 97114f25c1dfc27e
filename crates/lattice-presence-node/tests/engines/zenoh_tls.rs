//! zenoh with mutual TLS and access control, as `docs/running.md` shows it: each node
//! speaks under its own name, and who has no certificate is not let in.

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lattice_presence::ReplicaId;
use lattice_presence_node::engine::{Event, EventStream, Link, To, Zenoh, ZenohLink};
use zenoh::Config;

use crate::support::free_port;

/// Certificates of an authority of the test's own, made with `openssl`.
struct Authority(PathBuf);

impl Authority {
    fn new() -> Option<Self> {
        let name = format!("lattice-node-tls-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        let authority = Self(directory);
        let made = authority.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=lattice test authority",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ]);
        if made.is_none() {
            println!("SKIPPED zenoh_tls: no openssl; `apt-get install openssl`");
        }
        made.map(|()| authority)
    }

    fn openssl(&self, arguments: &[&str]) -> Option<()> {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(&self.0);
        let status = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .ok()?;
        assert!(status.success(), "openssl {arguments:?}");
        Some(())
    }

    /// A certificate for a node of that name, and its key.
    fn certify(&self, name: &str) -> Option<()> {
        let extensions = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
        fs::write(self.0.join("extensions"), extensions).unwrap();
        let (key, request, certificate) = (
            format!("{name}.key"),
            format!("{name}.csr"),
            format!("{name}.pem"),
        );
        let subject = format!("/CN={name}");
        self.openssl(&[
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", &subject, "-keyout", &key, "-out",
            &request,
        ])?;
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "extensions",
            "-out",
            &certificate,
        ])
    }

    fn file(&self, name: &str) -> String {
        format!("{:?}", Path::new(&self.0).join(name).display().to_string())
    }

    fn config(&self, node: Option<&str>, listen: Option<u16>, connect: Option<u16>) -> Config {
        let mut config = Config::default();
        let mut set = |key: &str, value: &str| config.insert_json5(key, value).unwrap();
        set("scouting/multicast/enabled", "false");
        set("scouting/gossip/enabled", "false");
        let address = |port: u16| format!(r#"["tls/localhost:{port}"]"#);
        set(
            "listen/endpoints",
            &listen.map_or_else(|| "[]".into(), address),
        );
        set(
            "connect/endpoints",
            &connect.map_or_else(|| "[]".into(), address),
        );
        set(
            "transport/link/tls/root_ca_certificate",
            &self.file("ca.pem"),
        );
        set("transport/link/tls/enable_mtls", "true");
        if let Some(node) = node {
            for side in ["listen", "connect"] {
                let key = format!("transport/link/tls/{side}");
                let file = |kind| self.file(&format!("{node}.{kind}"));
                set(&format!("{key}_private_key"), &file("key"));
                set(&format!("{key}_certificate"), &file("pem"));
            }
        }
        config
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What comes in from a node must be under the node's own name.
fn only_own_words(config: &mut Config, peers: &[&str]) {
    let rules: Vec<String> = peers
        .iter()
        .map(|peer| {
            format!(
                r#"{{ "id": "{peer}", "permission": "allow", "flows": ["ingress"],
                      "messages": ["put", "delete", "liveliness_token"],
                      "key_exprs": ["lattice/c/all/{peer}/*", "lattice/c/one/*/{peer}/*",
                                    "lattice/c/up/{peer}/*"] }}"#
            )
        })
        .collect();
    let subjects: Vec<String> = peers
        .iter()
        .map(|peer| format!(r#"{{ "id": "{peer}", "cert_common_names": ["{peer}"] }}"#))
        .collect();
    let policies: Vec<String> = peers
        .iter()
        .map(|peer| format!(r#"{{ "rules": ["{peer}", "rest"], "subjects": ["{peer}"] }}"#))
        .collect();
    let access = format!(
        r#"{{ "enabled": true, "default_permission": "deny",
              "rules": [{}, {{ "id": "rest", "permission": "allow",
                "flows": ["ingress", "egress"],
                "messages": ["declare_subscriber", "declare_liveliness_subscriber",
                             "liveliness_query"],
                "key_exprs": ["lattice/c/**"] }},
                {{ "id": "out", "permission": "allow", "flows": ["egress"],
                   "messages": ["put", "delete", "liveliness_token"],
                   "key_exprs": ["lattice/c/**"] }}],
              "subjects": [{}, {{ "id": "any" }}],
              "policies": [{}, {{ "rules": ["out", "rest"], "subjects": ["any"] }}] }}"#,
        rules.join(","),
        subjects.join(","),
        policies.join(","),
    );
    config.insert_json5("access_control", &access).unwrap();
}

async fn start(config: Config, name: &str) -> (ZenohLink, EventStream, ReplicaId) {
    let id = ReplicaId::new_incarnation(name);
    let (link, received) = crate::start(Zenoh::with_config(config), id.as_str()).await;
    (link, received, id)
}

/// The first message from that sender within that time.
async fn first_from(
    received: &mut EventStream,
    sender: &ReplicaId,
    patience: Duration,
) -> Option<bytes::Bytes> {
    let first = tokio::time::timeout(patience, async {
        loop {
            match received.next().await {
                Some(Event::Message { from, payload }) if *from == *sender.as_str() => {
                    return Some(payload);
                }
                Some(_) => {}
                None => return None,
            }
        }
    });
    first.await.unwrap_or(None)
}

/// Says it often, until it is heard; whether it was, after `patience`.
async fn is_heard(
    link: &mut ZenohLink,
    id: &ReplicaId,
    received: &mut EventStream,
    what: &'static str,
    patience: Duration,
) -> bool {
    let says = async {
        loop {
            let _ = link.send(To::All, what.into()).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = says => false,
        first = first_from(received, id, patience) => first.as_deref() == Some(what.as_bytes()),
    }
}

/// Long enough for a node that is let in to be heard.
const SILENCE: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_admits_certified_nodes_and_access_control_holds_each_to_its_name() {
    let Some(authority) = Authority::new() else {
        return;
    };
    for node in ["berlin", "tokyo"] {
        authority.certify(node).unwrap();
    }
    let port = free_port();
    let mut config = authority.config(Some("berlin"), Some(port), None);
    only_own_words(&mut config, &["tokyo"]);
    let (_berlin, mut at_berlin, _) = start(config, "berlin").await;

    // tokyo, by its own certificate and under its own name.
    let config = authority.config(Some("tokyo"), None, Some(port));
    let (mut tokyo, _at_tokyo, id) = start(config, "tokyo").await;
    assert!(is_heard(&mut tokyo, &id, &mut at_berlin, "hello", crate::PATIENCE).await);
    tokyo.close().await;

    // The same certificate, under another name.
    let config = authority.config(Some("tokyo"), None, Some(port));
    let (mut liar, _at_liar, id) = start(config, "lagos").await;
    assert!(!is_heard(&mut liar, &id, &mut at_berlin, "a lie", SILENCE).await);
    liar.close().await;

    // No certificate at all.
    let config = authority.config(None, None, Some(port));
    let (mut stranger, _at_stranger, id) = start(config, "tokyo").await;
    assert!(!is_heard(&mut stranger, &id, &mut at_berlin, "let me in", SILENCE).await);
    stranger.close().await;
}
