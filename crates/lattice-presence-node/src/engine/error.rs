//! Why an engine does not start, and why a payload is not sent.

use alloc::boxed::Box;
use alloc::string::String;
use core::error::Error as StdError;

use thiserror::Error;

/// A cause of any kind.
type Source = Box<dyn StdError + Send + Sync>;

/// Why an engine did not start. Nothing is left running.
///
/// ```
/// use lattice_presence_node::engine::StartError;
///
/// let error = StartError::connect("nats://127.0.0.1:4222", "connection refused");
/// assert_eq!(error.to_string(), "no connection to nats://127.0.0.1:4222");
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The settings make no sense to the engine.
    #[error("the engine's settings: {what}")]
    Settings {
        /// What is wrong.
        what: String,
    },
    /// The engine does not run on this runtime.
    #[error(
        "{engine} needs a multi-thread tokio runtime: write `#[tokio::main]` without a flavor, or \
             `#[tokio::test(flavor = \"multi_thread\")]`"
    )]
    Runtime {
        /// The engine.
        engine: &'static str,
    },
    /// There is no connection.
    #[error("no connection to {to}")]
    Connect {
        /// The other side, without secrets.
        to: String,
        /// The cause.
        source: Source,
    },
    /// Something else went wrong.
    #[error("the engine did not start: {what}")]
    Failed {
        /// What did not work.
        what: String,
        /// The cause.
        source: Source,
    },
}

impl StartError {
    /// The settings make no sense.
    ///
    /// ```
    /// # use lattice_presence_node::engine::StartError;
    /// let error = StartError::settings("no address");
    /// assert_eq!(error.to_string(), "the engine's settings: no address");
    /// ```
    #[must_use]
    pub fn settings(what: impl Into<String>) -> Self {
        Self::Settings { what: what.into() }
    }

    /// There is no connection to `to`.
    ///
    /// ```
    /// # use lattice_presence_node::engine::StartError;
    /// let error = StartError::connect("redis", "refused");
    /// assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "refused");
    /// ```
    #[must_use]
    pub fn connect(to: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::Connect {
            to: to.into(),
            source: source.into(),
        }
    }

    /// `what` did not work.
    ///
    /// ```
    /// # use lattice_presence_node::engine::StartError;
    /// let error = StartError::failed("the subscription", "not allowed");
    /// assert_eq!(error.to_string(), "the engine did not start: the subscription");
    /// ```
    #[must_use]
    pub fn failed(what: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::Failed {
            what: what.into(),
            source: source.into(),
        }
    }
}

/// Why a payload was not sent. It reaches nobody, and the link continues to work.
///
/// ```
/// use lattice_presence_node::engine::SendError;
///
/// let error = SendError::TooLong { length: 70_000, limit: 65_536 };
/// assert_eq!(error.to_string(), "a payload of 70000 bytes is over the engine's limit of 65536");
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SendError {
    /// It is longer than [`max_payload`](super::Link::max_payload).
    #[error("a payload of {length} bytes is over the engine's limit of {limit}")]
    TooLong {
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// There is no connection at present.
    #[error("the engine has no connection at present")]
    Disconnected,
    /// Something else went wrong.
    #[error("the engine did not send")]
    Failed {
        /// The cause.
        source: Source,
    },
}

impl SendError {
    /// It failed for another reason.
    ///
    /// ```
    /// # use lattice_presence_node::engine::SendError;
    /// let error = SendError::failed("broken pipe");
    /// assert_eq!(error.to_string(), "the engine did not send");
    /// ```
    #[must_use]
    pub fn failed(source: impl Into<Source>) -> Self {
        Self::Failed {
            source: source.into(),
        }
    }

    /// An error if `length` is over `limit`.
    ///
    /// # Errors
    ///
    /// [`TooLong`](Self::TooLong).
    ///
    /// ```
    /// # use lattice_presence_node::engine::SendError;
    /// assert!(SendError::check(10, 10).is_ok());
    /// assert!(SendError::check(11, 10).is_err());
    /// ```
    pub const fn check(length: usize, limit: usize) -> Result<(), Self> {
        if length > limit {
            return Err(Self::TooLong { length, limit });
        }
        Ok(())
    }
}
