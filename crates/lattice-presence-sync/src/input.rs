//! What may happen outside, as a value.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use lattice_presence::{Message, ReplicaId};
use thiserror::Error;

use crate::edits::WriteError;
use crate::event::Hint;
use crate::machine::Sync;
use crate::refused::Refused;

/// What happened outside, for loops that take everything from one queue. Each is a call of
/// [`Sync`], under its name.
///
/// ```
/// use core::time::Duration;
/// use lattice_presence::PresenceState;
/// use lattice_presence_sync::{Config, Input, Sync};
///
/// let mut node = Sync::new(PresenceState::new("a"), Config::new("chat"), 1)?;
/// let (pid, topic, key) = ("pid-1".to_owned(), "room".to_owned(), "alice".to_owned());
/// node.handle(Duration::ZERO, Input::Join { pid, topic, key, meta: "online" })?;
/// assert!(node.state().contains("pid-1", "room", "alice"));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input<M> {
    /// [`Sync::join`].
    Join {
        /// Of the connection.
        pid: String,
        /// Where.
        topic: String,
        /// As whom.
        key: String,
        /// What others see of it.
        meta: M,
    },
    /// [`Sync::update`].
    Update {
        /// Of the connection.
        pid: String,
        /// Where.
        topic: String,
        /// As whom.
        key: String,
        /// What others see of it from now on.
        meta: M,
    },
    /// [`Sync::leave`].
    Leave {
        /// Of the connection.
        pid: String,
        /// Where.
        topic: String,
        /// As whom.
        key: String,
    },
    /// [`Sync::leave_by_pid`].
    LeaveByPid {
        /// Of the connection that ended.
        pid: String,
    },
    /// [`Sync::receive`].
    Receive {
        /// Who said it, as the transport knows it.
        from: ReplicaId,
        /// What was said. In a box: it is large, and most inputs are not.
        message: Box<Message<M>>,
    },
    /// [`Sync::hint`].
    Hint {
        /// Of whom.
        peer: ReplicaId,
        /// What the transport believes of it.
        hint: Hint,
    },
    /// [`Sync::leave_cluster`].
    LeaveCluster,
}

