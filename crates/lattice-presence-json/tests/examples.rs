//! The examples do what their pages say.
//!
//! `merge` runs here, on the samples beside it.

#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a test that runs programs has the standard library"
)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/merge/samples")
}

/// A built example. `cargo test` builds it with this test; alone, this test
/// builds it.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("…/<profile>/deps/<test>");
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let binary = profile.join("examples").join(file);
    if !binary.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--package", "lattice-presence-json"]);
        build.args(["--example", name]);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success());
    }
    binary
}

/// Runs the example in the folder of the samples.
fn merge(files: &[&str], input: &str) -> Output {
    let mut child = Command::new(example("merge"))
        .args(files)
        .current_dir(samples())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // An example that reads no input may end before it is written.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the example ends")
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).expect("UTF-8")
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).expect("UTF-8")
}

/// Every step with its diff, then the view.
const TOLD: &str = r#"01-one-node.json
  + room:lobby  alice  p1  node-a:1  {"status":"online"}
02-after-an-update.json
  + lobby  carol  pc  node-b:2  {"status":"away"}
03-cloud-behind-a-gap.json
  + t  k1  p1  remote:1  {}
  + t  k3  p3  remote:3  {}
04-gap-filled.json
  - t  k3  p3  remote:3  {}
  + t  k2  p2  remote:2  {}
  + t  k5  p5  remote:5  {}
05-delta-from-a-relay.json
  + t0  k4  p1  w:4  {"c":4}
  + t1  k3  p0  w:3  {"c":3}
06-earlier-delta.json
  + t0  k2  p2  w:2  {"c":2}
  + t1  k1  p1  w:1  {"c":1}
07-removal-alone.json
  - room:lobby  alice  p1  node-a:1  {"status":"online"}
08-incarnation.json
  + t  new  p2  lattice-presence:v1:AAAAAAAAQACAAAAAAAAAAw==:node:1  {}

online: 9
    lobby  carol  pc  node-b:2  {"status":"away"}
    t  new  p2  lattice-presence:v1:AAAAAAAAQACAAAAAAAAAAw==:node:1  {}
    t  k1  p1  remote:1  {}
    t  k2  p2  remote:2  {}
    t  k5  p5  remote:5  {}
    t0  k2  p2  w:2  {"c":2}
    t0  k4  p1  w:4  {"c":4}
    t1  k1  p1  w:1  {"c":1}
    t1  k3  p0  w:3  {"c":3}
"#;

const SAMPLES: [&str; 8] = [
    "01-one-node.json",
    "02-after-an-update.json",
    "03-cloud-behind-a-gap.json",
    "04-gap-filled.json",
    "05-delta-from-a-relay.json",
    "06-earlier-delta.json",
    "07-removal-alone.json",
    "08-incarnation.json",
];

