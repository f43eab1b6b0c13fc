//! The version that new requests see: its routes and what is forked.

use std::collections::BTreeSet;
use std::sync::Arc;

use gcrucible_engine::{Engine, Fork, ForkError, ForkOptions, HostValue};
use gcrucible_platform::sync::RwLock;
use gcrucible_vm::Realm;

use super::calls::{self, CallIds, Ended};
use super::entry;
use super::routes::Routes;

/// A version of the program that can be served. A request has one from its head to its end, so
/// that its route and its fork are of the same version whatever is reloaded meanwhile (I-25).
pub(crate) struct Version {
    engine: Engine,
    /// What each request gets a fork of.
    template: Arc<Realm>,
    pub(crate) routes: Routes,
    /// Keys of WebSockets whose functions take the request that they began with, too.
    shows_handshake: BTreeSet<String>,
    /// 1 is the program that the server was started with.
    pub(crate) number: u32,
}

impl Version {
    /// Looks at the version of the engine that is current now, whose top level has settled well:
    /// whether it can be forked, and what its routes are.
    ///
    /// # Errors
    /// Why it cannot be served.
    pub(crate) async fn current(
        engine: &Engine,
        number: u32,
        ids: &CallIds,
    ) -> Result<Self, String> {
        let template = engine.realm();
        let fork = engine.fork_of(&template).await;
        let fork = fork.map_err(|error| error.to_string())?;
        let call = calls::start(ids, &fork, entry::ROUTES, &[]).await;
        let call = call.map_err(|error| error.to_string())?;
        let routes = match calls::ended(&call).await {
            Ended::Data(found) => Routes::of(found)?,
            Ended::NoData(text) | Ended::TooLarge(text) | Ended::Threw { text, .. } => {
                return Err(format!("`routes` cannot be read: {text}"));
            }
        };
        let mut shows_handshake = BTreeSet::new();
        for key in routes.websockets() {
            let arg = HostValue::String(key.to_owned());
            let call = calls::start(ids, &fork, entry::HANDLER, &[arg]).await;
            let call = call.map_err(|error| error.to_string())?;
            call.join().await;
            match call.parameters().await {
                Some(1) | None => {}
                Some(2) => drop(shows_handshake.insert(key.to_owned())),
                Some(count) => {
                    return Err(format!(
                        "`routes[\"{key}\"]` must take a message, or a message and a request, \
                         and has {count} parameters"
                    ));
                }
            }
        }
        Ok(Version {
            engine: engine.clone(),
            template,
            routes,
            shows_handshake,
            number,
        })
    }

    /// Whether the function of a WebSocket takes the request that it began with, too.
    pub(crate) fn shows_handshake(&self, key: &str) -> bool {
        self.shows_handshake.contains(key)
    }

    /// Globals of a request's own, which may use so many bytes of the heap.
    ///
    /// # Errors
    /// See [`Engine::fork_of`].
    pub(crate) async fn fork(&self, memory: u64) -> Result<Fork, ForkError> {
        let options = ForkOptions {
            memory_limit: Some(memory),
        };
        self.engine.fork_with(&self.template, &options).await
    }
}

/// Which version new requests see.
pub(crate) struct Versions(RwLock<Arc<Version>>);

impl Versions {
    pub(crate) fn new(first: Version) -> Self {
        Versions(RwLock::new(Arc::new(first)))
    }

    /// The version for a request that begins now.
    pub(crate) fn current(&self) -> Arc<Version> {
        Arc::clone(&self.0.read())
    }

    /// Requests that begin from here on see this one.
    pub(crate) fn set(&self, version: Version) {
        let old = std::mem::replace(&mut *self.0.write(), Arc::new(version));
        // Outside of the lock: it may be the last that holds the old version.
        drop(old);
    }
}
