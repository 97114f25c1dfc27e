//! Counted instructions, beside the times: they are the same on a busy machine.
//!
//! This program starts itself under `valgrind --tool=callgrind`, to run one side of one
//! operation once; callgrind counts within the timed part alone.

use std::process::Command;

use crate::case::Operation;
use crate::row::Row;

/// The argument with which this program starts itself.
pub const ONCE: &str = "--once";

/// The sizes at which instructions are counted: a counted run takes some fifty times as
/// long as another, and the counts hardly depend on N.
pub const MOST: usize = 10_000;

/// Whether there is a counter.
#[must_use]
pub fn are_countable() -> bool {
    let version = Command::new("valgrind").arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

/// Adds to the row what its operation and its floor count.
///
/// # Errors
///
/// If the counter does not run, or says nothing.
pub fn count(row: &mut Row, operation: &Operation) -> Result<(), String> {
    row.instructions = Some(of(operation, row.n, "ours")?);
    if row.floor_ns.is_some() {
        row.floor_instructions = Some(of(operation, row.n, "floor")?);
    }
    Ok(())
}

fn of(operation: &Operation, n: usize, side: &str) -> Result<f64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", "--toggle-collect=*case::measured*"])
        .arg(program)
        .args([ONCE, operation.name, &n.to_string(), side])
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let units = String::from_utf8_lossy(&output.stdout);
    let units = units.trim().parse::<f64>();
    match (collected(&said), units) {
        (Some(count), Ok(units)) if output.status.success() => Ok(count / units),
        _ => Err(format!(
            "{} of {}: valgrind says {said}",
            side, operation.name
        )),
    }
}

/// The figure behind `Collected :`.
fn collected(said: &str) -> Option<f64> {
    let (_, behind) = said.split_once("Collected :")?;
    behind.split_whitespace().next()?.parse().ok()
}

/// Runs one side once; says how many units it spans.
///
/// # Errors
///
/// If there is no such operation, or it has no such side.
pub fn once(arguments: &[String]) -> Result<usize, String> {
    let usage = || format!("{ONCE} OPERATION N ours|floor");
    let [name, n, side] = arguments else {
        return Err(usage());
    };
    let operation = crate::operations::all().find(|operation| operation.name == *name);
    let operation = operation.ok_or_else(usage)?;
    let n = n.parse().map_err(|_| usage())?;
    let mut case = (operation.prepare)(n);
    match (side.as_str(), &mut case.floor) {
        ("ours", _) => (case.ours)(),
        ("floor", Some(floor)) => floor(),
        _ => return Err(usage()),
    };
    Ok(case.units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_is_found_in_what_the_counter_says() {
        let said = "==7== Events    : Ir\n==7== Collected : 276322386\n==7== \n";
        assert_eq!(collected(said), Some(276_322_386.0));
        assert_eq!(collected("valgrind: no such tool"), None);
    }

    #[test]
    fn a_side_that_is_not_there_is_an_error() {
        let once = |line: &[&str]| once(&line.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(once(&["leave", "1000", "ours"]), Ok(1000));
        for line in [
            &["leave", "1000", "peer"][..],
            &["lave", "1000", "ours"],
            &["leave"],
        ] {
            assert!(once(line).is_err(), "{line:?}");
        }
    }
}
