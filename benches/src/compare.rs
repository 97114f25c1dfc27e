//! An earlier run beside this one.

use crate::row::Row;
use crate::table::{count, time};

/// A table of the rows that both runs have: ratios where there is a floor,
/// else times or bytes.
#[must_use]
pub fn table(before: &[Row], now: &[Row]) -> String {
    let mut text = format!(
        "| {:<47} | {:>5} | {:>9} | {:>9} | {:>7} |\n| --- | ---: | ---: | ---: | ---: |",
        "operation", "N", "before", "now", "change"
    );
    for row in now {
        let same = |old: &&Row| old.op == row.op && old.n == row.n;
        let Some(old) = before.iter().find(same) else {
            continue;
        };
        let Some((show, was, is)) = figures(old, row) else {
            continue;
        };
        let change = match was {
            0.0 => String::new(),
            _ => format!("{:+.0} %", (is / was - 1.0) * 100.0),
        };
        let (was, is) = (show(was), show(is));
        text.push_str(&format!(
            "\n| {:<47} | {:>5} | {was:>9} | {is:>9} | {change:>7} |",
            row.op,
            count(row.n)
        ));
    }
    text
}

type Show = fn(f64) -> String;

fn figures(old: &Row, new: &Row) -> Option<(Show, f64, f64)> {
    let ratio: Show = |ratio| format!("{ratio:.2} ×");
    let bytes: Show = |bytes| format!("{bytes:.0} B");
    let both = |show, a: Option<f64>, b: Option<f64>| Some((show, a?, b?));
    both(ratio, old.ratio, new.ratio)
        .or_else(|| both(time, old.best_ns, new.best_ns))
        .or_else(|| both(bytes, old.bytes, new.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_compared_and_strangers_left_out() {
        let ratio = |op: &str, ratio| Row {
            ratio: Some(ratio),
            ..Row::new(op, 1000)
        };
        let shown = table(
            &[ratio("join", 2.0)],
            &[ratio("join", 1.5), ratio("new", 1.0)],
        );
        let last = shown.lines().last().unwrap_or_default();
        for part in ["join", "2.00 ×", "1.50 ×", "-25 %"] {
            assert!(last.contains(part), "{part} in {last}");
        }
        assert!(!shown.contains("new"));
    }
}
