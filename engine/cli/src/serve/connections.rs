//! Clients that come and go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::Response;
use gcrucible_platform::listener::ignore_newcomers;
use gcrucible_platform::sync::Mutex;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;

use super::manners::HEAD_MAX;
use super::socket::{Socket, State};
use super::under_way::Tracked;
use super::{Server, Stage, answer, exchange, handler};

/// How long nobody is let in when the system has no more room for connections.
const BREATH: Duration = Duration::from_millis(20);

/// How long a connection on which nothing happens is kept once the server stops: its client may
/// just be sending a request.
const LINGER: Duration = Duration::from_millis(250);

/// How long handshakes may take that have begun when the server stops.
const HANDSHAKES: Duration = Duration::from_millis(50);

/// How long a client has at least to send its request, however many others want to be let in.
/// These wait with the operating system meanwhile, first come, first served.
const CHANCE: Duration = Duration::from_millis(500);

/// Whether a client is let in.
enum Entry {
    /// Under this number.
    Taken(u64),
    /// There is no room.
    Refused,
    /// There may be room after so long.
    Later(Duration),
}

/// The connections that are open.
#[derive(Debug)]
pub(crate) struct Connections {
    limit: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    /// In order of their beginning.
    states: BTreeMap<u64, Arc<State>>,
}

impl Connections {
    pub(crate) fn new(limit: usize) -> Self {
        Connections {
            limit,
            open: Mutex::default(),
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.open.lock().states.len()
    }

    /// Takes one in, if there is room, or one that nobody would miss: the oldest of these goes.
    fn enter(&self, state: &Arc<State>) -> Entry {
        let mut open = self.open.lock();
        if open.states.len() >= self.limit {
            // Rather one who has never asked for anything.
            let idle = |asked: bool| {
                let mut states = open.states.iter();
                states.find(|(_, state)| state.is_idle() && state.has_asked() == asked)
            };
            let Some((&number, state)) = idle(false).or_else(|| idle(true)) else {
                return Entry::Refused;
            };
            let age = state.since().elapsed();
            if age < CHANCE {
                return Entry::Later(CHANCE - age);
            }
            state.evicted.notify_one();
            open.states.remove(&number);
        }
        open.last += 1;
        let number = open.last;
        open.states.insert(number, Arc::clone(state));
        Entry::Taken(number)
    }

    fn leave(&self, number: u64) {
        self.open.lock().states.remove(&number);
    }
}

/// Serves until the server's end: from [`Stage::Stopping`] on nobody is let in, and requests
/// that have been sent by then are answered until [`Stage::Ending`].
pub(super) async fn serve(server: Arc<Server>, listener: TcpListener) {
    let router = router(&server);
    // Each connection holds a receiver.
    let open = watch::Sender::new(());
    let let_in = async |stream: TcpStream| {
        // Small answers go at once. A client that has left already is noticed below.
        let _ = stream.set_nodelay(true);
        let (socket, state) = Socket::new(stream, &server);
        let number = loop {
            match server.connections.enter(&state) {
                Entry::Taken(number) => break number,
                Entry::Later(rest) => tokio::time::sleep(rest).await,
                Entry::Refused => {
                    server.metrics.connections_refused.add();
                    let why = "too many connections are open";
                    return socket.refuse(StatusCode::SERVICE_UNAVAILABLE, why);
                }
            }
        };
        let connection = connection(Arc::clone(&server), router.clone(), socket, state);
        let (server, is_open) = (Arc::clone(&server), open.subscribe());
        tokio::spawn(async move {
            connection.await;
            server.connections.leave(number);
            drop(is_open);
        });
    };
    let mut stopping = std::pin::pin!(server.reached(Stage::Stopping));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopping => break,
        };
        match accepted {
            Ok((stream, _)) => let_in(stream).await,
            // The client may have left meanwhile, or there are too many of them.
            Err(error) => {
                tracing::warn!("a client was not let in: {error}");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    // Those who have connected by now are let in, and so are those who are about to. Whether
    // there are any, only the system knows: the runtime may not have heard yet.
    if let Ok(listener) = listener.into_std() {
        if ignore_newcomers(&listener).is_ok() {
            tokio::time::sleep(HANDSHAKES).await;
        }
        while let Ok((stream, _)) = listener.accept() {
            let stream = stream.set_nonblocking(true).map(|()| stream);
            if let Ok(stream) = stream.and_then(TcpStream::from_std) {
                let_in(stream).await;
            }
        }
    }
    open.closed().await;
}

fn router(server: &Arc<Server>) -> Router {
    let named = middleware::from_fn_with_state(Arc::clone(server), exchange::name);
    // What the panic said is in the log; the client learns nothing of it.
    let panicked = CatchPanicLayer::custom(|_| {
        answer::refusal(StatusCode::INTERNAL_SERVER_ERROR, "the server failed")
    });
    Router::new()
        .fallback(handler::handle)
        .layer(panicked)
        .layer(named)
        .with_state(Arc::clone(server))
}

async fn connection(server: Arc<Server>, router: Router, socket: Socket, state: Arc<State>) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        let under_way = state.begin();
        let answered = router.call(request);
        async move {
            let response: Response = answered.await?;
            let track = |body| Body::new(Tracked::new(body, under_way));
            Ok::<_, std::convert::Infallible>(response.map(track))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(server.limits.read_timeout)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let mut stopping = std::pin::pin!(lingered(&server, &state));
    let mut is_stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!("a connection ended: {error}");
                    if error.is_timeout() {
                        // The socket goes with the connection, when this returns.
                        state.tell_late();
                    }
                }
                return;
            }
            () = state.evicted.notified() => {
                if state.is_idle() {
                    return;
                }
            }
            () = &mut stopping, if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = server.reached(Stage::Ending) => return,
        }
    }
}

/// Waits until the server stops, and then until nothing has happened on a connection for a while.
/// Answers tell the client that the connection ends, from then on.
async fn lingered(server: &Server, state: &State) {
    server.reached(Stage::Stopping).await;
    loop {
        tokio::time::sleep(LINGER).await;
        if state.is_idle() && !state.has_begun() {
            return;
        }
    }
}
