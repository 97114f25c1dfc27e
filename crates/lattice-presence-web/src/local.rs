//! Presence of one process, for tests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use lattice_presence::{Diff, PresenceState};
use lattice_presence_json::JsonMeta;
use tokio::sync::{broadcast, mpsc};

use crate::backend::{Backend, Change, Connection, Entry};
use crate::server::{Server, Web};
use crate::{Channels, Config};

/// Presence of one process.
#[derive(Clone, Debug)]
pub struct Local {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    messages: broadcast::Sender<(usize, Arc<str>, Bytes)>,
}

#[derive(Debug)]
struct Inner {
    state: PresenceState<JsonMeta>,
    pids: u64,
    readers: Vec<(Option<String>, mpsc::UnboundedSender<Change>)>,
}

impl Default for Local {
    fn default() -> Self {
        Self::new()
    }
}

impl Local {
    /// Nobody is there.
    #[must_use]
    pub fn new() -> Self {
        let inner = Inner {
            state: PresenceState::new("local"),
            pids: 0,
            readers: Vec::new(),
        };
        let shared = Shared {
            inner: Mutex::new(inner),
            messages: broadcast::channel(1024).0,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The endpoint.
    pub fn web<A: Channels>(&self, app: A, config: Config) -> Web<A> {
        Web::of(Server::new(
            Arc::new(self.clone()),
            "local".into(),
            app,
            config,
        ))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.shared
            .inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn show(&mut self, diff: &Diff<JsonMeta>) {
        self.readers.retain(|(topic, reader)| {
            let concerns =
                |entry: &&Entry| topic.as_deref().is_none_or(|topic| entry.topic() == topic);
            let joins: Vec<Entry> = diff.joins().filter(concerns).cloned().collect();
            let leaves: Vec<Entry> = diff.leaves().filter(concerns).cloned().collect();
            let silent = joins.is_empty() && leaves.is_empty();
            if silent {
                !reader.is_closed()
            } else {
                reader.send(Change::Diff { joins, leaves }).is_ok()
            }
        });
    }
}

impl Backend for Local {
    fn connect(&self) -> Box<dyn Connection> {
        let mut inner = self.inner();
        inner.pids += 1;
        let pid = inner.pids.to_string();
        drop(inner);
        Box::new(Pid {
            local: self.clone(),
            pid,
        })
    }

    fn watch(&self, topic: Option<&str>) -> BoxStream<'static, Change> {
        let mut inner = self.inner();
        let (sender, receiver) = mpsc::unbounded_channel();
        let entries = match topic {
            Some(topic) => inner.state.get_by_topic(topic).cloned().collect(),
            None => inner.state.online_list().cloned().collect(),
        };
        let _ = sender.send(Change::Snapshot(entries));
        inner.readers.push((topic.map(str::to_owned), sender));
        stream::unfold(receiver, async |mut receiver| {
            Some((receiver.recv().await?, receiver))
        })
        .boxed()
    }

    fn publish(&self, topic: &str, message: Bytes) {
        let _ =
            self.shared
                .messages
                .send((Arc::as_ptr(&self.shared) as usize, topic.into(), message));
    }

    fn messages(&self) -> BoxStream<'static, (Arc<str>, Bytes)> {
        stream::pending().boxed()
    }
}

struct Pid {
    local: Local,
    pid: String,
}

impl Connection for Pid {
    fn track(&self, topic: &str, key: &str, meta: &JsonMeta) -> Result<(), String> {
        let mut inner = self.local.inner();
        let diff = inner
            .state
            .join(&self.pid, topic, key, meta.clone())
            .map_err(|error| error.to_string())?;
        inner.show(&diff);
        Ok(())
    }

    fn untrack(&self, topic: &str, key: &str) {
        let mut inner = self.local.inner();
        let diff = inner.state.leave(&self.pid, topic, key);
        inner.show(&diff);
    }
}

impl Drop for Pid {
    fn drop(&mut self) {
        let mut inner = self.local.inner();
        let diff = inner.state.leave_by_pid(&self.pid);
        inner.show(&diff);
    }
}
