//! A WebSocket that counts how many bytes the client has accepted.

use alloc::sync::Arc;
use core::pin::Pin;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::{Context, Poll};
use std::io;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::phoenix::{Closing, code};

/// The bytes that one socket buffers in both directions, without its
/// [`Outbox`](crate::outbox).
const BUFFER: usize = 4096;

/// The socket of a client.
pub(crate) type WebSocket = WebSocketStream<Metered<TokioIo<Upgraded>>>;

/// Bytes that were accepted. The number grows as long as the client reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken(Arc<AtomicU64>);

impl Taken {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stream that counts what is written to it.
#[derive(Debug)]
pub(crate) struct Metered<S> {
    stream: S,
    taken: Taken,
}

/// The socket on an upgraded connection. A message longer than `longest` is an error.
pub(crate) async fn open(upgraded: Upgraded, longest: usize) -> (WebSocket, Taken) {
    let taken = Taken::default();
    let stream = Metered {
        stream: TokioIo::new(upgraded),
        taken: taken.clone(),
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(Some(longest))
        .max_frame_size(Some(longest));
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    (socket, taken)
}

/// The reason for closing a socket that cannot be read.
pub(crate) fn closing(error: &Error) -> Closing {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            Closing::new(code::TOO_BIG, "the message is too big")
        }
        Error::Utf8(_) => Closing::new(code::INVALID, "a text that is no UTF-8"),
        _ => Closing::new(code::INVALID, "not a WebSocket frame"),
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = written {
            self.taken.0.fetch_add(count as u64, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
