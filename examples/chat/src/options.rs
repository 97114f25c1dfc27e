//! The command line.

use std::net::SocketAddr;

pub(crate) const USAGE: &str = "usage: chat [--listen ADDR] [--name HOST:PORT] [--cluster] \
    [--cluster-name NAME] [--peer tcp/HOST:PORT]…";

#[derive(Default)]
pub(crate) struct Options {
    listen: Option<String>,
    name: Option<String>,
    /// The name of the cluster, if it is in one.
    pub(crate) cluster: Option<String>,
    pub(crate) peers: Vec<String>,
}

impl Options {
    /// `None` if the arguments cannot be understood.
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            match &*argument {
                "--listen" => options.listen = Some(arguments.next()?),
                "--name" => options.name = Some(arguments.next()?),
                "--cluster" => options.cluster = Some("chat".into()),
                "--cluster-name" => options.cluster = Some(arguments.next()?),
                "--peer" => options.peers.push(arguments.next()?),
                _ => return None,
            }
        }
        Some(options)
    }

    pub(crate) fn listen(&self) -> &str {
        self.listen.as_deref().unwrap_or("127.0.0.1:3000")
    }

    /// The node's name. It is the address at which browsers reach it. If the node listens
    /// at all addresses, it is the name of the host. Two nodes must not have the same name,
    /// because the newer one would replace the older one.
    pub(crate) fn name(&self, address: SocketAddr) -> String {
        let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        match (&self.name, host.trim()) {
            (Some(name), _) => name.clone(),
            (None, host) if address.ip().is_unspecified() && !host.is_empty() => {
                format!("{host}:{}", address.port())
            }
            _ => address.to_string(),
        }
    }
}
