//! `--help` of every task is answered at once, and is no failure.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests have the standard library"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::process::{Command, Output};

fn xtask(arguments: &[&str]) -> (bool, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), text)
}

/// The names that `cargo xtask` lists.
fn tasks() -> Vec<String> {
    let (is_success, list) = xtask(&[]);
    assert!(is_success);
    let calls = list.lines().filter_map(|line| line.strip_prefix("  "));
    let names = calls.filter_map(|call| call.split(' ').next());
    names.map(str::to_owned).collect()
}

#[test]
fn every_task_has_a_help_that_exits_0() {
    let tasks = tasks();
    assert!(tasks.len() >= 14, "{tasks:?}");
    for task in &tasks {
        for arguments in [
            vec![task.as_str(), "--help"],
            vec![task, "-h"],
            vec![task, "--quick", "--help"],
        ] {
            let (is_success, text) = xtask(&arguments);
            assert!(is_success, "{arguments:?}: {text}");
            let call = format!("cargo xtask {task}");
            assert!(text.starts_with(&call), "{arguments:?}: {text}");
            assert!(text.lines().count() >= 3, "{arguments:?}: {text}");
        }
    }
}

#[test]
fn help_itself_lists_the_tasks_and_what_is_no_task_fails() {
    let list = xtask(&[]);
    for help in ["help", "--help", "-h"] {
        assert_eq!(xtask(&[help]), list, "{help}");
    }
    assert!(!xtask(&["no-such-task"]).0);
    assert!(!xtask(&["no-such-task", "--help"]).0);
}
