//! The registry: the root of unfinished futures, and of nothing else (I-13).
//!
//! A future gets its id from a counter that never goes back, and leaves the registry when
//! it is settled. So an id that is absent but below the next one is resolved, whatever
//! happened between a task's await and the engine's answer (I-15); its value is read from
//! the future object, which lives as long as somebody refers to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use gcrucible_heap::{
    Checks, Heap, Home, Mutator, NeedsMemory, RootAudit, RootKind, RootProvider, RootTracer,
    SharedPermit, Slot, Tlab, Value,
};
use gcrucible_platform::planted;
use gcrucible_platform::sync::Mutex;

use super::Signal;
use crate::cancellation::Token;
use crate::roots::ROOTS;

/// The id of all promises of top levels.
const PROMISE_ID: u64 = 0;

/// The id of the first future.
const FIRST_ID: u64 = 1;

/// Unfinished futures.
pub struct Registry {
    state: Mutex<State>,
    tlab: Tlab,
    home: Home,
}

#[derive(Default)]
struct State {
    next_id: u64,
    /// How often somebody has begun to wait.
    tickets: u64,
    entries: BTreeMap<u64, Entry>,
}

struct Entry {
    future: Arc<Slot>,
    /// Callee and arguments until the body starts.
    unscheduled: Slot,
    token: Arc<Token>,
    /// By their tickets: in the order in which they began to wait.
    waiters: BTreeMap<u64, Waiter>,
}

/// A task and what it waits with.
type Waiter = (u32, Arc<Signal>);

/// What a wait for a future comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The task is on the list and will be notified once.
    Waiting,
    /// The future is settled.
    Resolved,
    /// No future ever had that id.
    NotFound,
}

/// An entry that was taken out of the registry.
pub struct Removed {
    pub(crate) waiters: Vec<Waiter>,
}

impl Registry {
    /// An empty registry, registered as a root provider. Ids start at 1.
    pub fn new(heap: &Heap) -> Arc<Registry> {
        let registry = Arc::new(Registry {
            state: Mutex::new(State {
                next_id: FIRST_ID,
                ..State::default()
            }),
            tlab: Tlab::new(heap, 1 << 29),
            home: Home::new(heap),
        });
        heap.add_provider(&registry);
        registry
    }

    /// Lets one allocate in the registry's own buffer at a time. Tasks in several threads do,
    /// for what belongs to none of them, and a buffer has room for one.
    ///
    /// # Errors
    /// What `make` says.
    pub(crate) fn allocate<C: Checks, R>(
        &self,
        permit: &SharedPermit<'_>,
        make: impl FnOnce(&Mutator<'_, C>) -> Result<R, NeedsMemory>,
    ) -> Result<R, NeedsMemory> {
        let _state = self.state.lock();
        permit.with_mutator(&self.tlab, make)
    }

    /// Makes the promise of a version's top level: a future that the registry does not know, with an id
    /// that no other has, so that the ids of the others stay as they are. `keep` puts it where it lives on.
    ///
    /// # Errors
    /// When a collection is due first; nothing has changed then.
    pub(crate) fn promise<C: Checks, R>(
        &self,
        permit: &SharedPermit<'_>,
        keep: impl FnOnce(&Mutator<'_, C>, Value<'_>) -> R,
    ) -> Result<R, NeedsMemory> {
        let mut state = self.state.lock();
        permit.with_mutator(&self.tlab, |m: &Mutator<'_, C>| {
            let promise = m.future(PROMISE_ID)?;
            if planted!(B46, state.next_id > FIRST_ID) {
                state.next_id = FIRST_ID;
            }
            Ok(keep(m, promise))
        })
    }

