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

/// The endpoint of the clients. It is cheap to clone.
///
/// If you have no settings and do not drain, [`phoenix`](crate::phoenix()) is shorter.
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

    /// The routes. Nest them under `/socket` for `new Socket("/socket")`, or under
    /// `/realtime/v1` for clients of Supabase. O(1).
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

    /// Closes all sockets with the code 1012, one after another over this time. Their
    /// clients connect again, to another node. New sockets are refused with 503. The
    /// entries stay for the time of grace. It returns when all are closed, or had enough
    /// time for it.
    pub async fn drain(&self, over: Duration) {
        self.server.drain(over).await;
    }

    /// Serves `app` until `stop` is done. Then it [drains](Self::drain) the sockets over
    /// this time, and [shuts the node down](Node::shutdown), which tells the peers.
    ///
    /// # Errors
    ///
    /// The errors of the listener.
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
        // It listens while it drains, and tells new clients that the server restarts.
        // Connections that browsers keep open do not delay the end.
        tokio::select! {
            served = axum::serve(listener, app).into_future() => served,
            () = stopped => Ok(()),
        }
    }
}

/// Waits until the process is told to stop, by Ctrl-C or by a service manager (SIGTERM).
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
