//! `cargo xtask msrv`: the oldest supported compiler.

use std::process::Command;

use crate::shell::{self, Outcome, PUBLISHED, cargo_of};
use crate::workspace;

/// Checks the published crates with the toolchain of `rust-version`.
///
/// Without that toolchain it fails and says how to get it, unless `--install` may fetch it.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let install = match arguments {
        [] => false,
        [flag] if flag == "--install" => true,
        _ => return Err("usage: cargo xtask msrv [--install]".into()),
    };
    let version = rust_version()?;
    if install {
        shell::run(Command::new("rustup").args([
            "toolchain",
            "install",
            &version,
            "--profile",
            "minimal",
        ]))?;
    }
    let Some(toolchain) = shell::toolchain(&version) else {
        return Err(format!(
            "unchecked: Rust {version} is not installed; `cargo xtask msrv --install` fetches it"
        ));
    };
    check(&toolchain)
}

/// Only the libraries: development dependencies may ask for a newer compiler.
fn check(toolchain: &str) -> Outcome {
    for published in PUBLISHED {
        for features in ["--no-default-features", "--all-features"] {
            let mut command = cargo_of(toolchain, ["check", "--lib", "--package", published]);
            // A directory of its own, or the two compilers evict each other's work.
            command
                .arg(features)
                .env("CARGO_TARGET_DIR", shell::target_dir().join("msrv"));
            shell::run(&mut command)?;
        }
    }
    Ok(())
}

fn rust_version() -> Result<String, String> {
    let packages = workspace::packages()?;
    let published = packages.into_iter().find(|package| package.is_published);
    published
        .and_then(|package| package.rust_version)
        .ok_or_else(|| "the published crates have no rust-version".into())
}
