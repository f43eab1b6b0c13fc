//! `crux serve`: a program that answers requests.
//!
//! ```text
//! options      what the command line may say
//! entry        the module around the program that is served
//! routes       which path is whose
//! version      the version that new requests see: its routes and what is forked
//! process      from the first version to the end: reloads, signals
//! log          what the server says, and what the program prints
//! budget       bytes that are held for clients, and the limit on them
//! connections  clients that come and go
//! socket       a client's socket, which knows what its client is at
//! under_way    an answer's body that says when it is over
//! exchange     a request from its head to its answer, in the log and the figures
//! manners      what HTTP asks of every request
//! places       requests under way, and who gives way
//! handler      a request to the call that answers it
//! calls        calls of the program
//! request      what a handler is given
//! answer       what a client is given
//! json         plain data as JSON
//! convert      work on large data, off the threads that serve
//! handshake    how a request becomes a WebSocket
//! websocket    connections whose messages are calls
//! metered      a connection whose unfinished messages are charged
//! metrics      what can be counted
//! figures      where that is to be had
//! ```

mod answer;
mod budget;
mod calls;
mod connections;
mod convert;
mod entry;
mod exchange;
mod figures;
mod handler;
mod handshake;
mod json;
mod log;
mod manners;
mod metered;
mod metrics;
mod options;
mod places;
mod process;
mod request;
mod routes;
mod socket;
mod under_way;
mod version;
mod websocket;

pub(crate) use options::ServeOptions;
pub(crate) use process::run;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use axum::http::StatusCode;
use gcrucible_engine::Engine;
use gcrucible_platform::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Semaphore, watch};

use self::answer::REQUEST_ID;
use self::budget::Budget;
use self::calls::CallIds;
use self::connections::Connections;
use self::metrics::Metrics;
use self::options::Limits;
use self::places::Places;
use self::version::Versions;

/// Clients that are read on though they have their answers, at once.
const DISCARDS_MAX: usize = 16;

/// What all connections share.
pub(crate) struct Server {
    engine: Engine,
    versions: Versions,
    metrics: Arc<Metrics>,
    limits: Limits,
    connections: Connections,
    places: Arc<Places>,
    budget: Arc<Budget>,
    /// One permit for each conversion of large data that may be under way.
    conversions: Semaphore,
    /// One permit for each client that is read on though it has its answer.
    discards: Arc<Semaphore>,
    /// One permit for each WebSocket that may be open.
    websockets: Arc<Semaphore>,
    stage: watch::Sender<Stage>,
    call_ids: CallIds,
    request_ids: RequestIds,
}

/// How far the server's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It serves.
    Serving,
    /// Nothing new is taken; what is under way goes on.
    Stopping,
    /// What is still under way is given up.
    Ending,
}

/// Ids for requests whose clients give them none: no two of a process are equal but by a great
/// chance, nor two of different processes.
#[derive(Debug, Default)]
struct RequestIds {
    key: RandomState,
    count: AtomicU64,
}

impl Server {
    fn new(
        engine: Engine,
        versions: Versions,
        metrics: Arc<Metrics>,
        limits: Limits,
        call_ids: CallIds,
    ) -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Arc::new(Server {
            engine,
            versions,
            metrics,
            connections: Connections::new(limits.connections_max),
            places: Places::new(limits.requests_max, limits.busy_timeout),
            budget: Budget::new(limits.bytes_max),
            conversions: Semaphore::new(cores),
            discards: Arc::new(Semaphore::new(DISCARDS_MAX)),
            websockets: Arc::new(Semaphore::new(limits.websockets_max)),
            limits,
            stage: watch::Sender::new(Stage::Serving),
            call_ids,
            request_ids: RequestIds::default(),
        })
    }

    /// The whole answer to a client of whom no request could be read, for the log, too.
    fn refuse_early(&self, status: StatusCode, why: &str) -> String {
        let id = self.request_ids.next();
        self.metrics.answered(status.as_u16());
        let span = tracing::error_span!("request", id);
        span.in_scope(|| tracing::info!(status = status.as_u16(), "answered: {why}"));
        // Neither has a character that JSON would escape.
        let body = format!("{{\"error\":\"{why}\",\"request_id\":\"{id}\"}}");
        let retry = match status {
            StatusCode::SERVICE_UNAVAILABLE => "retry-after: 1\r\n",
            _ => "",
        };
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n{REQUEST_ID}: {id}\r\n{retry}connection: close\r\n\r\n{body}",
            body.len()
        )
    }

    /// Waits until the server's end has come so far.
    async fn reached(&self, stage: Stage) {
        // The sender is the server's own.
        let _ = self.stage.subscribe().wait_for(|now| *now >= stage).await;
    }
}

impl RequestIds {
    fn next(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}", self.key.hash_one(count))
    }
}
