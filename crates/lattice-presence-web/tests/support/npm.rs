//! Packages of npm, for tests of real clients. Without `node`, `npm` or a registry within
//! reach a test says so, and passes.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether that program is here.
pub fn runs(program: &str) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}

/// Installs into `folder` what stands in `source`, with its lock file; or why it cannot be.
pub fn install(source: &Path, folder: PathBuf) -> Result<PathBuf, &'static str> {
    if !(runs("node") && runs("npm")) {
        return Err("node and npm are not both here");
    }
    fs::create_dir_all(&folder).unwrap();
    for file in fs::read_dir(source).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
    }
    let output = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .args(["--prefer-offline", "--fetch-retries", "1"])
        .current_dir(&folder)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && NETWORK.iter().any(|code| errors.contains(code)) {
        return Err("npm cannot reach its registry");
    }
    assert!(output.status.success(), "npm ci failed: {errors}");
    Ok(folder)
}

/// Straight to the descriptor: the harness would swallow it. `cargo xtask ci` looks for
/// this line.
pub fn skipped(what: &str, reason: &str) {
    let _ = writeln!(std::io::stderr(), "\nSKIPPED {what}: {reason}");
}

/// What npm reports if the network fails, and not the package.
const NETWORK: [&str; 9] = [
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "ENOTCACHED",
    "ENOTFOUND",
    "ERR_SOCKET_TIMEOUT",
    "ETIMEDOUT",
];
