//! Connections whose messages are calls.
//!
//! A connection has one fork from its beginning to its end, so that what its handler captured
//! lasts as long. Each message is a call, one after the other, and what it returns is sent back.
//! However the connection ends, the call under way is cancelled and the fork dropped.
//!
//! Nothing is read from a client that does not take what it was sent, pongs included: so what
//! waits for it is bounded, and the socket's own limit on writes ends the connection.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use futures_util::{SinkExt as _, StreamExt as _};
use gcrucible_engine::{Fork, HostValue, RequestId};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tracing::{Instrument as _, Span};

use super::budget::{Charge, Full};
use super::calls::{self, Ended};
use super::convert::{self, convert};
use super::handler::{Refused, within};
use super::metered::Metered;
use super::version::Version;
use super::{Server, Stage, entry, handshake, json, log, request};

/// Messages that wait for the call under way. A client that sends more is read no further.
const WAITING_MAX: usize = 64;
/// The most bytes of a reason for closing.
const REASON_MAX: usize = 120;
/// Replies are sent in frames of so many bytes, one after the other.
const FRAME: usize = 32 * 1024;
/// Bytes that wait to be written, at most: a frame, its head, and a pong.
const WRITE_MAX: usize = 2 * FRAME;
/// How long a client may take to see why its connection is closed.
const LAST_WORD: std::time::Duration = std::time::Duration::from_secs(1);

type Socket = WebSocketStream<Metered<TokioIo<Upgraded>>>;

/// Takes a request that wants to become a WebSocket.
///
/// # Errors
/// When too many are open, or the program cannot be forked.
pub(super) async fn accept(
    server: &Arc<Server>,
    version: &Version,
    key: &str,
    id: &RequestId,
    parts: &mut Parts,
    params: Vec<(String, String)>,
) -> Result<Response, Refused> {
    let response = handshake::answer(parts, &server.limits.origins)?;
    let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
        let why = "this connection cannot become a WebSocket";
        return Err(Refused::new(StatusCode::BAD_REQUEST, why));
    };
    let Ok(open) = Arc::clone(&server.websockets).try_acquire_owned() else {
        return Err(Refused::busy("too many WebSockets are open"));
    };
    let fork = version.fork(server.limits.request_memory).await?;
    log::attach(fork.realm(), Span::current());
    let connection = Connection {
        server: Arc::clone(server),
        fork,
        key: key.to_owned(),
        waiting: VecDeque::new(),
        heard: Instant::now(),
        _open: open,
    };
    if version.shows_handshake(key) {
        let handshake = request::argument(id.as_str(), parts, params, HostValue::Nil);
        let handshake = handshake.map_err(|why| Refused::new(StatusCode::BAD_REQUEST, why))?;
        connection.show(handshake).await?;
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(8 * 1024)
        .write_buffer_size(FRAME)
        .max_write_buffer_size(WRITE_MAX)
        .max_message_size(Some(server.limits.body_max))
        .max_frame_size(Some(server.limits.body_max));
    let run = async move {
        match upgrade.await {
            Ok(io) => {
                let charge = connection.server.budget.charge();
                let io = Metered::new(TokioIo::new(io), charge);
                let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config));
                connection.run(socket.await).await;
            }
            Err(error) => tracing::debug!("no WebSocket: {error}"),
        }
    };
    tokio::spawn(run.instrument(Span::current()));
    Ok(response)
}

/// A WebSocket that is open.
struct Connection {
    server: Arc<Server>,
    fork: Fork,
    key: String,
    /// Messages that came while a call was under way, and what came behind them.
    waiting: VecDeque<Received>,
    /// When something came last.
    heard: Instant,
    _open: OwnedSemaphorePermit,
}

enum Received {
    Text(HostValue, Charge),
    Binary,
}

/// Why a connection ends. `None`: the client wants it so, or has left.
type Close = Option<CloseFrame>;

