//! A suite that every engine must pass (feature `conformance`).
//!
//! [`check`] starts four nodes on an engine, and checks the rules of the [module
//! above](super). In a test:
//!
//! ```
//! use lattice_presence_node::engine::{Memory, conformance};
//!
//! # let runtime = tokio::runtime::Runtime::new().unwrap();
//! # runtime.block_on(async {
//! let memory = Memory::new();
//! let report = conformance::check(|| memory.clone()).await.unwrap();
//! println!("{report}");
//! # });
//! ```
//!
//! If your test can break the connections and repair them, implement [`Harness`] and call
//! [`check_with`]. Then the suite also checks what happens in this case.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;

use thiserror::Error;

use super::Engine;

mod checks;
mod party;

/// What a test gives to the suite: engines, and a way to break their connections.
///
/// ```
/// use lattice_presence_node::engine::{Memory, conformance};
///
/// struct Cable(Memory);
///
/// impl conformance::Harness for Cable {
///     type Engine = Memory;
///
///     fn engine(&mut self) -> Memory {
///         self.0.clone()
///     }
///
///     async fn cut(&mut self) -> bool {
///         for node in conformance::NAMES {
///             self.0.disconnect(node);
///         }
///         true
///     }
///
///     async fn mend(&mut self) {
///         for node in conformance::NAMES {
///             self.0.reconnect(node);
///         }
///     }
/// }
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let report = conformance::check_with(&mut Cable(Memory::new())).await.unwrap();
/// assert!(report.skipped().is_empty());
/// # });
/// ```
pub trait Harness: Send {
    /// The engine to check.
    type Engine: Engine;

    /// An engine for another node, on the same network as the others.
    fn engine(&mut self) -> Self::Engine;

    /// Breaks every connection. It returns `false` if that is not possible. Then the check
    /// is skipped.
    fn cut(&mut self) -> impl Future<Output = bool> + Send {
        async { false }
    }

    /// Makes connections possible again.
    fn mend(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// The names of the nodes that the suite starts. They are difficult on purpose.
///
/// ```
/// assert_eq!(lattice_presence_node::engine::conformance::NAMES.len(), 4);
/// ```
pub const NAMES: [&str; 4] = [
    "plain",
    "a.b/c:d*e>f g$h#i?j~k",
    "\u{e9}\u{65e5}\u{672c} \u{1f980}",
    "lattice-presence:v1:AAAAAAAAAAAAAAAAAAAAAA:berlin-1",
];

/// What was checked.
///
/// ```
/// use lattice_presence_node::engine::{Memory, conformance};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let memory = Memory::new();
/// let report = conformance::check(|| memory.clone()).await.unwrap();
/// assert!(report.passed().contains(&"payloads at and over the limit"));
/// assert_eq!(report.skipped(), ["a cut, and a mend"]);
/// # });
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    passed: Vec<&'static str>,
    skipped: Vec<&'static str>,
}

impl Report {
    /// The checks that passed.
    ///
    /// ```
    /// let report = lattice_presence_node::engine::conformance::Report::default();
    /// assert!(report.passed().is_empty());
    /// ```
    #[must_use]
    pub fn passed(&self) -> &[&'static str] {
        &self.passed
    }

    /// The checks that the harness cannot do.
    ///
    /// ```
    /// let report = lattice_presence_node::engine::conformance::Report::default();
    /// assert!(report.skipped().is_empty());
    /// ```
    #[must_use]
    pub fn skipped(&self) -> &[&'static str] {
        &self.skipped
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.passed {
            writeln!(f, "passed   {check}")?;
        }
        for check in &self.skipped {
            writeln!(f, "SKIPPED  {check}")?;
        }
        Ok(())
    }
}

/// A rule that an engine breaks.
///
/// ```
/// use lattice_presence_node::engine::{Alone, conformance};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
/// # runtime.block_on(async {
/// // Nobody hears anybody: that is no engine for a cluster.
/// let violation = conformance::check(|| Alone).await.unwrap_err();
/// assert_eq!(violation.check, "to all, with the sender's name");
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{check}: {what}")]
#[non_exhaustive]
pub struct Violation {
    /// The check that failed.
    pub check: &'static str,
    /// What happened instead.
    pub what: String,
}

/// Checks the engines that `make` makes, each for another node of one network.
///
/// It takes some seconds if there is no error, and up to a minute if there is one.
///
/// # Errors
///
/// The first rule that the engine breaks.
///
/// ```
/// use lattice_presence_node::engine::{Memory, conformance};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let memory = Memory::new();
/// assert!(conformance::check(|| memory.clone()).await.is_ok());
/// # });
/// ```
pub async fn check<E: Engine>(make: impl FnMut() -> E + Send) -> Result<Report, Violation> {
    struct Only<F>(F);
    impl<E: Engine, F: FnMut() -> E + Send> Harness for Only<F> {
        type Engine = E;

        fn engine(&mut self) -> E {
            (self.0)()
        }
    }
    check_with(&mut Only(make)).await
}

/// Checks the engines of a [`Harness`].
///
/// # Errors
///
/// The first rule that the engine breaks.
///
/// See [`Harness`] for an example.
///
/// ```
/// # use lattice_presence_node::engine::{Memory, conformance};
/// # struct Cable(Memory);
/// # impl conformance::Harness for Cable {
/// #     type Engine = Memory;
/// #     fn engine(&mut self) -> Memory { self.0.clone() }
/// # }
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let report = conformance::check_with(&mut Cable(Memory::new())).await.unwrap();
/// assert_eq!(report.skipped().len(), 1);
/// # });
/// ```
pub async fn check_with<H: Harness>(harness: &mut H) -> Result<Report, Violation> {
    checks::Suite::start(harness).await?.run().await
}
