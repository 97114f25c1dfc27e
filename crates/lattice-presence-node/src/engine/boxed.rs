//! Engines whose type is known only at run time.

use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::pin::Pin;

use bytes::Bytes;

use super::{Engine, Events, Link, Local, SendError, StartError, To};

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Any engine. Use it if the configuration decides which one.
///
/// ```
/// use lattice_presence_node::engine::{Alone, BoxedEngine, Memory};
///
/// let clustered = std::env::args().len() > 1;
/// let engine = match clustered {
///     true => BoxedEngine::new(Memory::new()),
///     false => BoxedEngine::new(Alone),
/// };
/// # drop(engine);
/// ```
pub struct BoxedEngine(Box<dyn DynEngine>);

impl BoxedEngine {
    /// That engine, in a box. O(1).
    ///
    /// ```
    /// use lattice_presence_node::engine::{Alone, BoxedEngine};
    ///
    /// let _engine = BoxedEngine::new(Alone);
    /// ```
    #[must_use]
    pub fn new(engine: impl Engine) -> Self {
        Self(Box::new(engine))
    }
}

impl fmt::Debug for BoxedEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxedEngine")
    }
}

impl Engine for BoxedEngine {
    type Link = BoxedLink;

    async fn start(self, local: Local, events: Events) -> Result<BoxedLink, StartError> {
        self.0.start(local, events).await
    }
}

/// Any link. A [`BoxedEngine`] starts it.
///
/// ```
/// use lattice_presence_node::engine::{Alone, BoxedEngine, Engine, Link, Local, events};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let engine = BoxedEngine::new(Alone);
/// let link = engine.start(Local::new("chat", "berlin-1"), events().0).await?;
/// link.close().await;
/// # Ok::<(), lattice_presence_node::engine::StartError>(())
/// # }).unwrap();
/// ```
pub struct BoxedLink(Box<dyn DynLink>);

impl fmt::Debug for BoxedLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxedLink")
    }
}

impl Link for BoxedLink {
    fn max_payload(&self) -> usize {
        self.0.max_payload()
    }

    async fn send(&mut self, to: To<'_>, payload: Bytes) -> Result<(), SendError> {
        self.0.send(to, payload).await
    }

    async fn close(self) {
        self.0.close().await;
    }
}

trait DynEngine: Send {
    fn start(
        self: Box<Self>,
        local: Local,
        events: Events,
    ) -> BoxFuture<'static, Result<BoxedLink, StartError>>;
}

impl<E: Engine> DynEngine for E {
    fn start(
        self: Box<Self>,
        local: Local,
        events: Events,
    ) -> BoxFuture<'static, Result<BoxedLink, StartError>> {
        Box::pin(async move {
            let link = Engine::start(*self, local, events).await?;
            Ok(BoxedLink(Box::new(link)))
        })
    }
}

trait DynLink: Send {
    fn max_payload(&self) -> usize;
    fn send<'a>(&'a mut self, to: To<'a>, payload: Bytes) -> BoxFuture<'a, Result<(), SendError>>;
    fn close(self: Box<Self>) -> BoxFuture<'static, ()>;
}

impl<L: Link> DynLink for L {
    fn max_payload(&self) -> usize {
        Link::max_payload(self)
    }

    fn send<'a>(&'a mut self, to: To<'a>, payload: Bytes) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(Link::send(self, to, payload))
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(Link::close(*self))
    }
}
