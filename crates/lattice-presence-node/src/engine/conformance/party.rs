//! One node of the suite: a link, and what it received.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::Violation;
use crate::engine::{Engine, Event, EventStream, Link, Local, SendError, To, events};

/// How long something may take that must happen. The machine may be busy.
pub(super) const PATIENCE: Duration = Duration::from_secs(45);

/// How long the suite waits for something that must not happen.
pub(super) const SILENCE: Duration = Duration::from_millis(300);

/// A payload may be lost. It is sent again after this time.
const AGAIN: Duration = Duration::from_millis(100);

pub(super) struct Party<L> {
    pub(super) name: &'static str,
    pub(super) link: L,
    pub(super) received: EventStream,
    /// The events that are not messages.
    pub(super) words: Vec<Event>,
}

impl<L: Link> Party<L> {
    pub(super) async fn start<E: Engine<Link = L>>(
        engine: E,
        cluster: &str,
        name: &'static str,
    ) -> Result<Self, Violation> {
        let check = "a start";
        let violation = |what| Violation { check, what };
        let (events, received) = events();
        let started = timeout(PATIENCE, engine.start(Local::new(cluster, name), events)).await;
        let link = started
            .map_err(|_| violation(format!("`{name}` did not start within {PATIENCE:?}")))?
            .map_err(|error| violation(format!("`{name}` did not start: {error}")))?;
        Ok(Self {
            name,
            link,
            received,
            words: Vec::new(),
        })
    }

    /// Sends once. An error is about this payload only, and breaks no rule.
    pub(super) async fn send(
        &mut self,
        to: To<'_>,
        payload: &Bytes,
    ) -> Result<Result<(), SendError>, Violation> {
        let sent = timeout(PATIENCE, self.link.send(to, payload.clone())).await;
        sent.map_err(|_| Violation {
            check: "a send returns",
            what: format!("`{}` to {to}: nothing within {PATIENCE:?}", self.name),
        })
    }

    /// The sender of that payload, if it arrives within `patience`. Other messages are
    /// ignored.
    pub(super) async fn sender_of(
        &mut self,
        payload: &Bytes,
        patience: Duration,
    ) -> Option<String> {
        let until = Instant::now() + patience;
        loop {
            match tokio::time::timeout_at(until, self.received.next()).await {
                Ok(Some(Event::Message { from, payload: p })) if p == *payload => {
                    return Some(from.to_string());
                }
                Ok(Some(Event::Message { .. })) => {}
                Ok(Some(word)) => self.words.push(word),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// Whether such an event has come, or comes in time.
    pub(super) async fn has_said(&mut self, is_it: impl Fn(&Event) -> bool) -> bool {
        let until = Instant::now() + PATIENCE;
        loop {
            if self.words.iter().any(&is_it) {
                return true;
            }
            match tokio::time::timeout_at(until, self.received.next()).await {
                Ok(Some(Event::Message { .. })) => {}
                Ok(Some(word)) => self.words.push(word),
                Ok(None) | Err(_) => return false,
            }
        }
    }
}

/// Sends until the payload has arrived at `receiver`, with the right sender.
pub(super) async fn pass<L: Link>(
    check: &'static str,
    sender: &mut Party<L>,
    to_all: bool,
    receiver: &mut Party<L>,
    payload: &Bytes,
) -> Result<(), Violation> {
    let until = Instant::now() + PATIENCE;
    let to = if to_all {
        To::All
    } else {
        To::One(receiver.name)
    };
    let mut last_error = None;
    while Instant::now() < until {
        if let Err(error) = sender.send(to, payload).await? {
            last_error = Some(error.to_string());
        }
        let Some(from) = receiver.sender_of(payload, AGAIN).await else {
            continue;
        };
        if from == sender.name {
            return Ok(());
        }
        let what = format!("`{}` spoke, and the engine said `{from}`", sender.name);
        return Err(Violation { check, what });
    }
    let (from, to, length) = (sender.name, receiver.name, payload.len());
    let what = format!(
        "{length} bytes from `{from}` did not reach `{to}` within {PATIENCE:?}{}",
        last_error.map_or_else(Default::default, |error| format!(
            "; the last error: {error}"
        ))
    );
    Err(Violation { check, what })
}
