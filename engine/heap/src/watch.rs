//! Watched objects: whoever watches one hears when a collection has freed it.
//!
//! A watch holds its object weakly and keeps nothing alive. An object that a finalizer is given
//! lives on, and so does the watch.

use gcrucible_platform::sync::Mutex;

use crate::heap::Heap;
use crate::permit::SharedPermit;
use crate::value::{Value, Word};

/// The watched objects of a heap.
#[derive(Debug, Default)]
pub(crate) struct WatchTable {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    watched: Vec<(Word, u64)>,
    /// What was freed since somebody asked.
    freed: Vec<u64>,
}

impl WatchTable {
    /// Forwards the objects that `survivor` knows; all others are freed.
    pub(crate) fn settle(&self, survivor: impl Fn(Word) -> Option<Word>) {
        let mut table = self.table.lock();
        let table = &mut *table;
        let freed = &mut table.freed;
        table.watched.retain_mut(|(object, id)| {
            let survives = survivor(*object);
            match survives {
                Some(word) => *object = word,
                None => freed.push(*id),
            }
            survives.is_some()
        });
    }
}

impl SharedPermit<'_> {
    /// Watches an object; `id` tells it from others. Nothing comes of it for an immediate.
    pub fn watch(&self, object: Value<'_>, id: u64) {
        if object.is_object() {
            let watched = &self.heap().watched;
            watched.table.lock().watched.push((object.word(), id));
        }
    }
}

impl Heap {
    /// The ids of watched objects that were freed since this was asked last, in order of their
    /// watches.
    pub fn take_freed(&self) -> Vec<u64> {
        std::mem::take(&mut self.watched.table.lock().freed)
    }
}
