//! The table, as Markdown that also reads well in a terminal.

use std::fmt;

use crate::row::{Limited, Row};

/// Prints the head of a table: the rows come as they are measured.
#[must_use]
pub fn head() -> String {
    let titles = Line {
        op: "operation",
        cells: [
            "N", "best", "floor", "ratio", "ceiling", "verdict", "instr.", "× floor", "Orswot",
        ]
        .map(str::to_owned),
    };
    let rule = Line {
        op: "---",
        cells: ["---:"; 9].map(str::to_owned),
    };
    format!("{titles}\n{rule}")
}

/// Prints one row.
#[must_use]
pub fn line(row: &Row) -> String {
    let measured = |ns: Option<f64>, bytes: Option<f64>| {
        ns.map(time).or_else(|| bytes.map(size)).unwrap_or_default()
    };
    let ceiling = match (row.ceiling, row.ceiling_of) {
        (Some(most), Some(Limited::Ratio | Limited::RatioHere)) => format!("{most:.1} ×"),
        (Some(most), Some(Limited::Ns | Limited::Longest)) => time(most),
        (Some(most), Some(Limited::Bytes)) => size(most),
        _ => "stated".to_owned(),
    };
    let verdict = match row.met() {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "",
    };
    let line = Line {
        op: &row.op,
        cells: [
            count(row.n),
            measured(row.best_ns, row.bytes),
            measured(row.floor_ns, row.floor_bytes),
            row.ratio
                .map(|ratio| format!("{ratio:.2} ×"))
                .unwrap_or_default(),
            ceiling,
            verdict.to_owned(),
            row.instructions
                .map(|count| format!("{count:.0}"))
                .unwrap_or_default(),
            (row.instructions.zip(row.floor_instructions))
                .map(|(ours, floor)| format!("{:.2} ×", ours / floor))
                .unwrap_or_default(),
            row.peer_ns.map(time).unwrap_or_default(),
        ],
    };
    line.to_string()
}

/// One line of the table in fixed columns.
struct Line<'a> {
    op: &'a str,
    cells: [String; 9],
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| {:<47} |", self.op)?;
        for cell in &self.cells {
            write!(f, " {cell:>9} |")?;
        }
        Ok(())
    }
}

/// `1k`, `10k`, `100k`, `1M`.
#[must_use]
pub fn count(n: usize) -> String {
    match n {
        1_000_000.. if n.is_multiple_of(1_000_000) => format!("{}M", n / 1_000_000),
        1_000.. if n.is_multiple_of(1_000) => format!("{}k", n / 1_000),
        _ => n.to_string(),
    }
}

/// Nanoseconds in the unit that suits them.
#[must_use]
pub fn time(ns: f64) -> String {
    match ns {
        ..1e3 => format!("{ns:.0} ns"),
        1e3..1e6 => format!("{:.2} µs", ns / 1e3),
        1e6..1e9 => format!("{:.2} ms", ns / 1e6),
        _ => format!("{:.2} s", ns / 1e9),
    }
}

fn size(bytes: f64) -> String {
    format!("{bytes:.0} B")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Ceiling;

    #[test]
    fn a_miss_is_shouted_where_the_ceiling_holds() {
        let mut row = Row::new("join", 100_000).under(Ceiling::Ratio(3.0));
        (row.best_ns, row.floor_ns, row.ratio) = (Some(1234.0), Some(300.0), Some(4.11));
        (row.instructions, row.floor_instructions) = (Some(2500.0), Some(1000.0));
        let shown = line(&row);
        for part in [
            "join", "100k", "1.23 µs", "300 ns", "4.11 ×", "3.0 ×", "MISSED", "2500", "2.50 ×",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        row.n = 1_000_000;
        assert!(
            !line(&row).contains("MISSED"),
            "ratios are promised at 100k"
        );
    }

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!([1_000, 1_000_000, 1_500].map(count), ["1k", "1M", "1500"]);
        assert_eq!(
            [12.4, 2_500.0, 3e6, 4e9].map(time),
            ["12 ns", "2.50 µs", "3.00 ms", "4.00 s"]
        );
    }
}
