//! The tasks of this workspace: `cargo xtask COMMAND`.
//!
//! CI runs its checks through them, so what passes here passes there. One file per
//! command; [`shell`] runs the programs that they are made of.
#![allow(
    clippy::print_stdout,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a command line program has standard output and the standard library"
)]

mod bench;
mod ci;
mod demo;
mod docs;
mod fuzz;
#[cfg(test)]
mod kubernetes;
mod licences;
mod msrv;
mod net;
mod nodes;
mod peers;
mod publish;
mod scaling;
mod shell;
mod simulate;
mod soak;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use shell::Outcome;

/// One command: its name, its arguments, a line about it, a line for each option, and what it
/// does.
struct Task {
    name: &'static str,
    arguments: &'static str,
    summary: &'static str,
    options: &'static [(&'static str, &'static str)],
    run: fn(&[String]) -> Outcome,
}

const TASKS: &[Task] = &[
    Task {
        name: "test",
        arguments: "[ARGS…]",
        summary: "run every test and doctest, all features",
        options: &[(
            "ARGS",
            "what `cargo test` takes besides: `--test FILE`, `-- NAME`",
        )],
        run: test::run,
    },
    Task {
        name: "ci",
        arguments: "[STEP…]",
        summary: "run all checks, tests, examples and packages, or some steps",
        options: &[
            ("STEP", "only these, in this order"),
            ("--list", "name the steps and run none"),
            ("--no-skips", "a step whose tools are missing has failed"),
        ],
        run: ci::run,
    },
    Task {
        name: "bench",
        arguments: "[OPTIONS]",
        summary: "measure and print the table",
        options: &[
            ("--quick", "in short, for a look"),
            ("--filter WORD", "only rows with that word in their names"),
            ("--n N,…", "other sizes: numbers from 1000"),
            ("--compare FILE", "beside the figures of an earlier run"),
            ("--out FILE", "write the figures, for --compare"),
            ("--svg DIR", "draw them"),
        ],
        run: bench::run,
    },
    Task {
        name: "peers",
        arguments: "[NAME…]",
        summary: "run other CRDTs at the same work: rust, phoenix, gleam",
        options: &[
            ("--n N", "so many entries, from 100"),
            ("--phoenix DIR", "the sources of phoenix_pubsub"),
            ("--no-skips", "a peer that cannot run here has failed"),
        ],
        run: peers::run,
    },
    Task {
        name: "fuzz",
        arguments: "[TARGET]",
        summary: "fuzz a target on nightly; without a target, list them",
        options: &[
            ("--seconds N", "stop after that time"),
            ("--replay", "run the committed corpora, on stable"),
            (
                "--minimize TARGET",
                "leave the files of its corpus that cover what all of it covers, on stable",
            ),
        ],
        run: fuzz::run,
    },
    Task {
        name: "simulate",
        arguments: "[OPTIONS]",
        summary: "run clusters in virtual time under faults; without options, every situation once",
        options: &[
            ("--nodes N", "one cluster, of 3 to 1000 nodes"),
            ("--minutes T", "of virtual time"),
            (
                "--loss P",
                "the fraction of messages that get lost: 0.1 for 10 %",
            ),
            ("--seed S", "the same run again"),
            ("--changes RATE", "users who come or go in a second"),
            ("--trust WHOM", "owners or relays"),
            (
                "--scale",
                "the large clusters, and a pull of a million entries",
            ),
            ("--ci", "a million steps"),
        ],
        run: simulate::run,
    },
    Task {
        name: "scaling",
        arguments: "",
        summary: "print the arithmetic of docs/scaling.md, from measured figures",
        options: &[],
        run: scaling::run,
    },
    Task {
        name: "day",
        arguments: "",
        summary: "run four nodes over zenoh: a kill, a cut, a rolling deployment, one view",
        options: &[],
        run: nodes::day,
    },
    Task {
        name: "net",
        arguments: "",
        summary: "run nodes in network namespaces: cut, deaf, killed, halted, replaced (two minutes, root)",
        options: &[],
        run: net::run,
    },
    Task {
        name: "soak",
        arguments: "[OPTIONS]",
        summary: "let guests come and go on three nodes over zenoh; memory and descriptors stay flat",
        options: &[("--minutes N", "how long, from 0.1 to 1440")],
        run: soak::run,
    },
    Task {
        name: "docs",
        arguments: "[OPTIONS]",
        summary: "build the API documentation, warnings denied; look where its front pages lead",
        options: &[("--open", "show it in a browser")],
        run: docs::run,
    },
    Task {
        name: "tidy",
        arguments: "",
        summary: "check edges, `no_std`, module docs, file lengths, rules, versions, links, front pages",
        options: &[],
        run: tidy::run,
    },
    Task {
        name: "demo",
        arguments: "[OPTIONS]",
        summary: "run three nodes that share one view",
        options: &[("--interactive", "ask what they do")],
        run: demo::run,
    },
    Task {
        name: "msrv",
        arguments: "[OPTIONS]",
        summary: "check the crates with the oldest supported compiler",
        options: &[("--install", "fetch it first")],
        run: msrv::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        print_tasks();
        return ExitCode::SUCCESS;
    };
    if name == "help" || is_help(name) {
        print_tasks();
        return ExitCode::SUCCESS;
    }
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprintln!("xtask: no command `{name}`; `cargo xtask` lists them");
        return ExitCode::from(2);
    };
    // Behind `--` are the arguments of the program that the task runs.
    let mut ours = rest.iter().take_while(|argument| *argument != "--");
    if ours.any(|argument| is_help(argument)) {
        print!("{}", usage(task));
        return ExitCode::SUCCESS;
    }
    match run(task, rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask {name}: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn is_help(argument: &str) -> bool {
    matches!(argument, "--help" | "-h")
}

fn run(task: &Task, arguments: &[String]) -> Outcome {
    if task.arguments.is_empty() && !arguments.is_empty() {
        return Err(format!("`cargo xtask {}` takes no arguments", task.name));
    }
    (task.run)(arguments)
}

fn usage(task: &Task) -> String {
    let call = format!("cargo xtask {} {}", task.name, task.arguments);
    let line = |(option, what): &(&str, &str)| format!("  {option:<18} {what}\n");
    let options: String = task.options.iter().map(line).collect();
    let gap = if options.is_empty() { "" } else { "\n" };
    format!("{}\n\n  {}\n{gap}{options}", call.trim_end(), task.summary)
}

fn print_tasks() {
    println!("cargo xtask COMMAND, or cargo xtask COMMAND --help\n");
    for task in TASKS {
        let call = format!("{} {}", task.name, task.arguments);
        println!("  {call:<20} {}", task.summary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_without_arguments_refuses_some() {
        let tidy = TASKS.iter().find(|task| task.name == "tidy").unwrap();
        let refused = run(tidy, &["--fix".into()]).unwrap_err();
        assert_eq!(refused, "`cargo xtask tidy` takes no arguments");
    }
}
