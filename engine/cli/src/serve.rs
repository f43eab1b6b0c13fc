//! `crux serve`: a program that answers requests.
//!
//! ```text
//! options      what the command line may say
//! entry        the module around the program that is served
//! routes       which path is whose
//! version      the version that new requests see: its routes and what is forked
//! process      from the first version to the end: reloads, signals
//! connections  clients that come and go
//! socket       what a client that is too slow is told
//! exchange     a request from its head to its answer, in the log and the figures
//! handler      a request to the call that answers it
//! calls        calls of the program
//! request      what a handler is given
//! answer       what a client is given
//! json         plain data as JSON
//! websocket    connections whose messages are calls
//! metrics      what can be counted
//! ```

mod answer;
mod calls;
mod connections;
mod entry;
mod exchange;
mod handler;
mod json;
mod metrics;
mod options;
mod process;
mod request;
mod routes;
mod socket;
mod version;
mod websocket;

pub(crate) use options::ServeOptions;
pub(crate) use process::run;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gcrucible_engine::Engine;
use tokio::sync::{Semaphore, watch};

use self::calls::CallIds;
use self::metrics::Metrics;
use self::options::Limits;
use self::version::Versions;

/// What all connections share.
pub(crate) struct Server {
    engine: Engine,
    versions: Versions,
    metrics: Arc<Metrics>,
    limits: Limits,
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
        Arc::new(Server {
            engine,
            versions,
            metrics,
            websockets: Arc::new(Semaphore::new(limits.websockets_max)),
            limits,
            stage: watch::Sender::new(Stage::Serving),
            call_ids,
            request_ids: RequestIds::default(),
        })
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
