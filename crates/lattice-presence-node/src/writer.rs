//! The task that sends. Only this task waits for the engine.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::Meta;
use crate::engine::{BoxedLink, Link, SendError, To};
use crate::shared::Shared;
use crate::throttle::Throttle;

/// How long the engine may take for one payload.
const SEND: Duration = Duration::from_secs(1);

/// How long the engine may take to close.
const CLOSE: Duration = Duration::from_secs(5);

/// The most payloads that wait for the engine. There are few, because changes that wait in
/// the machine are merged, and payloads that wait here are not.
pub(crate) const MAX_WAITING: usize = 4;

/// A payload that waits to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    /// The receiver: one node, or all.
    pub(crate) to: Option<String>,
    pub(crate) kind: &'static str,
    pub(crate) payload: Bytes,
}

/// Sends until the queue is closed and empty. Then it closes the engine.
pub(crate) async fn run<M: Meta>(
    shared: Arc<Shared<M>>,
    mut link: BoxedLink,
    mut queue: mpsc::Receiver<Outgoing>,
) {
    let mut throttle = Throttle::default();
    while let Some(outgoing) = queue.recv().await {
        let (kind, length) = (outgoing.kind, outgoing.payload.len());
        let to = outgoing.to.as_deref().map_or(To::All, To::One);
        let sent = tokio::time::timeout(SEND, link.send(to, outgoing.payload)).await;
        // It may have changed with a new connection.
        shared.set_max_payload(link.max_payload());
        let reason = match &sent {
            Ok(Ok(())) => {
                shared.stats.sent(kind, length);
                continue;
            }
            Ok(Err(SendError::Disconnected)) => "disconnected",
            Ok(Err(SendError::TooLong { .. })) => "too_long",
            Ok(Err(_)) => "failed",
            Err(_) => "slow",
        };
        shared.stats.unsent(reason);
        if let Some(suppressed) = throttle.pass() {
            let error = sent.err().map(|late| late.to_string());
            tracing::warn!(kind, %to, reason, error, suppressed, "a message was not sent");
        }
    }
    if tokio::time::timeout(CLOSE, link.close()).await.is_err() {
        tracing::warn!("the engine did not close within {CLOSE:?}");
    }
}