    /// Registers the unscheduled future in `exchange`: makes its future, in the registry's
    /// own buffer, and leaves it in `exchange`. Returns its id and the token of the task that
    /// will run it, which comes from `new_token`.
    ///
    /// # Errors
    /// When a collection is due first; nothing has changed then.
    pub(crate) fn register<C: Checks>(
        &self,
        permit: &SharedPermit<'_>,
        exchange: &Slot,
        new_token: impl FnOnce() -> Arc<Token>,
    ) -> Result<(u64, Arc<Token>), NeedsMemory> {
        let mut state = self.state.lock();
        let id = state.next_id;
        let future = Arc::new(Slot::nil(ROOTS));
        permit.with_mutator(&self.tlab, |m: &Mutator<'_, C>| {
            m.store(&*future, m.future(id)?);
            Ok(())
        })?;
        let token = new_token();
        let entry = Entry {
            future,
            unscheduled: Slot::nil(ROOTS),
            token: Arc::clone(&token),
            waiters: BTreeMap::new(),
        };
        entry.unscheduled.take_from(exchange);
        exchange.copy_from(&entry.future);
        state.next_id += 1;
        state.entries.insert(id, entry);
        Ok((id, token))
    }

    /// The slot of a pending future.
    pub(crate) fn future(&self, id: u64) -> Option<Arc<Slot>> {
        self.state
            .lock()
            .entries
            .get(&id)
            .map(|entry| Arc::clone(&entry.future))
    }

    /// Callee and arguments of a future that starts, which it gives away; nil if it is none.
    pub(crate) fn start<'p, C: Checks>(&self, id: u64, m: &Mutator<'p, C>) -> Value<'p> {
        let state = self.state.lock();
        let Some(entry) = state.entries.get(&id) else {
            return Value::NIL;
        };
        let call = m.load(&entry.unscheduled);
        entry.unscheduled.clear();
        call
    }

    /// The token of the task that runs a pending future.
    pub(crate) fn token(&self, id: u64) -> Option<Arc<Token>> {
        let state = self.state.lock();
        Some(Arc::clone(&state.entries.get(&id)?.token))
    }

    /// Whether the id is one that the registry knows as pending, has known, or never had.
    pub(crate) fn look_up(&self, id: u64) -> Wait {
        Self::answer(&self.state.lock(), id)
    }

    fn answer(state: &State, id: u64) -> Wait {
        if state.entries.contains_key(&id) {
            Wait::Waiting
        } else if id < state.next_id && !planted!(B45) {
            Wait::Resolved
        } else {
            Wait::NotFound
        }
    }

    /// Puts a task on the lists of those who wait for futures, or one of them is not pending. Check
    /// and registration are one step: between them a future could settle, and nobody would wake the
    /// task (I-12). Gives what [`Registry::stop_waiting`] wants.
    pub(crate) fn wait_any(&self, ids: &[u64], task: u32, signal: &Arc<Signal>) -> (Wait, u64) {
        let mut state = self.state.lock();
        state.tickets += 1;
        let ticket = state.tickets;
        let answers = ids.iter().map(|&id| Self::answer(&state, id));
        if let Some(answer) = answers.into_iter().find(|&answer| answer != Wait::Waiting) {
            return (answer, ticket);
        }
        for id in ids {
            if let Some(entry) = state.entries.get_mut(id) {
                entry.waiters.insert(ticket, (task, Arc::clone(signal)));
            }
        }
        (Wait::Waiting, ticket)
    }

    /// Takes a task off the lists again, at a cost that does not grow with the others there.
    pub(crate) fn stop_waiting(&self, ids: &[u64], ticket: u64) {
        let mut state = self.state.lock();
        for id in ids {
            if let Some(entry) = state.entries.get_mut(id) {
                entry.waiters.remove(&ticket);
            }
        }
    }

    /// Who waits for a pending future. They stay on its list.
    pub(crate) fn waiters(&self, id: u64) -> Vec<Waiter> {
        let state = self.state.lock();
        let entry = state.entries.get(&id);
        let waiters = entry.map(|entry| entry.waiters.values().cloned().collect());
        waiters.unwrap_or_default()
    }

    /// Takes a settled future out.
    pub(crate) fn remove(&self, id: u64) -> Option<Removed> {
        let mut state = self.state.lock();
        if planted!(B47) {
            let entry = state.entries.get_mut(&id)?;
            return Some(Removed {
                waiters: std::mem::take(&mut entry.waiters).into_values().collect(),
            });
        }
        let entry = state.entries.remove(&id)?;
        Some(Removed {
            waiters: entry.waiters.into_values().collect(),
        })
    }

    /// Number of unfinished futures; zero at rest (I-14).
    pub fn active_future_count(&self) -> usize {
        self.state.lock().entries.len()
    }

    /// Whether a task is on the list of a future.
    pub(crate) fn is_waiting(&self, task: u32) -> bool {
        let state = self.state.lock();
        let mut waiters = state.entries.values().flat_map(|it| it.waiters.values());
        waiters.any(|waiter| waiter.0 == task)
    }

    /// Who waits for whom: task and id of the future.
    pub fn waiting(&self) -> Vec<(u32, u64)> {
        let state = self.state.lock();
        let mut waiting: Vec<(u32, u64)> = state
            .entries
            .iter()
            .flat_map(|(&id, entry)| entry.waiters.values().map(move |&(task, _)| (task, id)))
            .collect();
        waiting.sort_unstable();
        waiting
    }
}

// SAFETY: rule 1: the two slots of each entry are all that it has; whoever has a share of a `future`
// reads it before the entry is removed (`task/ending.rs`), but for a seeded bug.
// Rule 2: both are made once, for one heap. Rule 3: by inspection.
#[allow(unsafe_code, reason = "the collector believes what a provider says")]
unsafe impl RootProvider for Registry {
    fn name(&self) -> String {
        "future registry".to_owned()
    }

    fn home(&self) -> &Home {
        &self.home
    }

    fn trace(&self, tracer: &mut dyn RootTracer) {
        for entry in self.state.lock().entries.values() {
            tracer.slot(RootKind::PendingFuture, &entry.future);
            if !planted!(B16, !entry.unscheduled.is_nil()) {
                tracer.slot(RootKind::Unscheduled, &entry.unscheduled);
            }
        }
    }

    fn audit(&self, audit: &mut RootAudit<'_>) {
        let state = self.state.lock();
        for entry in state.entries.values() {
            audit.root(RootKind::Unscheduled, &entry.unscheduled);
        }
        for id in state.entries.keys() {
            audit.root(RootKind::PendingFuture, &state.entries[id].future);
        }
    }

    fn tlab(&self) -> Option<&Tlab> {
        Some(&self.tlab)
    }

    fn is_registry(&self) -> bool {
        true
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("active", &self.active_future_count())
            .finish()
    }
}
