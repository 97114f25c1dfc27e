//! The endpoint: its routes, and how a server with it is served and stopped.

use alloc::sync::Arc;
use core::time::Duration;
use std::io;

use axum::Router;
use axum::routing::any;
use lattice_presence_node::Node;
use tokio::net::TcpListener;

use crate::channels::Channels;
use crate::config::Config;
use crate::handshake::handshake;
use crate::server::Server;

/// The endpoint of the clients. Cheap to clone.
///
/// [`phoenix`](crate::phoenix()) is the short way where there is nothing to set and
/// nothing to drain.
pub struct Web<A: Channels> {
    server: Arc<Server<A>>,
}

impl<A: Channels> Clone for Web<A> {
    fn clone(&self) -> Self {
        Self {
            server: self.server.clone(),
        }
    }
}

impl<A: Channels> core::fmt::Debug for Web<A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Web")
            .field("sockets", &self.sockets())
            .finish_non_exhaustive()
    }
}

impl<A: Channels> Web<A> {
    /// An endpoint of this node, for this application. O(1).
    #[must_use]
    pub fn new(node: Node, app: A, config: Config) -> Self {
        Self {
            server: Server::new(node, app, config),
        }
    }

    /// The routes, to be nested: under `/socket` for `new Socket("/socket")`, under
    /// `/realtime/v1` for Supabase's clients. O(1).
    pub fn router(&self) -> Router {
        Router::new()
            .route("/websocket", any(handshake::<A>))
            .with_state(self.server.clone())
    }

    /// How many sockets are open. O(1).
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.server.open_sockets()
    }

    /// Closes all sockets, spread over this time, with 1012, after which clients
    /// connect again, to another node; new ones are refused with 503. Their entries
    /// stay for the time of grace. Returns when all are closed, or could have been.
    pub async fn drain(&self, over: Duration) {
        self.server.drain(over).await;
    }

    /// Serves `app` until `stop` is done; then [drains](Self::drain) the sockets over
    /// this time, and [shuts the node down](Node::shutdown), so that peers hear of it.
    ///
    /// # Errors
    ///
    /// Those of the listener.
    ///
    /// ```no_run
    /// # use core::time::Duration;
    /// # use axum::Router;
    /// # use lattice_presence_web::{Channels, Web, stop_signal};
    /// # async fn run<A: Channels>(web: Web<A>) -> std::io::Result<()> {
    /// let app = Router::new().nest("/socket", web.router());
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// web.serve(listener, app, stop_signal(), Duration::from_secs(20)).await
    /// # }
    /// ```
    pub async fn serve(
        &self,
        listener: TcpListener,
        app: Router,
        stop: impl Future<Output = ()>,
        over: Duration,
    ) -> io::Result<()> {
        let stopped = async {
            stop.await;
            self.drain(over).await;
            self.server.node.shutdown().await;
        };
        // While it drains it listens: who comes is told that the server restarts. And
        // connections that browsers keep open hold nothing up.
        tokio::select! {
            served = axum::serve(listener, app).into_future() => served,
            () = stopped => Ok(()),
        }
    }
}

/// Done when the process is told to stop: by Ctrl-C, or by a service manager (SIGTERM).
/// It must be called in a tokio runtime with I/O.
///
/// See [`Web::serve`] for an example.
pub async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
