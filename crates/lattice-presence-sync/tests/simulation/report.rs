//! The table that a run prints.

use std::time::Duration;

use super::world::Tally;

/// One row: a run and what it counted.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) nodes: usize,
    pub(crate) tally: Tally,
    /// How long the run took, in earnest.
    pub(crate) took: Duration,
}

/// The head of the table.
pub(crate) const HEAD: &str = "\
| run | nodes | steps | changes | B per change and peer | B per idle node and s | questions | answers | answered B | settled: median | p99 | worst | took |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|";

impl Row {
    /// The row as a line of the table.
    pub(crate) fn line(&self) -> String {
        let tally = &self.tally;
        let spread = ["push", "question", "answer"];
        let peers = (self.nodes as u64 - 1).max(1);
        let per_change = tally
            .sent
            .bytes_of(&spread)
            .checked_div(tally.changes * peers);
        let time = |share| match tally.percentile(share) {
            Some(time) => format!("{:.2} s", time.as_secs_f64()),
            None => "–".to_owned(),
        };
        let or_none = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.1} s |",
            self.name,
            self.nodes,
            tally.steps,
            tally.changes,
            or_none(per_change.map(|bytes| bytes.to_string())),
            or_none(tally.idle.map(|bytes| format!("{bytes:.0}"))),
            tally.sent.messages_of("question"),
            tally.sent.messages_of("answer"),
            tally.sent.bytes_of(&["answer"]),
            time(0.5),
            time(0.99),
            time(1.0),
            self.took.as_secs_f64(),
        )
    }

    /// The faults that it met, and what was refused.
    pub(crate) fn faults(&self) -> String {
        let list = |counts: &std::collections::BTreeMap<&str, u64>| {
            let counts = counts.iter().map(|(kind, count)| format!("{kind} {count}"));
            counts.collect::<Vec<_>>().join(", ")
        };
        let (faults, refused) = (list(&self.tally.faults), list(&self.tally.refused));
        format!("{}: faults: {faults}; refused: {refused}", self.name)
    }
}
