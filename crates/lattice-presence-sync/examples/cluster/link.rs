//! Messages between nodes: one line of JSON each, over loopback TCP.
//!
//! Each node connects to each other node, and writes only to the connections that it
//! opened. A link may lose messages, if a queue is full, a connection breaks, or a peer is
//! away. The machine asks for what was lost. So this code does not retry, order or confirm
//! anything.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use lattice_presence::{Message, ReplicaId};
use lattice_presence_json::{DecodeError, Decoder, Encoder, JsonMeta};

/// If a peer sends a longer line, its connection is closed, so that it cannot fill the
/// memory.
const MAX_LINE: u64 = 1 << 20;

/// Messages that may wait for a slow peer. More are dropped.
const QUEUE: usize = 64;

const TIMEOUT: Duration = Duration::from_secs(1);
const REDIAL: Duration = Duration::from_millis(50);

/// Peers send heartbeats all the time. If a peer is silent for so long, it is gone, even if
/// the network did not report it.
const IDLE: Duration = Duration::from_secs(10);

/// If there are no descriptors left, accepting fails. After this pause, others may be
/// closed.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A line of canonical JSON, which has no line breaks. `None` if it is too long.
pub(crate) fn encode(message: &Message<JsonMeta>) -> Option<String> {
    // The encoder has no bound here. The machine cuts messages, because it numbers what it
    // sends.
    let encoded = Encoder::new().encode(message).ok()?;
    let fits = (encoded.text.len() as u64) < MAX_LINE;
    fits.then(|| encoded.text + "\n")
}

/// A message that arrived, with the replica that sent it.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) from: ReplicaId,
    pub(crate) message: Result<Message<JsonMeta>, DecodeError>,
}

/// The connection to one peer. If it is dropped, the connection is closed.
#[derive(Debug)]
pub(crate) struct Link {
    queue: SyncSender<Arc<str>>,
}

impl Link {
    /// Connects to `address` as long as the link lives, and sends its name `own` first.
    pub(crate) fn open(own: ReplicaId, address: SocketAddr) -> Self {
        let (queue, outbox) = sync_channel(QUEUE);
        thread::spawn(move || deliver(&own, address, &outbox));
        Self { queue }
    }

    /// Queues a line, or drops it.
    pub(crate) fn send(&self, line: Arc<str>) {
        // A full queue, or a thread that has ended, is a loss like any other.
        let _ = self.queue.try_send(line);
    }
}

/// Writes what is queued, and connects again after a failure.
fn deliver(own: &ReplicaId, address: SocketAddr, outbox: &Receiver<Arc<str>>) {
    let mut connection = None;
    for line in outbox {
        if connection.is_none() {
            connection = dial(own, address).ok();
        }
        let sent = connection
            .as_mut()
            .map(|stream| stream.write_all(line.as_bytes()));
        if !matches!(sent, Some(Ok(()))) {
            connection = None;
            thread::sleep(REDIAL);
        }
    }
}

fn dial(own: &ReplicaId, address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    writeln!(stream, "{own}")?;
    Ok(stream)
}

/// Accepts peers, and passes on what they send, until the receiver is gone. If the inbox is
/// full, messages wait in the queues of the senders.
pub(crate) fn listen<E>(listener: TcpListener, inbox: SyncSender<E>)
where
    E: From<Received> + Send + 'static,
{
    thread::spawn(move || {
        for stream in listener.incoming() {
            match stream {
                Ok(stream) => {
                    let inbox = inbox.clone();
                    thread::spawn(move || read(stream, &inbox));
                }
                Err(error) => {
                    eprintln!("no connection accepted: {error}");
                    thread::sleep(ACCEPT_AGAIN);
                }
            }
        }
    });
}

fn read<E: From<Received>>(stream: TcpStream, inbox: &SyncSender<E>) {
    if let Err(error) = stream.set_read_timeout(Some(IDLE)) {
        eprintln!("a connection without a timeout is closed: {error}");
        return;
    }
    let mut lines = BufReader::new(stream);
    let Ok(Some(name)) = read_line(&mut lines) else {
        return;
    };
    let from = ReplicaId::from(name);
    while let Ok(Some(line)) = read_line(&mut lines) {
        let message = Decoder::new().message_from_json(&line);
        let refused = message.is_err();
        let received = Received {
            from: from.clone(),
            message,
        };
        // After one broken line, the rest cannot be trusted. The peer must connect again.
        if inbox.send(received.into()).is_err() || refused {
            return;
        }
    }
}

/// The next line. `None` if the connection ended, or if the line is too long. It is an
/// error if nothing came for too long.
fn read_line(lines: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    lines.by_ref().take(MAX_LINE).read_line(&mut line)?;
    Ok(line.strip_suffix('\n').map(str::to_owned))
}
