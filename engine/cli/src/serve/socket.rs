//! A client's socket that knows whether a head has begun to arrive.
//!
//! The HTTP library closes the connection of a client that takes too long to send a head, without
//! a word. A client that has sent a part of one learns the reason from here.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\n\
    connection: close\r\ncontent-length: 0\r\n\r\n";

/// A socket. If it is [told](Lateness::tell) so, the last that it sends is that time is over.
pub(super) struct Socket {
    stream: TcpStream,
    lateness: Lateness,
}

/// What a socket and who waits for its connection know of each other. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Lateness(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Something was read since something was written last.
    has_begun: AtomicBool,
    is_over: AtomicBool,
}

impl Lateness {
    /// The time for a head is over.
    pub(super) fn tell(&self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> (Socket, Lateness) {
        let lateness = Lateness::default();
        let socket = Socket {
            stream,
            lateness: lateness.clone(),
        };
        (socket, lateness)
    }

    fn note(&self, has_begun: bool) {
        self.lateness
            .0
            .has_begun
            .store(has_begun, Ordering::Relaxed);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let known = &self.lateness.0;
        if known.is_over.load(Ordering::Relaxed) && known.has_begun.load(Ordering::Relaxed) {
            // So few bytes go at once, or the client does not read.
            let _ = self.stream.try_write(TOO_SLOW);
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.note(true);
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.note(false);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.note(false);
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
