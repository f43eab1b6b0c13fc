//! A request from its head to its answer, in the log and the figures.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use gcrucible_engine::RequestId;
use tracing::{Instrument as _, Span};

use super::{Server, Stage};

/// The header that names a request, in both directions.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Names a request, has it answered within a span of that name, and notes the answer, which
/// carries the name, too.
pub(super) async fn name(
    State(server): State<Arc<Server>>,
    mut request: Request,
    next: Next,
) -> Response {
    let header = request.headers().get(HEADER).map(HeaderValue::as_bytes);
    let id = RequestId::from_header(header, || server.request_ids.next());
    let method = request.method().as_str();
    let path = request.uri().path();
    let span = tracing::info_span!("request", id = id.as_str(), method, path);
    if !id.is_text() {
        span.in_scope(|| tracing::warn!("the client's {HEADER} is no text"));
    }
    request.extensions_mut().insert(id.clone());
    let exchange = Exchange {
        server: &server,
        span: span.clone(),
        is_answered: false,
    };
    let mut response = next.run(request).instrument(span).await;
    if let Ok(id) = HeaderValue::from_bytes(id.as_str().as_bytes()) {
        response.headers_mut().insert(HEADER, id);
    }
    exchange.answered(response.status());
    response
}

/// A request that waits for its answer. Dropped before that comes, its client has left.
struct Exchange<'s> {
    server: &'s Server,
    span: Span,
    is_answered: bool,
}

impl Exchange<'_> {
    fn answered(mut self, status: StatusCode) {
        self.is_answered = true;
        let status = status.as_u16();
        self.server.metrics.answered(status);
        self.span.in_scope(|| tracing::info!(status, "answered"));
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        if *self.server.stage.borrow() == Stage::Ending {
            self.span.in_scope(|| tracing::warn!("given up"));
            return;
        }
        self.server.metrics.disconnects.add();
        self.span.in_scope(|| tracing::info!("the client has left"));
    }
}