#[test]
fn recorded_payloads_are_merged_step_by_step() {
    let output = merge(&SAMPLES, "");
    assert_eq!(stderr(&output), "");
    assert_eq!(stdout(&output), TOLD);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_order_of_the_files_changes_the_steps_and_not_the_view() {
    let view = |output: &Output| {
        stdout(output)
            .split_once("\nonline: ")
            .map(|v| v.1.to_owned())
    };
    let expected = TOLD.split_once("\nonline: ").map(|v| v.1.to_owned());
    assert!(expected.is_some());
    for rotation in 1..SAMPLES.len() {
        let mut files = SAMPLES;
        files.rotate_left(rotation);
        assert_eq!(view(&merge(&files, "")), expected, "{files:?}");
        files.reverse();
        assert_eq!(view(&merge(&files, "")), expected, "{files:?}");
    }
}

#[test]
fn a_hyphen_is_standard_input() {
    let payload = std::fs::read_to_string(samples().join(SAMPLES[0])).expect("a sample");
    let output = merge(&["-"], &payload);
    assert!(stdout(&output).starts_with("-\n  + room:lobby  alice"));
    assert_eq!(output.status.code(), Some(0));
}

/// What is refused ends the run, is told with its place, and leaves the view as
/// it was: later files are not merged either.
#[test]
fn a_refused_file_ends_the_run_and_changes_nothing_of_the_view() {
    let before = merge(&["01-one-node.json"], "");
    for (file, told) in [
        (
            "malformed/half.json",
            "syntax: the input ends early at values[0].tag (line 1, column 78)",
        ),
        (
            "malformed/clock-zero.json",
            "clock: must be in 1..=9007199254740991 at values[0].tag.clock (line 1, column 86)",
        ),
        (
            "malformed/clouds-missing.json",
            "shape: the field is missing at clouds (line 1, column 1)",
        ),
    ] {
        let output = merge(&["01-one-node.json", file, "02-after-an-update.json"], "");
        assert_eq!(stderr(&output), format!("merge: {file}: {told}\n"));
        assert_eq!(stdout(&output), stdout(&before), "{file}");
        assert_eq!(output.status.code(), Some(1), "{file}");
    }
}

#[test]
fn the_line_of_a_mistake_is_counted() {
    let output = merge(&["-"], "{\"replica\":\"n\",\n\n   \"context\":7}");
    assert!(
        stderr(&output).ends_with("at context (line 3, column 14)\n"),
        "{}",
        stderr(&output)
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_contradiction_ends_the_run_and_changes_nothing_of_the_view() {
    let before = merge(&["conflicting/1-alice.json"], "");
    let output = merge(&["conflicting/1-alice.json", "conflicting/2-bob.json"], "");
    assert_eq!(
        stderr(&output),
        "merge: conflicting/2-bob.json: the dot x:1 carries different entries on the two sides, \
         nothing changed\n"
    );
    assert_eq!(stdout(&output), stdout(&before));
    assert_eq!(output.status.code(), Some(1));
}

/// A payload from anywhere must not draw on somebody's terminal.
#[test]
fn control_characters_are_shown_escaped() {
    // As they are in JSON only DEL and C1 may stand.
    let payload = "{\"replica\":\"n\",\"context\":{\"\\u001b[2J\u{9b}\":1},\"clouds\":{},\"values\":[
        {\"tag\":{\"replica\":\"\\u001b[2J\u{9b}\",\"clock\":1},\"entry\":{\"topic\":\"t\\n\",
        \"key\":\"\\u001b[2J\",\"pid\":\"\u{7f}p\",\"meta\":{\"a\":\"\u{9b}31m\u{7f}é\\u001b\"}}}]}";
    let output = merge(&["-"], payload);
    let line = r#"t\n  \u{1b}[2J  \u{7f}p  \u{1b}[2J\u{9b}:1  {"a":"\u{9b}31m\u{7f}é\u001b"}"#;
    assert!(
        stdout(&output).contains(&format!("  + {line}\n")),
        "{}",
        stdout(&output)
    );
    assert!(!stdout(&output).contains(|c: char| c.is_control() && c != '\n'));
}

#[test]
fn control_characters_in_errors_are_shown_escaped() {
    let hostile = |key: &str| {
        format!(
            r#"{{"replica":"n","context":{{"\u001b[2J":1}},"clouds":{{}},"values":[{{"tag":{{"replica":"\u001b[2J","clock":1}},"entry":{{"topic":"t","key":"{key}","pid":"p","meta":{{}}}}}}]}}"#
        )
    };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let first = folder.join("merge-hostile.json");
    std::fs::write(&first, hostile("one")).expect("a folder for tests");
    let first = first.to_str().expect("UTF-8");
    let output = merge(&[first, "-"], &hostile("other"));
    assert_eq!(
        stderr(&output),
        "merge: -: the dot \\u{1b}[2J:1 carries different entries on the two sides, \
         nothing changed\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn help_and_a_call_without_files_show_the_usage() {
    let help = merge(&["--help"], "");
    assert!(stdout(&help).starts_with("usage: merge FILE..."));
    assert_eq!(help.status.code(), Some(0));
    let none = merge(&[], "");
    assert_eq!(stderr(&none), stdout(&help));
    assert_eq!(none.status.code(), Some(2));
}

/// Like `merge … | head -0`.
#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let mut child = Command::new(example("merge"))
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example starts");
    drop(child.stdout.take());
    let payload = std::fs::read(samples().join(SAMPLES[0])).expect("a sample");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(&payload).expect("it waits for its input");
    drop(stdin);
    let output = child.wait_with_output().expect("the example ends");
    assert_eq!(stderr(&output), "");
    assert_eq!(output.status.code(), Some(0));
}
