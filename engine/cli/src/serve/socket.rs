//! A client's socket that knows what its client is at.
//!
//! The HTTP library closes the connection of a client that takes too long to send a head, without
//! a word, and answers a head that makes no sense with nothing but a status. It would also wait
//! for ever for a client that does not read. So the socket itself knows what it was used for: it
//! tells the reason, gives up a client that does not read, and charges heads that do not end.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

use super::Server;
use super::answer::REQUEST_ID;
use super::budget::Charge;

use gcrucible_platform::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// So much of what is written must be taken within the time for writing.
const PROGRESS: usize = 64 * 1024;

/// A socket.
pub(super) struct Socket {
    stream: TcpStream,
    server: Arc<Server>,
    state: Arc<State>,
    /// For what was read of a head that has not ended.
    head: Charge,
    head_bytes: usize,
    writing: Writing,
    /// Something was written that is followed by more of it.
    is_amid_answer: bool,
}

/// What a socket and those around it know of each other.
#[derive(Debug)]
pub(super) struct State {
    /// When its client was seen first.
    since: Instant,
    /// Requests that have come and are not answered.
    under_way: AtomicUsize,
    /// Whether there was one, ever.
    has_asked: AtomicBool,
    /// Something was read since something was written last.
    has_begun: AtomicBool,
    /// The last look found nothing to read.
    is_drained: AtomicBool,
    /// What was written has not been taken.
    is_blocked: AtomicBool,
    /// The time for a head is over.
    is_late: AtomicBool,
    /// Why the socket itself has answered.
    is_refused: AtomicBool,
    /// Somebody needs its place.
    pub(super) evicted: Notify,
}

/// A request from its head to the last byte that the library takes of its answer.
pub(super) struct UnderWay(Arc<State>);

/// How far the client has got in taking what is written.
struct Writing {
    longest: Duration,
    /// While it takes nothing: when its time is over.
    until: Option<Pin<Box<Sleep>>>,
    /// Bytes taken since that time was set.
    taken: usize,
}

impl State {
    fn new() -> Arc<Self> {
        Arc::new(State {
            since: Instant::now(),
            under_way: AtomicUsize::new(0),
            has_asked: AtomicBool::new(false),
            has_begun: AtomicBool::new(false),
            is_drained: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            is_late: AtomicBool::new(false),
            is_refused: AtomicBool::new(false),
            evicted: Notify::new(),
        })
    }

    /// A request has come.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        self.has_asked.store(true, Ordering::Relaxed);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }

    /// Whether nobody would miss the connection: no request is under way or waits to be read, no
    /// answer waits to be taken.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) == 0
            && !self.is_blocked.load(Ordering::Relaxed)
            && self.is_drained.load(Ordering::Relaxed)
    }

    /// When its client was seen first.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Whether it has ever sent a request.
    pub(super) fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }

    /// Whether a part of a request has arrived.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Relaxed)
    }

    /// The time for a head is over.
    pub(super) fn tell_late(&self) {
        self.is_late.store(true, Ordering::Relaxed);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Writing {
    /// Whether the time for what waits is over.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> bool {
        let longest = self.longest;
        let until = self
            .until
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(longest)));
        until.as_mut().poll(cx).is_ready()
    }

    fn took(&mut self, bytes: usize) {
        self.taken += bytes;
        if self.taken >= PROGRESS
            && let Some(until) = &mut self.until
        {
            self.taken = 0;
            until.as_mut().reset(Instant::now() + self.longest);
        }
    }

    fn took_all(&mut self) {
        self.taken = 0;
        self.until = None;
    }
}

impl Socket {
    pub(super) fn new(stream: TcpStream, server: &Arc<Server>) -> (Socket, Arc<State>) {
        let state = State::new();
        let socket = Socket {
            stream,
            server: Arc::clone(server),
            state: Arc::clone(&state),
            head: server.budget.charge(),
            head_bytes: 0,
            writing: Writing {
                longest: server.limits.write_timeout,
                until: None,
                taken: 0,
            },
            is_amid_answer: false,
        };
        (socket, state)
    }

