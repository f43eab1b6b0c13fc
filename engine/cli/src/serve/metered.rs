//! A connection whose unfinished messages are charged.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::budget::Charge;

/// What is read from it is charged until it is [restarted](Metered::restart). When there is no
/// room for more, it fails.
pub(super) struct Metered<T> {
    inner: T,
    charge: Charge,
    read: usize,
    is_full: bool,
}

impl<T> Metered<T> {
    pub(super) fn new(inner: T, charge: Charge) -> Self {
        Metered {
            inner,
            charge,
            read: 0,
            is_full: false,
        }
    }

    /// What was read so far is somebody else's. Gives whether there was no room for it.
    pub(super) fn restart(&mut self) -> bool {
        self.read = 0;
        // There is room for nothing.
        let _ = self.charge.set(0);
        std::mem::take(&mut self.is_full)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Metered<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        let more = buf.filled().len() - before;
        if more > 0 {
            self.read += more;
            let read = self.read;
            if let Err(full) = self.charge.set(read) {
                self.is_full = true;
                return Poll::Ready(Err(io::Error::other(full.to_string())));
            }
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Metered<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
