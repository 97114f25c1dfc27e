//! Real clients against a running server: the npm packages `phoenix` and
//! `@supabase/realtime-js`, in Node.js.
//!
//! Needs `node`, `npm` and, once, a registry within reach; without them the tests say
//! so and pass.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

use core::time::Duration;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;

use lattice_presence_node::Node;
use support::{Server, npm, quick, serve_at};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

async fn start(address: &str) -> Server {
    let node = Node::builder("test").start().await.unwrap();
    let mut config = quick();
    config.grace = Duration::from_secs(1);
    serve_at(address, node, config).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phoenix_works_as_it_is_and_comes_back_after_a_restart() {
    let Some(folder) = installed() else { return };
    let mut server = start("127.0.0.1:0").await;
    let address = server.address.clone();
    let mut client = Command::new("node")
        .args(["phoenix.mjs", &address])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    let mut input = client.stdin.take().unwrap();
    let mut done = false;
    while let Some(line) = lines.next_line().await.unwrap() {
        match &*line {
            // Told to go, and cut off.
            "drain" => server.web.drain(Duration::ZERO).await,
            "drop" => {}
            "done" => {
                done = true;
                continue;
            }
            other => panic!("{other}"),
        }
        server.stop().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        server = start(&address).await;
        input.write_all(b"go\n").await.unwrap();
    }
    assert!(client.wait().await.unwrap().success() && done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn supabase_works_as_it_is_in_both_versions_of_the_protocol() {
    let Some(folder) = installed() else { return };
    for package in ["@supabase/realtime-js", "supabase-v1"] {
        let server = start("127.0.0.1:0").await;
        let client = Command::new("node")
            .args(["supabase.mjs", &server.address, package])
            .current_dir(folder)
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(Duration::from_secs(60), client)
            .await
            .unwrap()
            .unwrap();
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success() && out.contains("done"),
            "{package}: {out}\n{err}"
        );
    }
}

/// The folder in which the packages are installed, once; nothing where they cannot be.
fn installed() -> Option<&'static PathBuf> {
    static FOLDER: OnceLock<Result<PathBuf, &'static str>> = OnceLock::new();
    match FOLDER.get_or_init(install) {
        Ok(folder) => Some(folder),
        Err(reason) => {
            npm::skipped("clients", reason);
            None
        }
    }
}

fn install() -> Result<PathBuf, &'static str> {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("clients");
    npm::install(&source, folder)
}
