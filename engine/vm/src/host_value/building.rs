//! Data on its way into the heap, in steps.
#![allow(unsafe_code, reason = "strings are written in steps")]

use gcrucible_heap::{Checks, MapStoreError, Mutator, NeedsMemory, RootRight, Slot, Value};
use gcrucible_platform::HostValue;
use gcrucible_platform::planted;

use super::UNITS_PER_VALUE;
use crate::roots::ROOTS;

/// Bytes of a text that are copied for one unit of work.
const BYTES_PER_UNIT: usize = 64;

/// What is made so far of data that is too large for one go. It goes over the data by places in
/// it, which stay as they are between two steps. Then it has roots, so it takes the right to have
/// some.
#[derive(Debug)]
pub struct Building {
    /// What is made in full, of one data after the other.
    done: Vec<Slot>,
    /// Containers under way, outermost first.
    open: Vec<Open>,
    /// A text in the making, or what is made and not where it belongs yet.
    made: Slot,
    state: State,
}

/// A container in the making.
#[derive(Debug)]
struct Open {
    container: Slot,
    /// The key of the value that comes next, once it is made.
    key: Option<Slot>,
    /// The element or entry that comes next.
    position: usize,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// The next part is to be made.
    #[default]
    Next,
    /// So many bytes of a text are copied.
    Copying(usize),
    /// It must be put where it belongs.
    Made,
}

