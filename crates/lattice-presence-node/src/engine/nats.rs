//! The engine over NATS: core publish and subscribe, nothing stored.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event, Message, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::task::JoinHandle;

use super::token::{escape, speaker, speaker_of};
use super::{Engine, Events, Link, Local, SendError, StartError, To};

/// NATS: core publish and subscribe. Nothing is stored, and `JetStream` is not needed.
///
/// What it does when things go wrong is in `docs/running.md`; in short:
///
/// - **payloads** are as long as the server takes them ([`Link::max_payload`]);
/// - **slow**: what this node does not read in time is dropped, and reported as
///   [`Lagged`](super::Event::Lagged);
/// - **away**: `Disconnected` is reported, sending is refused, and the client connects
///   again by itself, for ever, with growing pauses of up to 4 s;
/// - **names**: the subject bears the sender's, so that permissions of the server can hold
///   each node to its own: `lattice.<cluster>.*.<name>.*` and
///   `lattice.<cluster>.one.*.<name>.*` to publish.
///
/// TLS, credentials, tokens and several servers are those of [`ConnectOptions`].
///
/// ```no_run
/// use lattice_presence_node::engine::Nats;
///
/// let engine = Nats::new("nats://127.0.0.1:4222");
/// ```
pub struct Nats {
    servers: String,
    options: ConnectOptions,
}

impl Nats {
    /// A client of these servers: one address, or several with commas.
    ///
    /// ```
    /// let _ = lattice_presence_node::engine::Nats::new("127.0.0.1:4222,127.0.0.1:4223");
    /// ```
    #[must_use]
    pub fn new(servers: impl Into<String>) -> Self {
        Self::with_options(servers, ConnectOptions::new())
    }

    /// A client with these options: TLS, credentials and whatever else the client has. Its
    /// callback for events and its echo are set anew.
    ///
    /// ```
    /// use lattice_presence_node::engine::Nats;
    ///
    /// let options = async_nats::ConnectOptions::with_user_and_password("a".into(), "b".into());
    /// let _ = Nats::with_options("tls://nats.example.org", options.require_tls(true));
    /// ```
    #[must_use]
    pub fn with_options(servers: impl Into<String>, options: ConnectOptions) -> Self {
        Self {
            servers: servers.into(),
            options,
        }
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options may hold secrets.
        f.write_str("Nats")
    }
}

/// Messages that wait at a subscription before more are dropped.
const WAITING: usize = 8_192;

/// How long the first connection may take.
const CONNECT: Duration = Duration::from_secs(5);

impl Engine for Nats {
    type Link = NatsLink;

    async fn start(self, local: Local, events: Events) -> Result<NatsLink, StartError> {
        let server = without_secrets(&self.servers);
        let reporter = Arc::new(Mutex::new(Some(events.clone())));
        let servers: Vec<&str> = self.servers.split(',').map(str::trim).collect();
        let told = Arc::clone(&reporter);
        let connecting = self
            .options
            .no_echo()
            .subscription_capacity(WAITING)
            .event_callback(move |event| {
                let events = lock(&told).clone();
                async move {
                    if let Some(events) = events {
                        report(&events, event);
                    }
                }
            })
            .connect(servers);
        let client = match tokio::time::timeout(CONNECT, connecting).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(StartError::connect(server, error)),
            Err(late) => return Err(StartError::connect(server, late)),
        };

        let prefix = format!("lattice.{}", escape(&local.cluster));
        let all = format!("{prefix}.all.*.*");
        let mine = format!("{prefix}.one.{}.*.*", escape(&local.name));
        let subscribe = async |subject| {
            let subscribed = client.subscribe(subject).await;
            subscribed.map_err(|error| StartError::failed("the subscription", error))
        };
        let (all, mut mine) = (subscribe(all).await?, subscribe(mine).await?);
        // Nobody may speak before the server knows whom to tell.
        let known =
            tokio::time::timeout(CONNECT, confirm(&client, &prefix, &local, &mut mine)).await;
        match known {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(StartError::failed("the subscription", error)),
            Err(late) => {
                let speaker = speaker(&local.name, '.');
                let what = format!(
                    "the server did not answer; may this node publish to {prefix}.one.*.{speaker}?"
                );
                return Err(StartError::failed(what, late));
            }
        }
        let spawn = |subscription| {
            tokio::spawn(read(subscription, events.clone(), Arc::clone(&local.name)))
        };
        Ok(NatsLink {
            speaker: speaker(&local.name, '.'),
            readers: [all, mine].map(spawn).into(),
            prefix,
            client,
            events: reporter,
        })
    }
}

