//! Who waits for channels and mutexes.

use std::collections::BTreeMap;
use std::sync::Arc;

use gcrucible_platform::sync::Mutex;

use crate::futures::Signal;

/// A task and what it waits with.
type Waiter = (u32, Arc<Signal>);

/// Lists of waiting tasks by the id of what they wait for.
///
/// A change wakes everybody on the list: each looks again, and who comes too late waits
/// again. A task registers first and compares versions then, so that no change is missed.
#[derive(Debug, Default)]
pub(crate) struct WaitLists {
    lists: Mutex<BTreeMap<u64, Vec<Waiter>>>,
}

impl WaitLists {
    /// Puts a task on the list.
    pub(crate) fn add(&self, object: u64, task: u32, signal: &Arc<Signal>) {
        let mut lists = self.lists.lock();
        let list = lists.entry(object).or_default();
        list.push((task, Arc::clone(signal)));
    }

    /// Takes a task off the list, if it is still there.
    pub(crate) fn remove(&self, object: u64, task: u32) {
        let mut lists = self.lists.lock();
        if let Some(list) = lists.get_mut(&object) {
            list.retain(|&(waiter, _)| waiter != task);
            if list.is_empty() {
                lists.remove(&object);
            }
        }
    }

    /// Whether anybody waits for one of the objects.
    pub(crate) fn has_any(&self, objects: &[u64]) -> bool {
        let lists = self.lists.lock();
        objects.iter().any(|object| lists.contains_key(object))
    }

    /// Takes everybody who waits for one of the objects, in order.
    pub(crate) fn take(&self, objects: &[u64]) -> Vec<Waiter> {
        let mut lists = self.lists.lock();
        let lists = objects.iter().filter_map(|object| lists.remove(object));
        lists.flatten().collect()
    }

    /// Tasks that wait, with the id of the object.
    pub(crate) fn waiting(&self) -> Vec<(u32, u64)> {
        let lists = self.lists.lock();
        let mut waiting: Vec<(u32, u64)> = lists
            .iter()
            .flat_map(|(&object, list)| list.iter().map(move |&(task, _)| (task, object)))
            .collect();
        waiting.sort_unstable();
        waiting
    }
}
