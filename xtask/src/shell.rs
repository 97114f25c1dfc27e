//! Running other programs: where, with which cargo, and what counts as failure.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a command or a step comes to: the error is one line for a person.
pub(crate) type Outcome = Result<(), String>;

/// The crates that are published, innermost first.
pub(crate) const PUBLISHED: [&str; 6] = [
    "lattice-causal",
    "lattice-presence",
    "lattice-presence-sync",
    "lattice-presence-json",
    "lattice-presence-node",
    "lattice-presence-web",
];

/// The root of the workspace, whatever the caller's working directory is.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// The cargo that runs this task, in the root of the workspace.
pub(crate) fn cargo<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    with_arguments(Command::new(cargo), arguments)
}

/// The cargo of another toolchain, through rustup.
pub(crate) fn cargo_of<S: AsRef<str>>(
    toolchain: &str,
    arguments: impl IntoIterator<Item = S>,
) -> Command {
    let mut rustup = Command::new("rustup");
    rustup.args(["run", toolchain, "cargo"]);
    // Inherited from the cargo that runs this task, and wrong for the other one.
    for leaked in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        rustup.env_remove(leaked);
    }
    with_arguments(rustup, arguments)
}

fn with_arguments<S: AsRef<str>>(
    mut command: Command,
    arguments: impl IntoIterator<Item = S>,
) -> Command {
    command.current_dir(root());
    for argument in arguments {
        command.arg(argument.as_ref());
    }
    command
}

/// Runs a command with our own input and output, after printing what it is.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let line = line_of(command);
    eprintln!("$ {line}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` failed ({status})")),
        Err(error) => Err(format!("`{line}` did not start: {error}")),
    }
}

/// Runs a command like [`run`], and gives what it printed.
pub(crate) fn run_and_read(command: &mut Command) -> Result<String, String> {
    let line = line_of(command);
    eprintln!("$ {line}");
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`{line}` did not start: {error}"))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    eprint!("{text}");
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("`{line}` failed ({})", output.status))
}

/// What a command prints, or nothing where it fails or is not installed.
pub(crate) fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a command prints; its errors go where ours go.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let line = line_of(command);
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("`{line}` did not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{line}` failed ({})", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("`{line}`: {error}"))
}

/// The installed toolchain whose name starts with `name`, as rustup spells it.
pub(crate) fn toolchain(name: &str) -> Option<String> {
    toolchain_in(&output_of("rustup", &["toolchain", "list"])?, name)
}

fn toolchain_in(list: &str, name: &str) -> Option<String> {
    list.lines()
        .filter_map(|line| line.split_whitespace().next())
        .find(|toolchain| {
            toolchain
                .strip_prefix(name)
                // `1.8` is not `1.89`, yet `1.89` is `1.89.0` as well.
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
        })
        .map(str::to_owned)
}

fn line_of(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line = program
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_is_found_by_its_whole_version() {
        let list = "stable-x86_64-unknown-linux-gnu (active, default)\n1.89.0-x86_64\n";
        assert_eq!(toolchain_in(list, "1.89").as_deref(), Some("1.89.0-x86_64"));
        assert_eq!(toolchain_in(list, "1.8"), None);
        assert_eq!(toolchain_in(list, "nightly"), None);
    }

    #[test]
    fn a_failing_command_is_named_in_the_error() {
        let failure = run(&mut cargo(["no-such-subcommand"])).unwrap_err();
        assert!(failure.contains("cargo no-such-subcommand"), "{failure}");
    }
}
