//! Connections whose messages are calls.
//!
//! A connection has one fork from its beginning to its end, so that what its handler captured
//! lasts as long. Each message is a call, one after the other, and what it returns is sent back.
//! However the connection ends, the call under way is cancelled and the fork dropped.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use axum::response::Response;
use gcrucible_engine::{Fork, HostValue};
use tokio::sync::OwnedSemaphorePermit;
use tracing::{Instrument as _, Span};

use super::calls::{self, Ended};
use super::handler::Refused;
use super::version::Version;
use super::{Server, Stage, entry, json};

/// Messages that wait for the call under way. A client that sends more is read no further.
const WAITING_MAX: usize = 64;
/// The most bytes of a reason for closing.
const REASON_MAX: usize = 120;

/// Takes a request that wants to become a WebSocket.
///
/// # Errors
/// When too many are open, or the program cannot be forked.
pub(super) async fn accept(
    server: &Arc<Server>,
    version: &Version,
    key: &str,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refused> {
    let Ok(open) = Arc::clone(&server.websockets).try_acquire_owned() else {
        return Err(Refused::busy("too many WebSockets are open"));
    };
    let connection = Connection {
        server: Arc::clone(server),
        fork: version.fork().await?,
        key: key.to_owned(),
        waiting: VecDeque::new(),
        _open: open,
    };
    let span = Span::current();
    let body_max = server.limits.body_max;
    let upgrade = upgrade
        .max_message_size(body_max)
        .max_frame_size(body_max)
        .on_failed_upgrade(|error| tracing::debug!("no WebSocket: {error}"));
    Ok(upgrade.on_upgrade(|socket| connection.run(socket).instrument(span)))
}

/// A WebSocket that is open.
struct Connection {
    server: Arc<Server>,
    fork: Fork,
    key: String,
    /// Messages that came while a call was under way, and what came behind them.
    waiting: VecDeque<Received>,
    _open: OwnedSemaphorePermit,
}

enum Received {
    Text(String),
    Binary,
}

/// Why a connection ends. `None`: the client wants it so.
type Close = Option<CloseFrame>;

impl Connection {
    async fn run(mut self, mut socket: WebSocket) {
        let server = Arc::clone(&self.server);
        let close = tokio::select! {
            close = self.answer_all(&mut socket) => close,
            () = server.reached(Stage::Stopping) => frame(close_code::AWAY, "the server stops"),
        };
        tracing::info!("the WebSocket is closed");
        if let Some(frame) = close {
            // The client may have left.
            let _ = socket.send(Message::Close(Some(frame))).await;
        }
    }

    async fn answer_all(&mut self, socket: &mut WebSocket) -> Close {
        loop {
            let message = match self.waiting.pop_front() {
                Some(message) => message,
                None => match receive(socket).await {
                    Ok(message) => message,
                    Err(close) => return close,
                },
            };
            let Received::Text(text) = message else {
                return frame(close_code::UNSUPPORTED, "only text is understood");
            };
            match self.answer(socket, text).await {
                Ok(None) => {}
                Ok(Some(reply)) => {
                    if socket.send(Message::Text(reply.into())).await.is_err() {
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
        socket: &mut WebSocket,
        text: String,
    ) -> Result<Option<String>, Close> {
        let args = [HostValue::String(self.key.clone()), HostValue::String(text)];
        let call = calls::start(&self.server.call_ids, &self.fork, entry::ANSWER, &args).await;
        // Dropped before its end, it cancels the call.
        let call = call.map_err(|error| frame(close_code::AGAIN, &error.to_string()))?;
        let mut ended = std::pin::pin!(calls::ended(&call));
        let ended = loop {
            tokio::select! {
                biased;
                ended = &mut ended => break ended,
                message = receive(socket), if self.waiting.len() < WAITING_MAX => {
                    self.waiting.push_back(message?);
                }
            }
        };
        match ended {
            Ended::Data(HostValue::Nil) => Ok(None),
            Ended::Data(HostValue::String(text)) => Ok(Some(text)),
            Ended::Data(data) => Ok(Some(json::text(&data))),
            Ended::NoData(text) => {
                let why = format!("the answer is no plain data: {text}");
                tracing::error!("{why}");
                Err(frame(close_code::ERROR, &why))
            }
            Ended::TooLarge(why) => {
                let why = format!("the answer is too large: {why}");
                tracing::error!("{why}");
                Err(frame(close_code::ERROR, &why))
            }
            Ended::Threw { text, trace } => {
                tracing::error!(at = trace, "uncaught {text}");
                Err(frame(close_code::ERROR, &text))
            }
        }
    }
}

/// Waits for a message. Pings are answered by the socket.
async fn receive(socket: &mut WebSocket) -> Result<Received, Close> {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Text(text))) => return Ok(Received::Text(text.to_string())),
            Some(Ok(Message::Binary(_))) => return Ok(Received::Binary),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            // The socket has answered it.
            Some(Ok(Message::Close(_))) | None => return Err(None),
            Some(Err(error)) => {
                tracing::debug!("a WebSocket failed: {error}");
                let is_too_large = error.to_string().contains("too long");
                return Err(if is_too_large {
                    frame(close_code::SIZE, "the message is too large")
                } else {
                    None
                });
            }
        }
    }
}

fn frame(code: u16, reason: &str) -> Close {
    let mut end = reason.len().min(REASON_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let reason = Utf8Bytes::from(&reason[..end]);
    Some(CloseFrame { code, reason })
}
