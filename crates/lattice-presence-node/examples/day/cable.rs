//! A cable to a port that can be cut.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct Cable {
    pub(crate) port: u16,
    is_cut: watch::Sender<bool>,
}

impl Cable {
    /// A cable that is not cut, to this port of this machine.
    pub(crate) async fn to(target: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let is_cut = watch::Sender::new(false);
        tokio::spawn(accept(listener, target, is_cut.subscribe()));
        Ok(Self { port, is_cut })
    }

    pub(crate) fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    pub(crate) fn mend(&self) {
        self.is_cut.send_replace(false);
    }
}

async fn accept(listener: TcpListener, target: u16, is_cut: watch::Receiver<bool>) {
    while let Ok((near, _)) = listener.accept().await {
        let is_cut = is_cut.clone();
        if !*is_cut.borrow() {
            tokio::spawn(pass(near, target, is_cut));
        }
    }
}

async fn pass(mut near: TcpStream, target: u16, mut is_cut: watch::Receiver<bool>) {
    if let Ok(mut far) = TcpStream::connect(("127.0.0.1", target)).await {
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => {}
            _ = is_cut.wait_for(|is_cut| *is_cut) => {}
        }
    }
}

/// A port at which nobody listens now.
pub(crate) fn free_port() -> std::io::Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.port())
}
