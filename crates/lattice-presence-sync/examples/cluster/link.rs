//! Messages between nodes: one line of JSON each, over loopback TCP.
//!
//! Each node dials each other one and writes only to the connections that it
//! dialed. A link may lose whatever it likes: a queue that is full, a connection
//! that breaks, a peer that is away all drop messages, and the machine asks for what
//! was lost. So nothing here retries, orders or confirms.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use lattice_presence::{Message, ReplicaId};
use lattice_presence_json::{DecodeError, Decoder, Encoder, JsonMeta};

/// A peer that sends more in one line is cut off before it fills the memory.
const MAX_LINE: u64 = 1 << 20;

/// Messages that wait for a slow peer; more are dropped.
const QUEUE: usize = 64;

const TIMEOUT: Duration = Duration::from_secs(1);
const REDIAL: Duration = Duration::from_millis(50);

/// Peers send heartbeats all the time: who says nothing for so long is gone, whether
/// or not the network said so.
const IDLE: Duration = Duration::from_secs(10);

/// Accepting fails where descriptors run out: others are closed meanwhile.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A line of canonical JSON, which has no line breaks; `None` where it is too long.
pub(crate) fn encode(message: &Message<JsonMeta>) -> Option<String> {
    // Without a bound of its own: cutting is for the machine, which numbers what it sends.
    let encoded = Encoder::new().encode(message).ok()?;
    let fits = (encoded.text.len() as u64) < MAX_LINE;
    fits.then(|| encoded.text + "\n")
}

/// What arrives, with the replica that sent it.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) from: ReplicaId,
    pub(crate) message: Result<Message<JsonMeta>, DecodeError>,
}

/// The way to one peer. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Link {
    queue: SyncSender<Arc<str>>,
}

impl Link {
    /// Dials `address` for as long as the link lives, and introduces itself as
    /// `own`.
    pub(crate) fn open(own: ReplicaId, address: SocketAddr) -> Self {
        let (queue, outbox) = sync_channel(QUEUE);
        thread::spawn(move || deliver(&own, address, &outbox));
        Self { queue }
    }

    /// Queues a line, or drops it.
    pub(crate) fn send(&self, line: Arc<str>) {
        // A full queue and a thread that ended are losses like any other.
        let _ = self.queue.try_send(line);
    }
}

/// Writes what is queued; connects again after a failure.
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

/// Accepts peers, and hands on what they send, until the receiver is gone. A
/// full inbox holds up the senders, as far as their own queues.
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
        // Who sends one broken line has lost the thread: let it dial again.
        if inbox.send(received.into()).is_err() || refused {
            return;
        }
    }
}

/// The next line; `None` where the connection ended, or the line is too long; an
/// error, too, where nothing came for too long.
fn read_line(lines: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    lines.by_ref().take(MAX_LINE).read_line(&mut line)?;
    Ok(line.strip_suffix('\n').map(str::to_owned))
}
