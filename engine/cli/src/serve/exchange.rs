//! A request from its head to its answer, in the log and the figures.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use gcrucible_engine::RequestId;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use super::answer::REQUEST_ID;
use super::{Server, Stage, answer};

/// Names a request, has it answered within a span of that name, and notes the answer, which
/// carries the name, too.
pub(super) async fn name(
    State(server): State<Arc<Server>>,
    mut request: Request,
    next: Next,
) -> Response {
    let header = request.headers().get(REQUEST_ID).map(HeaderValue::as_bytes);
    let id = RequestId::from_header(header, || server.request_ids.next());
    let method = request.method().as_str();
    let path = request.uri().path();
    // Of the highest level, so that whatever is logged within it names the request.
    let span = tracing::error_span!("request", id = id.as_str(), method, path);
    if !id.is_text() {
        span.in_scope(|| tracing::warn!("the client's {REQUEST_ID} is no text"));
    }
    request.extensions_mut().insert(id.clone());
    let exchange = Exchange {
        server: &server,
        span: span.clone(),
        begin: Instant::now(),
        is_answered: false,
    };
    let response = next.run(request).instrument(span).await;
    let mut response = answer::complete(response, &id);
    if *server.stage.borrow() >= Stage::Stopping
        && response.status() != StatusCode::SWITCHING_PROTOCOLS
    {
        // The client is to send the next one elsewhere.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    exchange.answered(response.status());
    response
}

/// A request that waits for its answer. Dropped before that comes, its client has left.
struct Exchange<'s> {
    server: &'s Server,
    span: Span,
    begin: Instant,
    is_answered: bool,
}

impl Exchange<'_> {
    fn answered(mut self, status: StatusCode) {
        self.is_answered = true;
        let status = status.as_u16();
        self.server.metrics.answered(status);
        let latency_ms = in_milliseconds(self.begin.elapsed());
        self.span
            .in_scope(|| tracing::info!(status, latency_ms, "answered"));
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let latency_ms = in_milliseconds(self.begin.elapsed());
        if *self.server.stage.borrow() == Stage::Ending {
            self.span
                .in_scope(|| tracing::warn!(latency_ms, "given up"));
            return;
        }
        self.server.metrics.disconnects.add();
        self.span
            .in_scope(|| tracing::info!(latency_ms, "the client has left"));
    }
}

/// To the microsecond.
fn in_milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e3
}
