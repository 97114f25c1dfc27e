//! `cargo xtask scaling`: the arithmetic of `docs/scaling.md`, from measured figures.
//!
//! A model, and no measurement. The figures that go into it come from `cargo xtask
//! simulate --scale` and from the benches; the page names them, and a test holds it to the
//! tables that are printed here.

use crate::shell::Outcome;

/// Heap of an entry with short texts: `cargo xtask bench --filter heap`.
const ENTRY: f64 = 219.0;
/// Bytes of a change for each receiver: `cargo xtask simulate --scale`.
const CHANGE: f64 = 147.0;
/// Bytes in a second that an idle node sends to each other one: the same.
const IDLE: f64 = 103.0;
/// Bytes of an entry that a fresh node asks for: the same.
const PULL: f64 = 54.0;
/// Seconds of work of a change: the example `cost` of the node crate.
const WORK: f64 = 8.3e-6;
/// Seconds that an entry lives, which is an assumption: two changes in that time.
const LIFE: f64 = 600.0;

/// Prints the tables.
pub(crate) fn run(_: &[String]) -> Outcome {
    for line in lines() {
        println!("{line}");
    }
    Ok(())
}

fn lines() -> Vec<String> {
    let mut lines = heartbeats();
    lines.extend(one_view());
    lines.extend(shards());
    lines.extend(through_a_few());
    lines.extend(counts());
    lines
}

/// What the model says of the clusters that the simulation runs.
fn heartbeats() -> Vec<String> {
    let mut lines = table("nodes | idle, model", 2);
    for nodes in [3.0, 10.0, 30.0, 100.0, 300.0, 1000.0] {
        lines.push(format!("| {nodes} | {} |", rate((nodes - 1.0) * IDLE)));
    }
    lines
}

fn one_view() -> Vec<String> {
    let mut lines = table(
        "entries | memory | changes in | at 10 nodes, idle | at 100 | at 1,000 | processor | a fresh node pulls",
        8,
    );
    for entries in [1e4, 1e5, 1e6, 1e7, 1e8] {
        let changes = changes(entries);
        let idle = |nodes: f64| rate((nodes - 1.0) * IDLE);
        lines.push(format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            power(entries),
            bytes(entries * ENTRY),
            rate(changes * CHANGE),
            idle(10.0),
            idle(100.0),
            idle(1000.0),
            share(changes * WORK),
            bytes(entries * PULL),
        ));
    }
    lines
}

/// Each shard is held by `holders` of the nodes, spread evenly.
fn shards() -> Vec<String> {
    let mut lines = table(
        "entries | nodes | shards | holders | shards of a node | memory | changes in | heartbeats in | processor",
        9,
    );
    for (entries, nodes, shards, holders) in [
        (1e6, 100.0, 256.0, 5.0),
        (1e7, 100.0, 256.0, 5.0),
        (1e7, 300.0, 1024.0, 5.0),
        (1e8, 1000.0, 4096.0, 5.0),
        (1e8, 1000.0, 4096.0, 30.0),
    ] {
        let part = holders / nodes;
        let changes = changes(entries) * part;
        lines.push(format!(
            "| {} | {nodes} | {shards} | {holders} | {:.0} | {} | {} | {} | {} |",
            power(entries),
            shards * part,
            bytes(entries * part * ENTRY),
            rate(changes * CHANGE),
            rate(shards * part * (holders - 1.0) * IDLE),
            share(changes * WORK),
        ));
    }
    lines
}

fn through_a_few() -> Vec<String> {
    let mut lines = table(
        "nodes | all to all: a node sends | all of them | through 3: a node sends | one of the 3 gets",
        5,
    );
    for nodes in [100.0, 300.0, 1000.0, 3000.0] {
        let each = (nodes - 1.0) * IDLE;
        lines.push(format!(
            "| {nodes} | {} | {} | {} | {} |",
            rate(each),
            rate(each * nodes),
            rate(3.0 * IDLE),
            rate(each),
        ));
    }
    lines
}

/// One entry of each node, written once a second, in place of one for each member.
fn counts() -> Vec<String> {
    let mut lines = table(
        "members | nodes | memory, members | memory, counts | changes in, members | changes in, counts",
        6,
    );
    for (members, nodes) in [(1e4, 10.0), (1e5, 100.0), (1e6, 100.0)] {
        lines.push(format!(
            "| {} | {nodes} | {} | {} | {} | {} |",
            power(members),
            bytes(members * ENTRY),
            bytes(nodes * ENTRY),
            rate(changes(members) * CHANGE),
            rate(nodes * CHANGE),
        ));
    }
    lines
}

/// Joins and leaves in a second.
fn changes(entries: f64) -> f64 {
    2.0 * entries / LIFE
}

fn table(head: &str, columns: usize) -> Vec<String> {
    vec![
        String::new(),
        format!("| {head} |"),
        format!("|{}", "---:|".repeat(columns)),
    ]
}

fn power(number: f64) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let exponent = number.log10().round();
    let digit = DIGITS.get(exponent as usize).copied().unwrap_or('?');
    format!("10{digit}")
}

/// Two digits that count.
fn bytes(number: f64) -> String {
    let (scaled, unit) = [(1e9, "GB"), (1e6, "MB"), (1e3, "KB")]
        .iter()
        .find(|(size, _)| number >= *size)
        .map_or((number, "B"), |(size, unit)| (number / size, *unit));
    if scaled < 9.95 {
        return format!("{scaled:.1} {unit}");
    }
    format!("{scaled:.0} {unit}")
}

fn rate(number: f64) -> String {
    format!("{}/s", bytes(number))
}

/// Of one core.
fn share(seconds: f64) -> String {
    let percent = 100.0 * seconds;
    if percent < 9.95 {
        return format!("{percent:.2} %");
    }
    format!("{percent:.0} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_what_is_printed() {
        let page = include_str!("../../docs/scaling.md");
        for line in lines() {
            assert!(
                line.is_empty() || page.lines().any(|of_page| of_page == line),
                "docs/scaling.md lacks the line\n{line}\nof `cargo xtask scaling`"
            );
        }
    }

    #[test]
    fn units_change_where_they_should() {
        assert_eq!(bytes(206.0), "206 B");
        assert_eq!(bytes(2987.0), "3.0 KB");
        assert_eq!(bytes(29e9), "29 GB");
        assert_eq!(power(1e7), "10⁷");
        assert_eq!(share(0.0277), "2.77 %");
    }
}