/// Why an [`Input`] was refused. Nothing changed.
///
/// ```
/// use core::time::Duration;
/// use lattice_presence::{PresenceState, UpdateError};
/// use lattice_presence_sync::{Config, Input, InputError, Sync, WriteError};
///
/// let mut node = Sync::new(PresenceState::new("a"), Config::new("chat"), 1)?;
/// let (pid, topic, key) = ("pid-1".to_owned(), "room".to_owned(), "alice".to_owned());
/// let update = Input::Update { pid, topic, key, meta: "away" };
/// let absent = InputError::Write(WriteError::Update(UpdateError::Absent));
/// assert_eq!(node.handle(Duration::ZERO, update), Err(absent));
/// # Ok::<(), lattice_presence_sync::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InputError {
    /// The node could not write.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The message was refused.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl<M> Sync<M> {
    /// Takes one [`Input`]: the call of its name, at its cost. What that call gives back is
    /// dropped; what it changed is in the events.
    ///
    /// # Errors
    ///
    /// Those of the call; nothing changed.
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Config, Input, Sync};
    /// # use core::time::Duration;
    /// let node = |name: &str| Sync::new(PresenceState::new(name), Config::new("chat"), 1);
    /// let (mut a, mut b) = (node("a")?, node("b")?);
    /// a.join(Duration::ZERO, "pid-1", "room", "alice", "online")?;
    /// let message = Box::new(a.poll_transmit(Duration::ZERO).unwrap().message);
    /// b.handle(Duration::ZERO, Input::Receive { from: "a".into(), message })?;
    /// assert!(b.state().contains("pid-1", "room", "alice"));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn handle(&mut self, now: Duration, input: Input<M>) -> Result<(), InputError> {
        match input {
            Input::Join {
                pid,
                topic,
                key,
                meta,
            } => {
                self.join(now, &pid, &topic, &key, meta)?;
            }
            Input::Update {
                pid,
                topic,
                key,
                meta,
            } => {
                self.update(now, &pid, &topic, &key, meta)?;
            }
            Input::Leave { pid, topic, key } => {
                self.leave(now, &pid, &topic, &key);
            }
            Input::LeaveByPid { pid } => {
                self.leave_by_pid(now, &pid);
            }
            Input::Receive { from, message } => self.receive(now, &from, *message)?,
            Input::Hint { peer, hint } => self.hint(now, &peer, hint),
            Input::LeaveCluster => self.leave_cluster(now),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use lattice_presence::{PresenceState, UpdateError};

    use super::*;
    use crate::Config;

    type Node = Sync<&'static str>;
    type Call = fn(&mut Node, Duration) -> Result<(), InputError>;

    fn node(name: &str) -> Node {
        Sync::new(PresenceState::new(name), Config::new("c"), 1).unwrap()
    }

    /// What a machine sends and tells.
    fn told(node: &mut Node, now: Duration) -> Vec<String> {
        node.advance(now);
        let mut told = Vec::new();
        while let Some(transmit) = node.poll_transmit(now) {
            told.push(std::format!("{transmit:?}"));
        }
        while let Some(event) = node.poll_event() {
            told.push(std::format!("{event:?}"));
        }
        told
    }

    fn message() -> Message<&'static str> {
        let mut peer = node("b");
        peer.join(Duration::ZERO, "q", "room", "bob", "here")
            .unwrap();
        peer.poll_transmit(Duration::ZERO).unwrap().message
    }

    /// Of another cluster: refused.
    fn foreign() -> Message<&'static str> {
        let mut foreign = message();
        foreign.cluster = "other".into();
        foreign
    }

    fn join() -> Input<&'static str> {
        let (pid, topic, key) = ("p".into(), "room".into(), "ada".into());
        Input::Join {
            pid,
            topic,
            key,
            meta: "on",
        }
    }

    fn update() -> Input<&'static str> {
        let (pid, topic, key) = ("p".into(), "room".into(), "ada".into());
        Input::Update {
            pid,
            topic,
            key,
            meta: "off",
        }
    }

    fn leave() -> Input<&'static str> {
        let (pid, topic, key) = ("p".into(), "room".into(), "ada".into());
        Input::Leave { pid, topic, key }
    }

    fn receive(message: Message<&'static str>) -> Input<&'static str> {
        Input::Receive {
            from: "b".into(),
            message: Box::new(message),
        }
    }

    #[test]
    fn each_input_is_the_call_of_its_name() {
        let call_join: Call = |node, now| Ok(node.join(now, "p", "room", "ada", "on").map(drop)?);
        let hint = Input::Hint {
            peer: "b".into(),
            hint: Hint::Lost,
        };
        let cases: [(Input<&'static str>, Call); 9] = [
            (join(), call_join),
            (update(), |node, now| {
                Ok(node.update(now, "p", "room", "ada", "off").map(drop)?)
            }),
            (receive(message()), |node, now| {
                Ok(node.receive(now, &"b".into(), message())?)
            }),
            (receive(foreign()), |node, now| {
                Ok(node.receive(now, &"b".into(), foreign())?)
            }),
            (hint, |node, now| {
                node.hint(now, &"b".into(), Hint::Lost);
                Ok(())
            }),
            (leave(), |node, now| {
                node.leave(now, "p", "room", "ada");
                Ok(())
            }),
            (join(), call_join),
            (Input::LeaveByPid { pid: "p".into() }, |node, now| {
                node.leave_by_pid(now, "p");
                Ok(())
            }),
            (Input::LeaveCluster, |node, now| {
                node.leave_cluster(now);
                Ok(())
            }),
        ];
        let (mut by_input, mut by_call) = (node("a"), node("a"));
        for (second, (input, call)) in cases.into_iter().enumerate() {
            let now = Duration::from_secs(second as u64);
            let shown = std::format!("{input:?}");
            assert_eq!(
                by_input.handle(now, input),
                call(&mut by_call, now),
                "{shown}"
            );
            let expected = told(&mut by_call, now);
            assert!(!expected.is_empty(), "{shown}: nothing to see");
            assert_eq!(told(&mut by_input, now), expected, "{shown}");
        }
    }

    #[test]
    fn what_is_refused_says_why_and_changes_nothing() {
        let mut node = node("a");
        let refused = node.handle(Duration::ZERO, update());
        assert_eq!(refused, Err(WriteError::Update(UpdateError::Absent).into()));
        assert_eq!((node.state().len(), node.poll_event().is_none()), (0, true));
    }
}
