//! A request to the call that answers it.

use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Extension, FromRequestParts as _, Request, State, WebSocketUpgrade};
use axum::http::header::{ALLOW, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use gcrucible_engine::{ForkError, HostValue, RequestId};
use http_body_util::BodyExt as _;

use super::calls::{self, Ended};
use super::{Server, answer, entry, request, websocket};

/// Answers whatever is not the server's own.
pub(super) async fn handle(
    State(server): State<Arc<Server>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    let (parts, mut body) = request.into_parts();
    let answered = answer(&server, &id, parts, &mut body).await;
    if !body.is_end_stream() {
        discard(&server, body);
    }
    answered.unwrap_or_else(|Refused(response)| *response)
}

/// What is not answered by a handler's value.
pub(super) struct Refused(Box<Response>);

impl Refused {
    pub(super) fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Refused(Box::new(answer::refusal(status, why)))
    }

    /// The same with a header.
    fn with(mut self, name: HeaderName, value: &str) -> Self {
        // The values are ours.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers_mut().insert(name, value);
        }
        self
    }

    /// More than the server takes at once.
    pub(super) fn busy(why: &str) -> Self {
        Refused::new(StatusCode::SERVICE_UNAVAILABLE, why)
    }
}

impl From<ForkError> for Refused {
    fn from(error: ForkError) -> Self {
        let status = match error {
            ForkError::OutOfMemory => StatusCode::SERVICE_UNAVAILABLE,
            // A task of the top level may have put one where globals lead to.
            ForkError::Stream { .. } | ForkError::Initialising => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Refused::new(status, error.to_string())
    }
}

async fn answer(
    server: &Arc<Server>,
    id: &RequestId,
    mut parts: Parts,
    body: &mut Body,
) -> Result<Response, Refused> {
    // Route and fork are of this one, whatever is reloaded meanwhile.
    let version = server.versions.current();
    let Some(found) = version.routes.find(parts.uri.path()) else {
        let why = format!("nothing is at {}", parts.uri.path());
        return Err(Refused::new(StatusCode::NOT_FOUND, why));
    };
    let websocket = found.methods.websocket();
    if let Some(key) = websocket.filter(|_| wants_websocket(&parts)) {
        let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
        let upgrade = upgrade.map_err(|error| Refused::new(error.status(), error.body_text()))?;
        return websocket::accept(server, &version, key, upgrade).await;
    }
    let Some(key) = found.methods.key(parts.method.as_str()) else {
        if websocket.is_some() && parts.method == "GET" {
            let why = "this path is a WebSocket";
            let refused = Refused::new(StatusCode::UPGRADE_REQUIRED, why);
            return Err(refused.with(UPGRADE, "websocket"));
        }
        let allow = found.methods.allow();
        let why = format!("{} is not allowed here, only {allow}", parts.method);
        let refused = Refused::new(StatusCode::METHOD_NOT_ALLOWED, why);
        return Err(refused.with(ALLOW, &allow));
    };
    let Some(params) = found.params else {
        let why = "a parameter of the path is no UTF-8 text";
        return Err(Refused::new(StatusCode::BAD_REQUEST, why));
    };
    let body = read(server, body).await?;
    let argument = request::argument(id.as_str(), &parts, params, &body);
    let argument = argument.map_err(|why| Refused::new(StatusCode::BAD_REQUEST, why))?;
    // Only now: a client that is slow to send takes nobody's place.
    let admission = server.engine.admit(id.clone());
    let admission = admission.map_err(|error| Refused::busy(&error.to_string()))?;
    let fork = version.fork().await?;
    let args = [HostValue::String(key.to_owned()), argument];
    let call = calls::start(&server.call_ids, &fork, entry::ANSWER, &args).await;
    let call = call.map_err(|error| Refused::busy(&error.to_string()))?;
    // Dropped with this future when the client leaves: that cancels the call.
    let request = admission.serve(fork, call);
    let why = match calls::ended(request.call()).await {
        Ended::Data(value) => match answer::of(&value) {
            Ok(response) => return Ok(response),
            Err(why) => why,
        },
        Ended::NoData(text) => format!("the answer is no plain data: {text}"),
        Ended::TooLarge(why) => format!("the answer is too large: {why}"),
        Ended::Threw { text, trace } => {
            tracing::error!(at = trace, "uncaught {text}");
            return Err(Refused::new(StatusCode::INTERNAL_SERVER_ERROR, text));
        }
    };
    tracing::error!("{why}");
    Err(Refused::new(StatusCode::INTERNAL_SERVER_ERROR, why))
}

fn wants_websocket(parts: &Parts) -> bool {
    let upgrade = parts.headers.get(UPGRADE).map(HeaderValue::as_bytes);
    upgrade.is_some_and(|to| to.eq_ignore_ascii_case(b"websocket"))
}

/// Reads a body as a whole.
async fn read(server: &Server, body: &mut Body) -> Result<Vec<u8>, Refused> {
    let limits = &server.limits;
    let too_large = || {
        let why = format!("the body has more than {} bytes", limits.body_max);
        Refused::new(StatusCode::PAYLOAD_TOO_LARGE, why)
    };
    if body.size_hint().lower() > limits.body_max as u64 {
        return Err(too_large());
    }
    let reading = async {
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame
                .map_err(|_| Refused::new(StatusCode::BAD_REQUEST, "the body ended too early"))?;
            // A trailer is none of it.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if data.len() > limits.body_max - read.len() {
                return Err(too_large());
            }
            read.extend_from_slice(&data);
        }
        Ok(read)
    };
    let read = tokio::time::timeout(limits.read_timeout, reading).await;
    read.unwrap_or_else(|_| {
        let why = "the body took too long";
        Err(Refused::new(StatusCode::REQUEST_TIMEOUT, why))
    })
}

/// Reads on what nobody wants, for a while: a client that still sends would not see its answer
/// if the connection were closed at once.
fn discard(server: &Server, mut body: Body) {
    let read_timeout = server.limits.read_timeout;
    tokio::spawn(tokio::time::timeout(read_timeout, async move {
        while let Some(Ok(_)) = body.frame().await {}
    }));
}