/// What comes next.
enum Part<'d> {
    Value(&'d HostValue),
    Key(&'d str),
    /// The end of the innermost container.
    End,
    /// The end of all data.
    Done,
}

/// Whether more than so many units of work are needed to build the data. It looks no further
/// than that.
pub fn takes_more_than(data: &[HostValue], units: u32) -> bool {
    fn take(data: &HostValue, units: &mut u32) -> Option<()> {
        let text = |text: &str| u32::try_from(text.len() / BYTES_PER_UNIT).unwrap_or(u32::MAX);
        let own = match data {
            HostValue::String(string) => text(string),
            _ => 0,
        };
        *units = units.checked_sub(own.saturating_add(UNITS_PER_VALUE))?;
        match data {
            HostValue::Array(elements) => elements.iter().try_for_each(|data| take(data, units)),
            HostValue::Map(entries) => entries.iter().try_for_each(|(key, value)| {
                *units = units.checked_sub(text(key).saturating_add(UNITS_PER_VALUE))?;
                take(value, units)
            }),
            _ => Some(()),
        }
    }
    let mut units = units;
    data.iter()
        .try_for_each(|data| take(data, &mut units))
        .is_none()
}

impl Building {
    /// Begins with nothing. Who has the right also owes that each [step](Building::step) is given
    /// the same data: texts are written in steps.
    pub fn new(_: RootRight) -> Self {
        Building {
            done: Vec::new(),
            open: Vec::new(),
            made: Slot::nil(ROOTS),
            state: State::default(),
        }
    }

    /// Passes all its roots on. They must be roots between two steps.
    pub fn roots(&self, _: RootRight, root: &mut dyn FnMut(&Slot)) {
        self.done.iter().for_each(&mut *root);
        for open in &self.open {
            root(&open.container);
            if !planted!(B293, open.key.as_ref().is_some_and(Slot::is_object)) {
                open.key.iter().for_each(&mut *root);
            }
        }
        root(&self.made);
    }

    /// What the data has become, in order, when all of it is done.
    pub fn values<'p, C: Checks>(&self, m: &Mutator<'p, C>) -> Vec<Value<'p>> {
        self.done.iter().map(|slot| m.load_root(slot)).collect()
    }

    /// Goes on with about so many units of work, and takes what it did from `units`; with the
    /// same data each time. Whether all of it is done.
    ///
    /// # Errors
    /// When a collection is due first; it goes on where it was then. What found no room takes no
    /// units: that some are gone means that it got further.
    pub fn step<'p, C: Checks>(
        &mut self,
        data: &[HostValue],
        m: &Mutator<'p, C>,
        units: &mut u32,
    ) -> Result<bool, NeedsMemory> {
        let mut path = self.path(data);
        loop {
            if *units == 0 {
                return Ok(false);
            }
            if let State::Made = self.state {
                self.put(m)?;
            }
            let (text, value) = match self.next(data, &path) {
                Part::Done => return Ok(true),
                Part::End => {
                    path.pop();
                    if let Some(open) = self.open.pop() {
                        self.made(m, m.load_root(&open.container));
                    }
                    continue;
                }
                Part::Key(text) => (Some(text), Value::NIL),
                Part::Value(HostValue::String(text)) => (Some(text.as_str()), Value::NIL),
                Part::Value(data @ (HostValue::Array(_) | HostValue::Map(_))) => {
                    self.open(data, m)?;
                    path.push(data);
                    *units = units.saturating_sub(UNITS_PER_VALUE);
                    continue;
                }
                Part::Value(HostValue::Bool(bool)) => (None, Value::bool(*bool)),
                Part::Value(HostValue::Int(int)) => (None, m.int(*int)?),
                Part::Value(HostValue::Float(float)) => (None, Value::float(*float)),
                Part::Value(HostValue::Nil) => (None, Value::NIL),
            };
            let before = *units;
            *units = before.saturating_sub(UNITS_PER_VALUE);
            let Some(text) = text else {
                self.made(m, value);
                continue;
            };
            if let Err(needs) = self.text(text, m, units) {
                // Nothing was done. Units that are gone count as progress, after which an allocation
                // that fails does so for the first time: nobody would ever say that there is no room.
                if !planted!(B191) {
                    *units = before;
                }
                return Err(needs);
            }
        }
    }

    /// The containers of the data that are under way.
    fn path<'d>(&self, data: &'d [HostValue]) -> Vec<&'d HostValue> {
        let mut path = Vec::with_capacity(self.open.len());
        let mut next = data.get(self.done.len());
        for open in &self.open {
            let Some(container) = next else { break };
            path.push(container);
            next = match container {
                HostValue::Array(elements) => elements.get(open.position),
                HostValue::Map(entries) => entries.get(open.position).map(|(_, value)| value),
                _ => None,
            };
        }
        path
    }

    fn next<'d>(&self, data: &'d [HostValue], path: &[&'d HostValue]) -> Part<'d> {
        match (self.open.last(), path.last()) {
            (Some(open), Some(HostValue::Array(elements))) => {
                elements.get(open.position).map_or(Part::End, Part::Value)
            }
            (Some(open), Some(HostValue::Map(entries))) => match entries.get(open.position) {
                Some((key, _)) if open.key.is_none() => Part::Key(key),
                Some((_, value)) => Part::Value(value),
                None => Part::End,
            },
            _ => data.get(self.done.len()).map_or(Part::Done, Part::Value),
        }
    }

    /// Begins with a container, which has room for all its parts: one that grew would copy what
    /// it has in one go.
    fn open<'p, C: Checks>(
        &mut self,
        data: &HostValue,
        m: &Mutator<'p, C>,
    ) -> Result<(), NeedsMemory> {
        let made = match data {
            HostValue::Array(elements) => m.array_with_capacity(elements.len() as u32)?,
            HostValue::Map(entries) => m.map_with_capacity(entries.len() as u32)?,
            _ => Value::NIL,
        };
        let container = Slot::nil(ROOTS);
        m.store(&container, made);
        self.open.push(Open {
            container,
            key: None,
            position: 0,
        });
        Ok(())
    }

    /// Copies a text, as far as the units reach.
    fn text<'p, C: Checks>(
        &mut self,
        text: &str,
        m: &Mutator<'p, C>,
        units: &mut u32,
    ) -> Result<(), NeedsMemory> {
        let reach = (*units).max(1) as usize * BYTES_PER_UNIT;
        let from = match self.state {
            State::Copying(from) => from,
            _ if text.len() <= reach => {
                self.made(m, m.string(text)?);
                *units = units.saturating_sub((text.len() / BYTES_PER_UNIT) as u32);
                return Ok(());
            }
            _ => {
                // SAFETY: nobody but this reads `made`, and only when its state is `Made`.
                m.store(&self.made, unsafe { m.begin_string(text.len())? });
                0
            }
        };
        // In whole words, as they lie in memory.
        let end = text.len().min(from + reach);
        // SAFETY: `made` is the string that was begun for this text, which is the same each time
        // (the maker of this owes that): all of its bytes are copied in the end.
        unsafe { m.write_string(m.load_root(&self.made), from, &text.as_bytes()[from..end]) };
        *units = units.saturating_sub(((end - from) / BYTES_PER_UNIT) as u32);
        self.state = match end == text.len() {
            true => State::Made,
            false => State::Copying(end),
        };
        Ok(())
    }

    fn made<'p, C: Checks>(&mut self, m: &Mutator<'p, C>, value: Value<'p>) {
        m.store(&self.made, value);
        self.state = State::Made;
    }

    /// Puts what is made where it belongs.
    fn put<'p, C: Checks>(&mut self, m: &Mutator<'p, C>) -> Result<(), NeedsMemory> {
        let value = m.load_root(&self.made);
        let Some(open) = self.open.last_mut() else {
            let slot = Slot::nil(ROOTS);
            slot.take_from(&self.made);
            self.done.push(slot);
            self.state = State::Next;
            return Ok(());
        };
        let container = m.load_root(&open.container);
        match &open.key {
            Some(key) => {
                match m.map_set(container, m.load_root(key), value) {
                    Ok(()) => {}
                    Err(MapStoreError::NeedsMemory(needs)) => return Err(needs),
                    Err(other) => unreachable!("a map of strings: {other:?}"),
                }
                open.key = None;
                open.position += 1;
            }
            None if m.array_push(container, value)? => open.position += 1,
            None => {
                let key = Slot::nil(ROOTS);
                key.take_from(&self.made);
                open.key = Some(key);
            }
        }
        self.made.clear();
        self.state = State::Next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gcrucible_heap::{
        Checked, CollectionKind, Heap, HeapConfig, Holder, Home, RootAudit, RootKind, RootProvider,
        RootTracer,
    };
    use gcrucible_platform::sync::Mutex;
    use std::sync::Arc;

    use super::super::Converting;
    use super::*;

    struct Rooted(Mutex<Building>, Home);

    // SAFETY: the building has all slots; nobody else has it or its home.
    unsafe impl RootProvider for Rooted {
        fn name(&self) -> String {
            "a building".to_owned()
        }

        fn home(&self) -> &Home {
            &self.1
        }

        fn trace(&self, tracer: &mut dyn RootTracer) {
            let building = self.0.lock();
            building.roots(ROOTS, &mut |slot| tracer.slot(RootKind::Temporary, slot));
        }

        fn audit(&self, audit: &mut RootAudit<'_>) {
            let building = self.0.lock();
            building.roots(ROOTS, &mut |slot| audit.root(RootKind::Temporary, slot));
        }
    }

    fn text(text: &str) -> HostValue {
        HostValue::String(text.to_owned())
    }

    fn samples() -> Vec<HostValue> {
        let map = |entries: &[(&str, HostValue)]| {
            let entry = |(key, value): &(&str, HostValue)| ((*key).to_owned(), value.clone());
            HostValue::Map(entries.iter().map(entry).collect())
        };
        let long = "aé".repeat(200);
        let ints = (0..100).map(|i| HostValue::Int(i << 40)).collect();
        vec![
            HostValue::Nil,
            text(&long),
            HostValue::Array(Vec::new()),
            map(&[]),
            HostValue::Array(ints),
            map(&[
                (&long, HostValue::Bool(true)),
                ("", map(&[("a", text("")), ("b", HostValue::Float(0.5))])),
                (
                    "nested",
                    HostValue::Array(vec![HostValue::Nil, text(&long)]),
                ),
            ]),
            HostValue::Int(i64::MIN),
        ]
    }

    #[test]
    fn data_is_built_whatever_its_steps_and_collections() {
        let data = samples();
        for units in [1, 2, 7, 50, 100_000] {
            for modes in ["verify=full", "verify=full,fail=alloc:7"] {
                let config = HeapConfig::tiny();
                let heap = Heap::new(config, modes.parse().expect("modes")).expect("a heap");
                let holder = Holder::new(&heap, "test", 0);
                let building = Mutex::new(Building::new(ROOTS));
                let rooted = Arc::new(Rooted(building, Home::new(&heap)));
                heap.add_provider(&rooted);
                loop {
                    let is_done = {
                        let permit = heap.try_shared().expect("nobody collects");
                        let m = permit.mutator::<Checked>(holder.tlab());
                        rooted.0.lock().step(&data, &m, &mut { units })
                    };
                    if is_done == Ok(true) {
                        break;
                    }
                    let mut permit = heap.try_exclusive().expect("no permit is held");
                    let kind = match is_done {
                        Ok(_) => CollectionKind::Minor,
                        Err(needs) => {
                            // With this answer the failure of a mode is over.
                            heap.has_room_within_limit(needs.words);
                            CollectionKind::Major
                        }
                    };
                    assert_eq!(permit.collect(kind).violations, []);
                }
                let permit = heap.try_shared().expect("nobody collects");
                let m = permit.mutator::<Checked>(holder.tlab());
                let mut converting = Converting::new(ROOTS, 1 << 20);
                for value in rooted.0.lock().values(&m) {
                    converting.begin(&m, value).expect("data");
                    assert_eq!(converting.step(&m, &mut { u32::MAX }), Ok(true));
                }
                assert_eq!(converting.into_data(), data, "{units} units, {modes}");
            }
        }
    }

    #[test]
    fn what_finds_no_room_takes_no_units() {
        let heap = Heap::new(HeapConfig::tiny(), Default::default()).expect("a heap");
        let holder = Holder::new(&heap, "test", 0);
        let parts = [
            text("a"),
            text(&"long".repeat(100)),
            HostValue::Int(1 << 60),
            HostValue::Array(Vec::new()),
            HostValue::Map(Vec::new()),
        ];
        for part in parts {
            let mut building = Building::new(ROOTS);
            let permit = heap.try_shared().expect("nobody collects");
            let m = permit.mutator::<Checked>(holder.tlab());
            heap.fail_allocation(0);
            let (data, mut units) = ([part], 9);
            let stepped = building.step(&data, &m, &mut units);
            assert!(stepped.is_err(), "{data:?}: {stepped:?}");
            assert_eq!(units, 9, "{data:?}");
        }
    }

    #[test]
    fn what_is_small_is_seen_as_such() {
        let ints = |count| [HostValue::Array(vec![HostValue::Nil; count])];
        assert!(!takes_more_than(&ints(9), 40));
        assert!(takes_more_than(&ints(10), 40));
        assert!(takes_more_than(&[text(&"x".repeat(6400))], 100));
        assert!(!takes_more_than(&[text(&"x".repeat(6400))], 104));
        assert!(!takes_more_than(&[], 0));
    }
}