impl Connection {
    /// Lets the handler see the request that became the WebSocket.
    async fn show(&self, handshake: HostValue) -> Result<(), Refused> {
        let call = calls::start(&self.server.call_ids, &self.fork, entry::OPEN, &[handshake]).await;
        let call = call.map_err(|error| Refused::busy(&error.to_string()))?;
        match calls::ended(&call).await {
            Ended::Data(_) => Ok(()),
            Ended::NoData(text) | Ended::TooLarge(text) | Ended::Threw { text, .. } => {
                Err(Refused::busy(&text))
            }
        }
    }

    async fn run(mut self, mut socket: Socket) {
        let server = Arc::clone(&self.server);
        let close = tokio::select! {
            close = self.answer_all(&mut socket) => close,
            () = server.reached(Stage::Stopping) => frame(CloseCode::Away, "the server stops"),
        };
        tracing::info!("the WebSocket is closed");
        // Its place is for others; who is told why has left already, or may take a while.
        drop(self);
        if close.is_some() {
            let _ = timeout(LAST_WORD, last_word(socket, close)).await;
        }
    }

    async fn answer_all(&mut self, socket: &mut Socket) -> Close {
        loop {
            let message = match self.waiting.pop_front() {
                Some(message) => message,
                None => match receive(&self.server, &mut self.heard, socket).await {
                    Ok(message) => message,
                    Err(close) => return close,
                },
            };
            let Received::Text(text, charge) = message else {
                return frame(CloseCode::Unsupported, "only text is understood");
            };
            match self.answer(socket, text, charge).await {
                Ok(None) => {}
                Ok(Some(reply)) => {
                    if send(socket, reply.0).await.is_err() {
                        return None;
                    }
                }
                Err(close) => return close,
            }
        }
    }

    /// Calls the handler; meanwhile it is seen whether the client leaves.
    async fn answer(
        &mut self,
        socket: &mut Socket,
        text: HostValue,
        charge: Charge,
    ) -> Result<Option<Reply>, Close> {
        let server = Arc::clone(&self.server);
        let args = [HostValue::String(self.key.clone()), text];
        let call = calls::start(&server.call_ids, &self.fork, entry::MESSAGE, &args).await;
        // Dropped before its end, it cancels the call.
        let call = call.map_err(|error| frame(CloseCode::Again, &error.to_string()))?;
        drop((args, charge));
        let ended = within(server.limits.handler_timeout, calls::ended(&call));
        let mut ended = std::pin::pin!(ended);
        let ended = loop {
            let receive = receive(&server, &mut self.heard, socket);
            tokio::select! {
                biased;
                ended = &mut ended => break ended,
                message = receive, if self.waiting.len() < WAITING_MAX => {
                    self.waiting.push_back(message?);
                }
            }
        };
        let failed = |why: &str| {
            tracing::error!("{why}");
            Err(frame(CloseCode::Error, why))
        };
        match ended {
            Some(Ended::Data(HostValue::Nil)) => Ok(None),
            Some(Ended::Data(data)) => reply(&server, data)
                .await
                .map(Some)
                .or_else(|why| failed(&why)),
            Some(Ended::NoData(text)) => failed(&format!("the answer is no plain data: {text}")),
            Some(Ended::TooLarge(why)) => failed(&format!("the answer is too large: {why}")),
            Some(Ended::Threw {
                text,
                report,
                trace,
            }) => {
                tracing::error!(at = trace, "uncaught {report}");
                Err(frame(CloseCode::Error, &text))
            }
            None => {
                server.metrics.timeouts.add();
                failed("the handler took too long")
            }
        }
    }
}

/// What is sent back, charged until it has been sent.
struct Reply(
    String,
    #[expect(dead_code, reason = "it drops with the text")] Charge,
);

