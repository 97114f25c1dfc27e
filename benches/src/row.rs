//! Rows of the table, as they are printed and as they are written.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::case::Ceiling;

/// One operation at one N. Times are per unit: an entry, a change or a call.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Row {
    /// The operation.
    pub op: String,
    /// N.
    pub n: usize,
    /// The operation's best time. Absent for what is counted in bytes.
    pub best_ns: Option<f64>,
    /// The floor's best time.
    pub floor_ns: Option<f64>,
    /// The one over the other.
    pub ratio: Option<f64>,
    /// The operation's instructions, if they were counted.
    #[serde(default)]
    pub instructions: Option<f64>,
    /// The floor's instructions.
    #[serde(default)]
    pub floor_instructions: Option<f64>,
    /// What may not be exceeded: see `ceiling_of`.
    pub ceiling: Option<f64>,
    /// What the ceiling limits: `ratio`, `ns` or `bytes`.
    pub ceiling_of: Option<Limited>,
    /// The best time of the `crdts` Orswot.
    pub peer_ns: Option<f64>,
    /// Counted bytes.
    pub bytes: Option<f64>,
    /// The same of a plain map.
    pub floor_bytes: Option<f64>,
    /// Pairs that were measured.
    pub samples: usize,
}

/// What a ceiling limits.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Limited {
    /// The operation's time over the floor's.
    Ratio,
    /// The operation's time over the floor's, at any N.
    RatioHere,
    /// Nanoseconds a call.
    Ns,
    /// Nanoseconds of the longest call, at any N.
    Longest,
    /// Bytes.
    Bytes,
}

/// The N at which the ceilings on ratios hold, and up to which those on times do.
pub const REFERENCE: usize = 100_000;

impl Row {
    /// A row with nothing measured.
    #[must_use]
    pub fn new(op: &str, n: usize) -> Self {
        Self {
            op: op.to_owned(),
            n,
            best_ns: None,
            floor_ns: None,
            ratio: None,
            instructions: None,
            floor_instructions: None,
            ceiling: None,
            ceiling_of: None,
            peer_ns: None,
            bytes: None,
            floor_bytes: None,
            samples: 0,
        }
    }

    /// Notes what the operation may cost.
    #[must_use]
    pub fn under(mut self, ceiling: Ceiling) -> Self {
        (self.ceiling, self.ceiling_of) = match ceiling {
            Ceiling::Ratio(most) => (Some(most), Some(Limited::Ratio)),
            Ceiling::Nanoseconds(most) => (Some(most), Some(Limited::Ns)),
            Ceiling::Longest(most) => (Some(most), Some(Limited::Longest)),
            Ceiling::Stated => (None, None),
        };
        self
    }

    /// Whether the ceiling is met; `None` where none applies at this N.
    #[must_use]
    pub fn met(&self) -> Option<bool> {
        let measured = match self.ceiling_of? {
            Limited::Ratio if self.n != REFERENCE => return None,
            Limited::Ns if self.n > REFERENCE => return None,
            Limited::Ratio | Limited::RatioHere => self.ratio,
            Limited::Ns | Limited::Longest => self.best_ns,
            Limited::Bytes => self.bytes,
        };
        Some(measured? <= self.ceiling?)
    }
}

/// Writes rows as JSON, one a line.
///
/// # Errors
///
/// Where the file cannot be written.
pub fn write(path: &Path, rows: &[Row]) -> Result<(), String> {
    let lines: Result<Vec<String>, _> = rows.iter().map(serde_json::to_string).collect();
    let lines = lines.map_err(|error| error.to_string())?;
    let text = format!("[\n{}\n]\n", lines.join(",\n"));
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Reads what [`write()`] wrote.
///
/// # Errors
///
/// Where the file cannot be read or holds something else.
pub fn read(path: &Path) -> Result<Vec<Row>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    serde_json::from_str(&text).map_err(|error| failed(&error))
}
