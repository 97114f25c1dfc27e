//! Measures how long something takes, and compares it.

use std::time::Instant;

use cpu_time::ThreadTime;

use crate::Result;

/// What one operation took, in nanoseconds.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cost {
    /// CPU time of this thread.
    pub(crate) work: f64,
    /// Time until it was done.
    pub(crate) wall: f64,
}

/// A span of work of this thread.
pub(crate) struct Clock(ThreadTime, Instant);

impl Clock {
    pub(crate) fn start() -> Result<Self> {
        Ok(Self(ThreadTime::try_now()?, Instant::now()))
    }

    pub(crate) fn stop(&self, times: u32) -> Result<Cost> {
        let times = f64::from(times);
        Ok(Cost {
            work: self.0.try_elapsed()?.as_nanos() as f64 / times,
            wall: self.1.elapsed().as_nanos() as f64 / times,
        })
    }
}

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Operations that are measured in turns.
pub(crate) struct Table {
    rows: Vec<(&'static str, Vec<Cost>)>,
}

impl Table {
    pub(crate) const fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// What an operation took in one more turn.
    pub(crate) fn add(&mut self, what: &'static str, cost: Cost) {
        match self.rows.iter_mut().find(|(row, _)| *row == what) {
            Some((_, turns)) => turns.push(cost),
            None => self.rows.push((what, vec![cost])),
        }
    }

    fn turns(&self, what: &str) -> &[Cost] {
        let row = self.rows.iter().find(|(row, _)| *row == what);
        row.map_or(&[], |(_, turns)| turns)
    }

    pub(crate) fn head() {
        println!("| what | work | time | beside | work | time |");
        println!("|---|---:|---:|---|---:|---:|");
    }

    /// Prints a row, and the ratio of its work and time to those of another row.
    pub(crate) fn print(&self, what: &str, beside: &str) {
        let (turns, base) = (self.turns(what), self.turns(beside));
        let micros = |of: fn(&Cost) -> f64| median(turns.iter().map(of)) / 1e3;
        let ratio = |of: fn(&Cost) -> f64| {
            let ratios = turns
                .iter()
                .zip(base)
                .map(|(one, other)| of(one) / of(other));
            format!("{:.2} ×", median(ratios))
        };
        let (work, wall) = (micros(|cost| cost.work), micros(|cost| cost.wall));
        let ratios = if base.is_empty() {
            " | ".into()
        } else {
            format!("{} | {}", ratio(|cost| cost.work), ratio(|cost| cost.wall))
        };
        println!("| {what} | {work:.2} µs | {wall:.2} µs | {beside} | {ratios} |");
    }
}
