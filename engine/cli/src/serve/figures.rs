//! Where the figures are to be had.
//!
//! They have an address of their own, so that the clients of the program do not see them, and a
//! thread of their own, so that they are to be had when all others are busy.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Server, metrics};

const PATH: &str = "/-/metrics";
const KIND: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
/// Who may ask at once.
const CLIENTS_MAX: usize = 16;
/// How long one may take to ask, or be silent.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may last.
const LONGEST: Duration = Duration::from_secs(600);

/// Answers those who ask, until it is dropped.
pub(super) async fn serve(server: Arc<Server>, listener: TcpListener) {
    let clients = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        // Nobody closes it.
        let Ok(client) = Arc::clone(&clients).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let response = answer(&server, &request);
                async { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .serve_connection(TokioIo::new(stream), service);
            let _ = timeout(LONGEST, connection).await;
            drop(client);
        });
    }
}

fn answer(server: &Server, request: &Request<Incoming>) -> Response<Body> {
    let is_read = request.method() == Method::GET || request.method() == Method::HEAD;
    let mut response = Response::new(Body::empty());
    if request.uri().path() != PATH {
        *response.status_mut() = StatusCode::NOT_FOUND;
    } else if !is_read {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    } else {
        *response.body_mut() = Body::from(metrics::text(server));
        response.headers_mut().insert(CONTENT_TYPE, KIND);
    }
    response
}

/// The address that was given, as it can be asked.
pub(super) fn url(address: SocketAddr) -> String {
    format!("http://{address}{PATH}")
}
