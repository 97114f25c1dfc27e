//! A cable between two TCP ends that a test can cut.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes connections on to another port, until it is cut.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    port: u16,
    state: Arc<watch::Sender<State>>,
    target: u16,
    /// How long the far end takes to let somebody in.
    delay: Arc<Mutex<Duration>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Whole,
    /// Connections are closed, and new ones with them.
    Cut,
}

impl Proxy {
    /// A whole one.
    pub(crate) async fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            state: Arc::new(watch::Sender::new(State::Whole)),
            target,
            delay: Arc::default(),
        };
        tokio::spawn(proxy.clone().accept(listener));
        proxy
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    pub(crate) fn mend(&self) {
        self.state.send_replace(State::Whole);
    }

    /// From now on a connection carries nothing for so long.
    pub(crate) fn slow_down(&self, delay: Duration) {
        *self.delay.lock().unwrap() = delay;
    }

    async fn accept(self, listener: TcpListener) {
        while let Ok((inner, _)) = listener.accept().await {
            tokio::spawn(self.clone().pass(inner));
        }
    }

    async fn pass(self, mut inner: TcpStream) {
        let mut state = self.state.subscribe();
        if *state.borrow_and_update() == State::Cut {
            return;
        }
        let delay = *self.delay.lock().unwrap();
        tokio::time::sleep(delay).await;
        let Ok(mut outer) = TcpStream::connect(("127.0.0.1", self.target)).await else {
            return;
        };
        let _ = inner.set_nodelay(true);
        let _ = outer.set_nodelay(true);
        tokio::select! {
            _ = copy_bidirectional(&mut inner, &mut outer) => {}
            _ = state.wait_for(|state| *state == State::Cut) => {}
        }
    }
}
