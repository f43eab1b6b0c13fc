//! Requests under way: each a fork, and a call in it that ends when its client goes away.

use std::collections::BTreeMap;
use std::fmt;

use gcrucible_platform::planted;
use gcrucible_platform::sync::Mutex;
use gcrucible_vm::{ForkError, HostValue};

use super::fork::{Fork, ForkOptions};
use super::request_id::RequestId;
use crate::call::{CallError, CallHandle, Outcome};
use crate::engine::Engine;
use crate::event::EngineEvent;

/// A request that is served: a [fork](Fork) of the program and the call that answers, in it.
/// Dropping it before the call has ended is what [`Request::disconnect`] does.
///
/// It counts as under way until its call has ended, however early its client goes.
///
/// ```
/// use std::sync::Arc;
///
/// use gcrucible_engine::{Engine, EngineOptions, HostValue, Outcome, RequestId, Source};
/// use gcrucible_engine::{VirtualPlatform, compile};
///
/// let source = "
///     let seen = []
///     fn visit(number) {
///       seen.push(number)
///       if number > 9 { sleep(1000) }
///       return seen.len()
///     }";
/// let program = Arc::new(compile(&Source::new("main.crux", source))?);
/// let platform = Arc::new(VirtualPlatform::new(100));
/// let options = EngineOptions::default();
/// let engine = Engine::new(program, &options, Arc::clone(&platform) as _, None)?;
/// let _init = platform.block_on(engine.start_init())?;
/// assert!(platform.run(1_000));
///
/// let id = |header: &'static str| RequestId::from_header(Some(header.as_bytes()), String::new);
/// for call in [1, 2] {
///     let request = engine.request(id("a visit"), call, "visit", &[HostValue::Int(3)]);
///     let request = platform.block_on(request)?;
///     assert!(platform.run(1_000));
///     assert_eq!(platform.block_on(request.answer()), Outcome::Returned);
///     // Each has globals of its own.
///     assert_eq!(platform.block_on(request.call().data()), Some(HostValue::Int(1)));
/// }
/// let slow = engine.request(id("a slow one"), 3, "visit", &[HostValue::Int(10)]);
/// let slow = platform.block_on(slow)?;
/// while platform.step() {}
/// assert_eq!(engine.open_request_count(), 1);
/// slow.disconnect();
/// while platform.step() {}
/// assert_eq!(engine.open_request_count(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Request {
    number: u64,
    id: RequestId,
    /// It drops before the fork: what it cancels comes first.
    call: CallHandle,
    fork: Fork,
}

/// The place of a request among those under way, from before its fork is made. Dropping it
/// gives the place back.
pub struct Admission {
    engine: Engine,
    number: u64,
    id: RequestId,
}

/// A request under way, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// Its number: requests are numbered from 1 in order of admission.
    pub number: u64,
    /// Its id.
    pub id: RequestId,
    /// The id of its call, once that has begun.
    pub call: Option<u32>,
}

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// As many are under way as [`EngineOptions::requests_max`](crate::EngineOptions) allows.
    TooMany(usize),
    /// There is no fork for it.
    Fork(ForkError),
    /// Its call could not be started.
    Call(CallError),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::TooMany(limit) => write!(f, "{limit} requests are under way"),
            RequestError::Fork(error) => error.fmt(f),
            RequestError::Call(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RequestError {}

impl Engine {
    /// Takes a request in, if not too many are under way.
    ///
    /// # Errors
    /// [`RequestError::TooMany`].
    pub fn admit(&self, id: RequestId) -> Result<Admission, RequestError> {
        let admitted = self.inner.requests.admit(&id);
        let number = admitted.inspect_err(|_| {
            self.inner.observe(&EngineEvent::RequestRefused { id: &id });
        })?;
        Ok(Admission {
            engine: self.clone(),
            number,
            id,
        })
    }

    /// Serves a request by a call of an exported function in a fork of its own.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn request(
        &self,
        id: RequestId,
        call: u32,
        export: &str,
        args: &[HostValue],
    ) -> Result<Request, RequestError> {
        let admission = self.admit(id)?;
        let options = ForkOptions {
            memory_limit: self.inner.request_memory,
        };
        let fork = self.fork_with(&self.inner.realm(), &options).await;
        let fork = fork.map_err(RequestError::Fork)?;
        let call = fork.call(call, export, args).await;
        Ok(admission.serve(fork, call.map_err(RequestError::Call)?))
    }

    /// Number of requests under way; zero at rest (I-18).
    pub fn open_request_count(&self) -> usize {
        self.inner.requests.open.lock().by_number.len()
    }

    /// The requests under way, in order of admission.
    pub fn open_requests(&self) -> Vec<OpenRequest> {
        let open = self.inner.requests.open.lock();
        open.by_number.values().cloned().collect()
    }
}

