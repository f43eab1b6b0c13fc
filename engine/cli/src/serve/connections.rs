//! Clients that come and go.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;

use super::socket::Socket;
use super::{Server, Stage, answer, exchange, handler, metrics};

/// The most bytes of a request's head; a larger one gets 431.
const HEAD_MAX: usize = 64 * 1024;

/// How long nobody is let in when the system has no more room for connections.
const BREATH: Duration = Duration::from_millis(20);

/// Serves until the server's end: from [`Stage::Stopping`] on nobody is let in, and requests
/// under way are answered until [`Stage::Ending`].
pub(super) async fn serve(server: Arc<Server>, listener: TcpListener) {
    let router = router(&server);
    // Each connection holds a receiver.
    let open = watch::Sender::new(());
    let mut stopping = std::pin::pin!(server.reached(Stage::Stopping));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopping => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(Arc::clone(&server), router.clone(), stream);
                let is_open = open.subscribe();
                tokio::spawn(async move {
                    connection.await;
                    drop(is_open);
                });
            }
            // The client may have left meanwhile, or there are too many of them.
            Err(error) => {
                tracing::warn!("a client was not let in: {error}");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    drop(listener);
    open.closed().await;
}

fn router(server: &Arc<Server>) -> Router {
    let shown = async |State(server): State<Arc<Server>>| -> Response {
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        ([(CONTENT_TYPE, kind)], metrics::text(&server)).into_response()
    };
    let named = middleware::from_fn_with_state(Arc::clone(server), exchange::name);
    // What the panic said is on standard error; the client learns nothing of it.
    let panicked = CatchPanicLayer::custom(|_| {
        answer::refusal(StatusCode::INTERNAL_SERVER_ERROR, "the server failed")
    });
    Router::new()
        .route("/-/metrics", get(shown))
        .fallback(handler::handle)
        .layer(panicked)
        .layer(named)
        .with_state(Arc::clone(server))
}

async fn connection(server: Arc<Server>, router: Router, stream: TcpStream) {
    // Small answers go at once. A client that has left already is noticed below.
    let _ = stream.set_nodelay(true);
    let (socket, lateness) = Socket::new(stream);
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(server.limits.read_timeout)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let mut is_stopping = false;
    loop {
        let stage = if is_stopping {
            Stage::Ending
        } else {
            Stage::Stopping
        };
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!("a connection ended: {error}");
                    if error.is_timeout() {
                        // The socket goes with the connection, when this returns.
                        lateness.tell();
                    }
                }
                return;
            }
            () = server.reached(stage) => {
                if is_stopping {
                    return;
                }
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
