//! A request to the call that answers it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Extension, Request, State};
use axum::http::header::{ALLOW, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use gcrucible_engine::{Admission, CallError, CallHandle, Fork, ForkError, HostValue, RequestId};
use http_body_util::BodyExt as _;
use tokio::time::Instant;
use tracing::Span;

use super::answer::Wrong;
use super::budget::{Charge, Full};
use super::calls::{self, Ended};
use super::convert::{self, convert};
use super::routes::ALLOW_ALL;
use super::version::Version;
use super::{Server, answer, entry, handshake, log, manners, request, websocket};

/// How long it takes at most until it is tried again whether there is memory.
const MEMORY_AGAIN: Duration = Duration::from_millis(20);

/// For how long it is tried, unless no request is to wait so long.
const MEMORY_LONGEST: Duration = Duration::from_secs(1);

/// Answers whatever comes.
pub(super) async fn handle(
    State(server): State<Arc<Server>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    let (mut parts, mut body) = request.into_parts();
    let answered = answer(&server, &id, &mut parts, &mut body).await;
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
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
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

/// Of a body that is read.
impl From<Full> for Refused {
    fn from(full: Full) -> Self {
        let status = match full {
            Full::Now => StatusCode::SERVICE_UNAVAILABLE,
            Full::Ever => StatusCode::PAYLOAD_TOO_LARGE,
        };
        Refused::new(status, full.to_string())
    }
}

async fn answer(
    server: &Arc<Server>,
    id: &RequestId,
    parts: &mut Parts,
    body: &mut Body,
) -> Result<Response, Refused> {
    manners::check(parts)?;
    if parts.method == Method::OPTIONS && parts.uri.path() == "*" {
        return Ok(allowed(ALLOW_ALL));
    }
    // Route and fork are of this one, whatever is reloaded meanwhile.
    let version = server.versions.current();
    let Some(found) = version.routes.find(parts.uri.path()) else {
        let why = format!("nothing is at {}", parts.uri.path());
        return Err(Refused::new(StatusCode::NOT_FOUND, why));
    };
    let methods = found.methods;
    let socket = methods.websocket().filter(|_| handshake::is_asked(parts));
    let Some(key) = socket.or_else(|| methods.key(parts.method.as_str())) else {
        let allow = methods.allow();
        if parts.method == Method::OPTIONS {
            return Ok(allowed(&allow));
        }
        if methods.websocket().is_some() && parts.method == Method::GET {
            let why = "this path is a WebSocket";
            let refused = Refused::new(StatusCode::UPGRADE_REQUIRED, why);
            return Err(refused.with(UPGRADE, "websocket"));
        }
        let why = format!("{} is not allowed here, only {allow}", parts.method);
        let refused = Refused::new(StatusCode::METHOD_NOT_ALLOWED, why);
        return Err(refused.with(ALLOW, &allow));
    };
    let Some(params) = found.params else {
        let why = "a parameter of the path is no UTF-8 text";
        return Err(Refused::new(StatusCode::BAD_REQUEST, why));
    };
    if socket.is_some() {
        return websocket::accept(server, &version, key, id, parts, params).await;
    }
    let (argument, charge) = argument(server, id, parts, params, body).await?;
    call(server, &version, id, key, argument, charge).await
}

/// What a client may do, without a body.
fn allowed(methods: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    // It is ours.
    if let Ok(methods) = HeaderValue::from_str(methods) {
        response.headers_mut().insert(ALLOW, methods);
    }
    response
}

/// Reads what the handler is given, which is charged until the handler has it.
async fn argument(
    server: &Server,
    id: &RequestId,
    parts: &Parts,
    params: Vec<(String, String)>,
    body: &mut Body,
) -> Result<(HostValue, Charge), Refused> {
    let mut charge = server.budget.charge();
    let body = read(server, body, &mut charge).await?;
    let bytes = match request::is_json(parts) {
        true => convert::footprint_of_json(&body),
        false => body.len(),
    };
    let bytes = bytes + manners::size(parts);
    charge.set(bytes)?;
    let is_json = request::is_json(parts);
    let read = convert(server, bytes, move || request::body(is_json, body)).await;
    let read = read.ok_or_else(|| Refused::busy("the server ends"))?;
    let argument = read.and_then(|body| request::argument(id.as_str(), parts, params, body));
    let argument = argument.map_err(|why| Refused::new(StatusCode::BAD_REQUEST, why))?;
    Ok((argument, charge))
}

/// Calls the handler, and makes its value the answer.
async fn call(
    server: &Arc<Server>,
    version: &Version,
    id: &RequestId,
    key: &str,
    argument: HostValue,
    charge: Charge,
) -> Result<Response, Refused> {
    // Only now: a client that is slow to send takes nobody's place.
    let Some(place) = server.places.take(key).await else {
        let why = format!("{} requests are under way", server.limits.requests_max);
        return Err(Refused::busy(&why));
    };
    let admission = admit(server, id).await?;
    let args = [HostValue::String(key.to_owned()), argument];
    let (fork, call) = begin(server, version, &args).await?;
    // The heap has it now.
    let bytes = convert::footprint(&args[1]);
    convert::discard((args, charge), bytes);
    // Dropped with this future when the client leaves: that cancels the call.
    let request = admission.serve(fork, call);
    let ended = within(server.limits.handler_timeout, calls::ended(request.call()));
    let ended = tokio::select! {
        biased;
        ended = ended => ended,
        () = place.is_needed() => {
            server.metrics.gave_way.add();
            let why = "the handler gave way to other requests";
            tracing::warn!("{why}");
            return Err(Refused::busy(why));
        }
    };
    let Some(ended) = ended else {
        server.metrics.timeouts.add();
        let why = "the handler took too long";
        tracing::warn!("{why}");
        return Err(Refused::new(StatusCode::GATEWAY_TIMEOUT, why));
    };
    let why = match ended {
        Ended::Data(value) => {
            let bytes = convert::footprint(&value);
            let mut charge = server.budget.charge();
            let made = match charge.set(bytes) {
                Ok(()) => convert(server, bytes, move || answer::of(value, charge)).await,
                Err(full) => Some(Err(Wrong::Full(full))),
            };
            match made {
                Some(Ok(response)) => return Ok(response),
                Some(Err(Wrong::Full(Full::Now))) => return Err(Full::Now.into()),
                Some(Err(Wrong::Full(full))) => format!("the answer is too large: {full}"),
                Some(Err(Wrong::Value(why))) => why,
                None => "the answer could not be made".to_owned(),
            }
        }
        Ended::NoData(text) => format!("the answer is no plain data: {text}"),
        Ended::TooLarge(why) => format!("the answer is too large: {why}"),
        Ended::Threw {
            text,
            report,
            trace,
        } => {
            tracing::error!(at = trace, "uncaught {report}");
            return Err(Refused::new(StatusCode::INTERNAL_SERVER_ERROR, text));
        }
    };
    tracing::error!("{why}");
    Err(Refused::new(StatusCode::INTERNAL_SERVER_ERROR, why))
}

/// Begins the call of a handler, as soon as there is memory for that: others may have taken it all,
/// and give it back when they end.
async fn begin(
    server: &Server,
    version: &Version,
    args: &[HostValue],
) -> Result<(Fork, CallHandle), Refused> {
    let patience = server.limits.busy_timeout.unwrap_or_default();
    let until = Instant::now() + patience.min(MEMORY_LONGEST);
    loop {
        let ended = server.metrics.request_ended.notified();
        let begun = match version.fork(server.limits.request_memory).await {
            Ok(fork) => {
                log::attach(fork.realm(), Span::current());
                let call = calls::start(&server.call_ids, &fork, entry::ANSWER, args).await;
                match call {
                    Ok(call) => return Ok((fork, call)),
                    Err(error @ CallError::OutOfMemory) => Err(Refused::busy(&error.to_string())),
                    Err(error) => return Err(Refused::busy(&error.to_string())),
                }
            }
            Err(error @ ForkError::OutOfMemory) => Err(error.into()),
            Err(error) => return Err(error.into()),
        };
        let now = Instant::now();
        if now >= until {
            return begun;
        }
        let _ = tokio::time::timeout_at(until.min(now + MEMORY_AGAIN), ended).await;
    }
}

/// Takes a request in. There is a place for it; but the call of the one that had it before may
/// still be ending.
async fn admit(server: &Server, id: &RequestId) -> Result<Admission, Refused> {
    let admitted = async {
        loop {
            let ended = server.metrics.request_ended.notified();
            match server.engine.admit(id.clone()) {
                Ok(admission) => return admission,
                Err(_) => ended.await,
            }
        }
    };
    let patience = server.limits.busy_timeout.unwrap_or_default();
    let admitted = tokio::time::timeout(patience, admitted).await;
    admitted.map_err(|_| Refused::busy("requests that are given up are under way"))
}

/// Waits for something, but no longer than this; `None` if the time is over.
pub(super) async fn within<F: Future>(longest: Option<Duration>, what: F) -> Option<F::Output> {
    match longest {
        Some(longest) => tokio::time::timeout(longest, what).await.ok(),
        None => Some(what.await),
    }
}

/// Reads a body as a whole, and charges it.
async fn read(server: &Server, body: &mut Body, charge: &mut Charge) -> Result<Vec<u8>, Refused> {
    let limits = &server.limits;
    let too_large = || {
        let why = format!("the body has more than {} bytes", limits.body_max);
        Refused::new(StatusCode::PAYLOAD_TOO_LARGE, why)
    };
    if body.size_hint().lower() > limits.body_max as u64 {
        return Err(too_large());
    }
    let most = body.size_hint().upper().map(usize::try_from);
    let most = most.and_then(Result::ok).unwrap_or(limits.body_max);
    let reading = async {
        let mut read: Vec<u8> = Vec::new();
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
            if read.capacity() - read.len() < data.len() {
                // It grows to twice its size, but not beyond what it can be.
                let needed = read.len() + data.len();
                let room = (2 * read.capacity()).min(most).max(needed);
                charge.set(room)?;
                read.reserve_exact(room - read.len());
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
/// if the connection were closed at once. Only so many have that kindness at a time: a crowd that
/// sends without end would have all threads read for it.
fn discard(server: &Arc<Server>, mut body: Body) {
    let Ok(kindness) = Arc::clone(&server.discards).try_acquire_owned() else {
        return;
    };
    let read_timeout = server.limits.read_timeout;
    tokio::spawn(tokio::time::timeout(read_timeout, async move {
        while let Some(Ok(_)) = body.frame().await {}
        drop(kindness);
    }));
}