    /// What came of a write.
    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match wrote {
            Poll::Pending => {
                self.state.is_blocked.store(true, Ordering::Relaxed);
                if self.writing.poll_late(cx) {
                    self.server.metrics.write_timeouts.add();
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Pending
            }
            Poll::Ready(Ok(bytes)) => {
                self.writing.took(bytes);
                self.is_amid_answer = true;
                self.state.has_begun.store(false, Ordering::Relaxed);
                Poll::Ready(Ok(bytes))
            }
            failed => failed,
        }
    }

    /// The library answers a head that it could not make sense of, be it the first one or not: the
    /// client gets more than its status. Gives whether that is so.
    fn refuses(&mut self, bytes: &[u8]) -> bool {
        let state = &self.state;
        if state.is_refused.load(Ordering::Relaxed) {
            return true;
        }
        if self.is_amid_answer || state.under_way.load(Ordering::Relaxed) > 0 {
            return false;
        }
        let Some(status) = status_of_library(bytes) else {
            return false;
        };
        let why = match status {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "the head is too large",
            StatusCode::URI_TOO_LONG => "the target is too long",
            _ => "the head makes no sense",
        };
        self.refuse(status, why);
        true
    }

    /// The last that the client hears.
    pub(super) fn refuse(&self, status: StatusCode, why: &str) {
        self.state.is_refused.store(true, Ordering::Relaxed);
        let text = self.server.refuse_early(status, why);
        // So few bytes go at once, or the client does not read.
        let _ = self.stream.try_write(text.as_bytes());
    }
}

/// The status, if this is the beginning of an answer of the library's own. Each of ours has the id
/// of its request in its head.
fn status_of_library(bytes: &[u8]) -> Option<StatusCode> {
    let text = bytes.strip_prefix(b"HTTP/1.1 ")?;
    let status = StatusCode::from_bytes(text.get(..3)?).ok()?;
    let lines = text.split(|&byte| byte == b'\n');
    let mut head = lines.take_while(|line| line.len() > 1);
    let is_ours = |line: &[u8]| {
        let name = line.get(..REQUEST_ID.as_str().len());
        name.is_some_and(|name| name.eq_ignore_ascii_case(REQUEST_ID.as_str().as_bytes()))
    };
    let is_ours = head.any(is_ours);
    (!is_ours && (status.is_client_error() || status.is_server_error())).then_some(status)
}

impl Drop for Socket {
    fn drop(&mut self) {
        let state = &self.state;
        if state.is_late.load(Ordering::Relaxed) && state.has_begun() {
            self.refuse(StatusCode::REQUEST_TIMEOUT, "the head took too long");
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        let more = buf.filled().len() - before;
        let state = &this.state;
        state.is_drained.store(read.is_pending(), Ordering::Relaxed);
        if more == 0 {
            return read;
        }
        state.has_begun.store(true, Ordering::Relaxed);
        if state.under_way.load(Ordering::Relaxed) > 0 {
            // A body, which is charged where it is kept.
            this.head_bytes = 0;
            let _ = this.head.set(0);
            return read;
        }
        this.head_bytes += more;
        if this.head.set(this.head_bytes).is_err() {
            let why = "too many bytes are in flight";
            this.refuse(StatusCode::SERVICE_UNAVAILABLE, why);
            return Poll::Ready(Err(io::Error::other(why)));
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
        if self.refuses(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = parts.iter().find(|part| !part.is_empty());
        if first.is_some_and(|first| self.refuses(first)) {
            return Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()));
        }
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.wrote(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // All has been written by now.
        self.is_amid_answer = false;
        self.writing.took_all();
        self.state.is_blocked.store(false, Ordering::Relaxed);
        self.head_bytes = 0;
        let _ = self.head.set(0);
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