/// A token that no name escapes to: nobody listens there.
const NOBODY: &str = "~0";

/// Waits until the server has read the subscriptions. A flush only hands them to the
/// socket; so this asks nobody, and the server itself answers, after what came before. What
/// arrives meanwhile is dropped: the node does not run yet, and is told all when it does.
async fn confirm(
    client: &Client,
    prefix: &str,
    local: &Local,
    mine: &mut Subscriber,
) -> Result<(), async_nats::PublishError> {
    let nobody = format!("{prefix}.one.{NOBODY}.{}", speaker(&local.name, '.'));
    let reply = format!("{prefix}.one.{}.{NOBODY}.{NOBODY}", escape(&local.name));
    client
        .publish_with_reply(nobody, reply, Bytes::new())
        .await?;
    while let Some(message) = mine.next().await {
        if message.status.is_some() {
            break;
        }
    }
    Ok(())
}

type Reporter = Mutex<Option<Events>>;

fn lock(reporter: &Reporter) -> std::sync::MutexGuard<'_, Option<Events>> {
    reporter.lock().unwrap_or_else(PoisonError::into_inner)
}

fn report(events: &Events, event: Event) {
    match event {
        Event::Connected => events.connected(),
        Event::Disconnected | Event::Closed => events.disconnected(event.to_string()),
        Event::SlowConsumer(_) => events.lagged(None),
        Event::ServerError(error) => tracing::warn!(%error, "the NATS server reports an error"),
        Event::ClientError(error) => tracing::debug!(%error, "the NATS client reports an error"),
        Event::LameDuckMode | Event::Draining => {
            tracing::info!(%event, "the NATS server will go away");
        }
    }
}

async fn read(mut subscription: Subscriber, events: Events, name: Arc<str>) {
    while let Some(Message {
        subject, payload, ..
    }) = subscription.next().await
    {
        // A subject that nobody of us made: somebody else publishes under our prefix.
        let Some(from) = speaker_of(&subject, '.') else {
            continue;
        };
        if from != *name {
            events.offer(from.into(), payload);
        }
    }
}

fn without_secrets(servers: &str) -> String {
    let hide = |server: &str| match server.rsplit_once('@') {
        Some((_, host)) => host.to_string(),
        None => server.trim().to_string(),
    };
    servers.split(',').map(hide).collect::<Vec<_>>().join(", ")
}

/// What [`Nats`] starts.
///
/// ```no_run
/// use lattice_presence_node::engine::{Engine, Link, Local, Nats, events};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let engine = Nats::new("127.0.0.1:4222");
/// let link = engine.start(Local::new("chat", "berlin-1"), events().0).await?;
/// assert!(link.max_payload() > 1024);
/// # Ok::<(), lattice_presence_node::engine::StartError>(())
/// # }).unwrap();
/// ```
pub struct NatsLink {
    client: Client,
    prefix: String,
    speaker: String,
    readers: Vec<JoinHandle<()>>,
    /// Emptied at the end: the client keeps its callback as long as it lives.
    events: Arc<Reporter>,
}

impl fmt::Debug for NatsLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsLink")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Link for NatsLink {
    fn max_payload(&self) -> usize {
        self.client.max_payload()
    }

    async fn send(&mut self, to: To<'_>, payload: Bytes) -> Result<(), SendError> {
        SendError::check(payload.len(), self.max_payload())?;
        // What is published now would wait for the server, and arrive when it is old.
        if self.client.connection_state() != State::Connected {
            return Err(SendError::Disconnected);
        }
        let (prefix, speaker) = (&self.prefix, &self.speaker);
        let subject = match to {
            To::All => format!("{prefix}.all.{speaker}"),
            To::One(name) => format!("{prefix}.one.{}.{speaker}", escape(name)),
        };
        let sent = self.client.publish(subject, payload).await;
        sent.map_err(SendError::failed)
    }

    async fn close(self) {
        // Without a server this would wait for one.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.client.flush()).await;
        for reader in &self.readers {
            reader.abort();
        }
        lock(&self.events).take();
    }
}

impl Drop for NatsLink {
    fn drop(&mut self) {
        for reader in &self.readers {
            reader.abort();
        }
        lock(&self.events).take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_do_not_show_passwords() {
        let shown = without_secrets("nats://bob:secret@10.0.0.1:4222, 10.0.0.2");
        assert_eq!(shown, "10.0.0.1:4222, 10.0.0.2");
    }
}
