//! A request from its head to its answer, in the log and the figures.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use gcrucible_engine::RequestId;
use tracing::{Instrument as _, Span};

use super::answer::REQUEST_ID;
use super::routes::RESERVED;
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
    let is_own = path.starts_with(RESERVED);
    request.extensions_mut().insert(id.clone());
    let exchange = Exchange {
        server: &server,
        span: span.clone(),
        is_own,
        is_answered: false,
    };
    let response = next.run(request).instrument(span).await;
    let response = answer::complete(response, &id);
    exchange.answered(response.status());
    response
}

/// A request that waits for its answer. Dropped before that comes, its client has left.
struct Exchange<'s> {
    server: &'s Server,
    span: Span,
    /// Whether it asks the server itself: that is no work of the program's.
    is_own: bool,
    is_answered: bool,
}

impl Exchange<'_> {
    fn answered(mut self, status: StatusCode) {
        self.is_answered = true;
        let status = status.as_u16();
        if self.is_own {
            self.span.in_scope(|| tracing::debug!(status, "answered"));
            return;
        }
        self.server.metrics.answered(status);
        self.span.in_scope(|| tracing::info!(status, "answered"));
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if self.is_answered || self.is_own {
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
