//! A request to the call that answers it.

use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Extension, FromRequestParts as _, Request, State, WebSocketUpgrade};
use axum::http::header::{ALLOW, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use gcrucible_engine::{ForkError, HostValue, RequestId};
use http_body_util::BodyExt as _;

use super::calls::{self, Ended};
use super::{Server, answer, entry, request, websocket};

/// What is not answered by a handler's value: the status and the reason.
pub(super) struct Refusal(pub(super) StatusCode, pub(super) String);

impl Refusal {
    fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Refusal(status, why.into())
    }

    /// More than the server takes at once.
    pub(super) fn busy(why: &str) -> Self {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why)
    }
}

impl From<ForkError> for Refusal {
    fn from(error: ForkError) -> Self {
        let status = match error {
            ForkError::OutOfMemory => StatusCode::SERVICE_UNAVAILABLE,
            // A channel of the program may have come to lead to one.
            ForkError::Stream { .. } | ForkError::Initialising => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Refusal::new(status, error.to_string())
    }
}

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
    match answered {
        Ok(response) => response,
        Err(Refusal(status, why)) => answer::error(status, id.as_str(), &why),
    }
}

async fn answer(
    server: &Arc<Server>,
    id: &RequestId,
    mut parts: Parts,
    body: &mut Body,
) -> Result<Response, Refusal> {
    // Route and fork are of this one, whatever is reloaded meanwhile.
    let version = server.versions.current();
    let Some(found) = version.routes.find(parts.uri.path()) else {
        let why = format!("nothing is at {}", parts.uri.path());
        return Err(Refusal::new(StatusCode::NOT_FOUND, why));
    };
    let websocket = found.methods.websocket();
    if let Some(key) = websocket.filter(|_| parts.headers.contains_key(UPGRADE)) {
        let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
        let upgrade = upgrade.map_err(|error| Refusal(error.status(), error.body_text()))?;
        return websocket::accept(server, &version, key, upgrade).await;
    }
    let Some(key) = found.methods.key(parts.method.as_str()) else {
        if websocket.is_some() && parts.method == "GET" {
            let why = "this path is a WebSocket";
            let mut response = answer::error(StatusCode::UPGRADE_REQUIRED, id.as_str(), why);
            let websocket = HeaderValue::from_static("websocket");
            response.headers_mut().insert(UPGRADE, websocket);
            return Ok(response);
        }
        let allow = found.methods.allow();
        let why = format!("{} is not allowed here, only {allow}", parts.method);
        let mut response = answer::error(StatusCode::METHOD_NOT_ALLOWED, id.as_str(), &why);
        if let Ok(allow) = HeaderValue::from_str(&allow) {
            response.headers_mut().insert(ALLOW, allow);
        }
        return Ok(response);
    };
    let Some(params) = found.params else {
        let why = "a parameter of the path is no UTF-8 text";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, why));
    };
    let body = read(server, body).await?;
    let argument = request::argument(id.as_str(), &parts, params, &body);
    let argument = argument.map_err(|why| Refusal::new(StatusCode::BAD_REQUEST, why))?;
    // Only now: a client that is slow to send takes nobody's place.
    let admission = server.engine.admit(id.clone());
    let admission = admission.map_err(|error| Refusal::busy(&error.to_string()))?;
    let fork = version.fork().await?;
    let args = [HostValue::String(key.to_owned()), argument];
    let call = calls::start(&server.call_ids, &fork, entry::ANSWER, &args).await;
    let call = call.map_err(|error| Refusal::busy(&error.to_string()))?;
    // Dropped with this future when the client leaves: that cancels the call.
    let request = admission.serve(fork, call);
    let why = match calls::ended(request.call()).await {
        Ended::Data(value) => match answer::of(&value) {
            Ok(response) => return Ok(response),
            Err(why) => why,
        },
        Ended::NoData(text) => format!("the answer is no plain data: {text}"),
        Ended::Threw { text, trace } => {
            tracing::error!(at = trace, "uncaught {text}");
            return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text));
        }
    };
    tracing::error!("{why}");
    Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, why))
}

/// Reads a body as a whole.
async fn read(server: &Server, body: &mut Body) -> Result<Vec<u8>, Refusal> {
    let limits = &server.limits;
    let too_large = || {
        let why = format!("the body has more than {} bytes", limits.body_max);
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, why)
    };
    if body.size_hint().lower() > limits.body_max as u64 {
        return Err(too_large());
    }
    let reading = async {
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame
                .map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "the body ended too early"))?;
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
        Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, why))
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