async fn reply(server: &Server, data: HostValue) -> Result<Reply, String> {
    let bytes = convert::footprint(&data);
    let mut charge = server.budget.charge();
    charge.set(bytes).map_err(|full| full.to_string())?;
    let text = match data {
        HostValue::String(text) => text,
        data => match convert(server, bytes, move || json::text(&data)).await {
            Some(text) => text?,
            None => return Err("the answer could not be made".to_owned()),
        },
    };
    charge.set(text.len()).map_err(|full| full.to_string())?;
    Ok(Reply(text, charge))
}

/// Sends a text as one message, in frames that the buffer has room for.
async fn send(socket: &mut Socket, text: String) -> Result<(), Error> {
    let bytes = Bytes::from(text);
    let mut at = 0;
    loop {
        let end = (at + FRAME).min(bytes.len());
        let kind = if at == 0 { Data::Text } else { Data::Continue };
        let is_last = end == bytes.len();
        let frame = Frame::message(bytes.slice(at..end), OpCode::Data(kind), is_last);
        socket.send(Message::Frame(frame)).await?;
        if is_last {
            return Ok(());
        }
        at = end;
    }
}

/// Waits for a message. Pings are answered by the socket, and one from which nothing comes for
/// long is asked whether it is there.
async fn receive(
    server: &Server,
    heard: &mut Instant,
    socket: &mut Socket,
) -> Result<Received, Close> {
    let idle = server.limits.idle_timeout;
    let mut has_asked = false;
    loop {
        // Nobody is read who does not take his pongs.
        if let Err(error) = socket.flush().await {
            return Err(because(&error));
        }
        let patience = idle.map(|idle| match has_asked {
            true => idle.saturating_sub(heard.elapsed()),
            false => (idle / 2).saturating_sub(heard.elapsed()),
        });
        let Some(next) = within(patience, socket.next()).await else {
            if has_asked {
                return Err(frame(CloseCode::Away, "nothing came for too long"));
            }
            has_asked = true;
            let ping = Message::Ping(Bytes::new());
            socket.send(ping).await.map_err(|error| because(&error))?;
            continue;
        };
        *heard = Instant::now();
        has_asked = false;
        // What it is made of is the message's now.
        let was_full = socket.get_mut().restart();
        match next {
            Some(Ok(Message::Text(text))) => {
                let mut charge = server.budget.charge();
                let charged = charge.set(text.len());
                charged.map_err(|full| frame(CloseCode::Again, &full.to_string()))?;
                return Ok(Received::Text(HostValue::String(text.to_string()), charge));
            }
            Some(Ok(Message::Binary(_))) => return Ok(Received::Binary),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            // The socket has answered it, once that is written.
            Some(Ok(Message::Close(_))) => {
                let _ = socket.flush().await;
                return Err(None);
            }
            None => return Err(None),
            Some(Err(_)) if was_full => {
                return Err(frame(CloseCode::Again, &Full::Now.to_string()));
            }
            Some(Err(error)) => return Err(because(&error)),
        }
    }
}

/// What a client is told that has broken the protocol.
fn because(error: &Error) -> Close {
    tracing::debug!("a WebSocket failed: {error}");
    match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(why) => frame(CloseCode::Protocol, &why.to_string()),
        Error::Utf8(_) => frame(CloseCode::Invalid, "a text must be UTF-8"),
        Error::Capacity(_) => frame(CloseCode::Size, "the message is too large"),
        _ => None,
    }
}

/// Says why the connection is closed, and waits until the client has seen it: what it has sent
/// and nobody has read would take the words back.
async fn last_word(mut socket: Socket, close: Close) {
    if socket.send(Message::Close(close)).await.is_err() {
        return;
    }
    let io = socket.get_mut();
    let mut rest = [0; 1024];
    while let Ok(1..) = io.read(&mut rest).await {}
}

fn frame(code: CloseCode, reason: &str) -> Close {
    let mut end = reason.len().min(REASON_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    Some(CloseFrame {
        code,
        reason: reason[..end].into(),
    })
}
