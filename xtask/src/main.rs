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
mod scaling;
mod shell;
mod simulate;
mod soak;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use shell::Outcome;

/// One command: its name, its arguments, a line about it, and what it does.
struct Task {
    name: &'static str,
    arguments: &'static str,
    summary: &'static str,
    run: fn(&[String]) -> Outcome,
}

const TASKS: &[Task] = &[
    Task {
        name: "test",
        arguments: "[ARGS…]",
        summary: "run every test and doctest, all features",
        run: test::run,
    },
    Task {
        name: "ci",
        arguments: "[STEP…]",
        summary: "run all checks, tests, examples and packages, or some steps (--list, --no-skips)",
        run: ci::run,
    },
    Task {
        name: "bench",
        arguments: "[--quick] [--filter X]",
        summary: "measure and print the table; --n N,…, --compare FILE, --out FILE, --svg DIR",
        run: bench::run,
    },
    Task {
        name: "peers",
        arguments: "[NAME…] [--n N]",
        summary: "run other CRDTs at the same work: rust, phoenix, gleam; --phoenix DIR, --no-skips",
        run: peers::run,
    },
    Task {
        name: "fuzz",
        arguments: "[TARGET] [--seconds N]",
        summary: "fuzz a target on nightly, or list them; --replay, --minimize TARGET",
        run: fuzz::run,
    },
    Task {
        name: "simulate",
        arguments: "[ARGS…]",
        summary: "run clusters in virtual time under faults; --nodes N --minutes T --loss P --seed S, --scale",
        run: simulate::run,
    },
    Task {
        name: "scaling",
        arguments: "",
        summary: "print the arithmetic of docs/scaling.md, from measured figures",
        run: scaling::run,
    },
    Task {
        name: "day",
        arguments: "",
        summary: "run four nodes over zenoh: a kill, a cut, a rolling deployment, one view",
        run: nodes::day,
    },
    Task {
        name: "net",
        arguments: "",
        summary: "run nodes in network namespaces: cut, deaf, killed, halted, replaced (two minutes)",
        run: net::run,
    },
    Task {
        name: "soak",
        arguments: "[--minutes N]",
        summary: "let guests come and go on three nodes over zenoh; memory and descriptors stay flat",
        run: soak::run,
    },
    Task {
        name: "docs",
        arguments: "[--open]",
        summary: "build the API documentation with warnings denied",
        run: docs::run,
    },
    Task {
        name: "tidy",
        arguments: "",
        summary: "check edges, purity, module docs, file lengths, rules, versions, links",
        run: tidy::run,
    },
    Task {
        name: "demo",
        arguments: "[ARGS…]",
        summary: "run three nodes that share one view (--interactive for a prompt)",
        run: demo::run,
    },
    Task {
        name: "msrv",
        arguments: "[--install]",
        summary: "check the crates with the oldest supported compiler",
        run: msrv::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        print_tasks();
        return ExitCode::SUCCESS;
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print_tasks();
        return ExitCode::SUCCESS;
    }
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprintln!("xtask: no command `{name}`; `cargo xtask` lists them");
        return ExitCode::from(2);
    };
    // Before everything else: `cargo xtask demo -- --help` is the example's own.
    if matches!(rest.first().map(String::as_str), Some("--help" | "-h")) {
        print!("{}", usage(task));
        return ExitCode::SUCCESS;
    }
    match (task.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask {name}: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn usage(task: &Task) -> String {
    let call = format!("cargo xtask {} {}", task.name, task.arguments);
    format!("{}\n\n  {}\n", call.trim_end(), task.summary)
}

fn print_tasks() {
    println!("cargo xtask COMMAND\n");
    for task in TASKS {
        let call = format!("{} {}", task.name, task.arguments);
        println!("  {call:<29} {}", task.summary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usage_of_a_task_names_its_arguments() {
        let of = |name| TASKS.iter().find(|task| task.name == name).map(usage);
        let msrv = of("msrv").unwrap_or_default();
        assert!(msrv.starts_with("cargo xtask msrv [--install]\n\n  check the crates"));
        assert!(
            of("tidy")
                .unwrap_or_default()
                .starts_with("cargo xtask tidy\n")
        );
    }
}
