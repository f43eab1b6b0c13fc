//! Tasks that outlive the calls of their forks.
//!
//! A detached task of a fork belongs to no call, so neither the end of its call nor the
//! departure of a client ends it. Whoever serves strangers would be theirs to fill up: so these
//! tasks are counted, limited in number, and can be ended by their age.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gcrucible_platform::planted;
use gcrucible_platform::sync::Mutex;

use crate::cancellation::Token;
use crate::engine::Engine;

/// The tasks of forks that belong to no call.
#[derive(Debug)]
pub(crate) struct DetachedTasks {
    limit: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// Places that are taken, by tasks or for such as are about to start.
    taken: usize,
    /// Those that have started, by the number of their task.
    tasks: BTreeMap<u32, Started>,
}

#[derive(Debug)]
struct Started {
    token: Arc<Token>,
    /// In milliseconds of the engine's time.
    since_ms: u64,
    is_cancelled: bool,
}

/// A place among them. Dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct DetachedPlace {
    all: Arc<DetachedTasks>,
    task: Option<u32>,
}

impl DetachedTasks {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(DetachedTasks {
            limit,
            open: Mutex::default(),
        })
    }

    /// A place for one more, if there is one.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<DetachedPlace> {
        let mut open = self.open.lock();
        if open.taken >= self.limit {
            return None;
        }
        open.taken += 1;
        Some(DetachedPlace {
            all: Arc::clone(self),
            task: None,
        })
    }

    /// What a task is told that finds no place.
    pub(crate) fn refusal(&self) -> String {
        format!("{} detached tasks of forks are under way", self.limit)
    }
}

impl DetachedPlace {
    /// The task that has the place starts.
    pub(crate) fn start(&mut self, token: &Arc<Token>, since_ms: u64) {
        self.task = Some(token.task());
        let started = Started {
            token: Arc::clone(token),
            since_ms,
            is_cancelled: false,
        };
        self.all.open.lock().tasks.insert(token.task(), started);
    }
}

impl Drop for DetachedPlace {
    fn drop(&mut self) {
        let mut open = self.all.open.lock();
        let started = self.task.and_then(|task| open.tasks.remove(&task));
        if !planted!(B212, started.is_some_and(|it| it.token.is_requested())) {
            open.taken -= 1;
        }
    }
}

impl Engine {
    /// Number of tasks in [forks](crate::Fork) that belong to no call, because they or those that spawned them are
    /// detached. There are at most [`EngineOptions::detached_max`](crate::EngineOptions) of them.
    pub fn detached_task_count(&self) -> usize {
        self.inner.detached.open.lock().taken
    }

    /// Requests cancellation of those among them that have been under way for so long; gives
    /// how many that concerns for the first time.
    pub fn cancel_detached(&self, age: Duration) -> usize {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let now = self.inner.now_ms();
        let mut due = Vec::new();
        for task in self.inner.detached.open.lock().tasks.values_mut() {
            if !task.is_cancelled && now.saturating_sub(task.since_ms) >= age {
                task.is_cancelled = true;
                due.push(Arc::clone(&task.token));
            }
        }
        for token in &due {
            self.cancel(token);
        }
        due.len()
    }
}