impl Admission {
    /// The id of the request.
    pub fn id(&self) -> &RequestId {
        &self.id
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The request is served by a call in a fork that was made for it.
    pub fn serve(self, fork: Fork, call: CallHandle) -> Request {
        let (number, id) = (self.number, self.id.clone());
        let inner = &self.engine.inner;
        inner.requests.began(number, call.call().id());
        inner.observe(&EngineEvent::RequestBegan {
            request: number,
            id: &id,
            fork: fork.number(),
            call: call.call(),
        });
        call.call().attach(self);
        Request {
            number,
            id,
            call,
            fork,
        }
    }

    /// Its call has ended.
    pub(crate) fn end(mut self, outcome: Outcome) {
        self.leave();
        self.engine.inner.observe(&EngineEvent::RequestEnded {
            request: self.number,
            id: &self.id,
            outcome,
        });
    }

    /// It is no longer under way, which [its end](Self::end) will say.
    pub(crate) fn leave(&mut self) {
        self.engine.inner.requests.end(self.number);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("number", &self.number)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// Its number: requests are numbered from 1 in order of admission.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its id.
    pub fn id(&self) -> &RequestId {
        &self.id
    }

    /// What its call runs in.
    pub fn fork(&self) -> &Fork {
        &self.fork
    }

    /// Its call, for the outcome and the answer.
    pub fn call(&self) -> &CallHandle {
        &self.call
    }

    /// Waits for the answer: until the call has ended. [`CallHandle::data`] gives it then.
    pub async fn answer(&self) -> Outcome {
        self.call.join().await
    }

    /// Its client is gone: the call is cancelled with all that it started (I-18). Nothing is
    /// cancelled if it has ended already.
    pub fn disconnect(self) {}
}

impl Drop for Request {
    fn drop(&mut self) {
        // The handle of the call drops behind this, and that cancels the call.
        let call = self.call.call();
        if call.outcome().is_none() && !planted!(B226, call.token().is_requested()) {
            self.fork
                .engine()
                .inner
                .observe(&EngineEvent::Disconnected {
                    request: self.number,
                    id: &self.id,
                });
            if planted!(B115) {
                self.call.set_detached();
            }
        }
    }
}

/// The requests under way.
#[derive(Debug)]
pub(crate) struct RequestTable {
    limit: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    by_number: BTreeMap<u64, OpenRequest>,
}

impl RequestTable {
    pub(crate) fn new(limit: usize) -> Self {
        RequestTable {
            limit,
            open: Mutex::default(),
        }
    }

    fn admit(&self, id: &RequestId) -> Result<u64, RequestError> {
        let mut open = self.open.lock();
        if open.by_number.len() >= self.limit {
            return Err(RequestError::TooMany(self.limit));
        }
        open.last += 1;
        let request = OpenRequest {
            number: open.last,
            id: id.clone(),
            call: None,
        };
        open.by_number.insert(request.number, request);
        Ok(open.last)
    }

    fn began(&self, number: u64, call: u32) {
        if let Some(request) = self.open.lock().by_number.get_mut(&number) {
            request.call = Some(call);
        }
    }

    fn end(&self, number: u64) {
        self.open.lock().by_number.remove(&number);
    }
}
