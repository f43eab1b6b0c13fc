//! Built-ins that work in steps, because there is no end to how large their operands are.
//!
//! One that is done within [`Work::step`](crate::work::Work::step) units leaves no trace of
//! this: it is one instruction that nothing comes between.

use gcrucible_bytecode::ErrorKind;
use gcrucible_heap::{Checks, Comparing, Copying, Kind, Slot, Value};
use gcrucible_platform::{HostValue, planted};

use super::Copied;
use crate::display::Displaying;
use crate::host_value::{Converting, Unfit};
use crate::interpreter::{Context, Made, Stop};
use crate::roots::ROOTS;
use crate::work::{BYTES_PER_UNIT, ELEMENTS_PER_UNIT, Failed, Progress};

/// Units for an entry of a map that is read, and for an object that is made.
const UNITS_PER_ENTRY: u32 = 3;
const UNITS_PER_PART: u32 = 6;

/// Goes through an array for an element.
#[derive(Debug)]
pub(crate) struct Search {
    index: u32,
}

/// Collects the keys or values of a map.
#[derive(Debug)]
pub(crate) struct Entries {
    pub(crate) out: Slot,
    position: u64,
}

/// Goes over elements of an array.
#[derive(Debug)]
pub(crate) struct Range {
    at: u32,
    /// How many there were when it began.
    count: u32,
}

/// Splits a text: counts the parts, then makes them.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) out: Slot,
    count: u32,
    /// Where the part under way begins, and where the next separator is looked for.
    from: usize,
    at: usize,
}

impl<'p, C: Checks> Context<'p, C> {
    /// Goes on with an instruction that works in steps, or begins it. `step` does about as many
    /// units as it is given, and takes them away; it gives what the instruction makes, once that
    /// is done.
    pub(crate) fn in_steps(
        &self,
        begin: impl FnOnce() -> Progress,
        step: impl FnOnce(&mut Progress, &mut u32) -> Result<Option<Value<'p>>, Stop<'p>>,
    ) -> Made<'p> {
        let mut progress = match self.work.resume() {
            Some(progress) => match *progress {
                Progress::Failed(Failed { kind, value }) => {
                    return Err(self.fail(kind, self.m.load(&value)));
                }
                progress => progress,
            },
            None => begin(),
        };
        let mut units = self.work.step();
        let stepped = step(&mut progress, &mut units);
        self.work.charge(self.work.step() - units);
        match stepped {
            Ok(Some(value)) => Ok(value),
            Ok(None) => {
                self.work.advance();
                self.work.keep(Box::new(progress));
                Err(Stop::Unfinished)
            }
            Err(stop) => {
                match stop {
                    Stop::NeedsMemory(_) | Stop::Safepoint => self.work.keep(Box::new(progress)),
                    _ => self.work.discard(progress),
                }
                Err(match stop {
                    stop if planted!(B307) => stop,
                    Stop::Raise(kind, payload) => self.fail(Some(kind), payload),
                    Stop::Throw(value) => self.fail(None, value),
                    stop => stop,
                })
            }
        }
    }

    /// What an instruction has failed with. The throw forgets it; until then it is kept, since there
    /// may be no memory for it yet.
    #[cold]
    fn fail(&self, kind: Option<ErrorKind>, value: Value<'p>) -> Stop<'p> {
        let failed = Failed {
            kind,
            value: Slot::nil(ROOTS),
        };
        self.m.store(&failed.value, value);
        self.work.keep(Box::new(Progress::Failed(failed)));
        match kind {
            Some(kind) => Stop::Raise(kind, value),
            None => Stop::Throw(value),
        }
    }

    /// `deep_copy(v)`.
    pub(super) fn deep_copy(&self, value: Value<'p>) -> Made<'p> {
        if !self.work.has_progress() {
            let mut units = self.work.step();
            let copy = self.m.deep_copy_within(value, &mut units);
            self.work.charge(self.work.step() - units);
            if let Some(copy) = copy? {
                return Ok(copy);
            }
        }
        self.in_steps(
            || Progress::Copying(Copying::of_value(ROOTS, value)),
            |progress, units| {
                let Progress::Copying(copying) = progress else {
                    return Err(ErrorKind::Internal.into());
                };
                let before = copying.copied_count();
                let is_done = copying.step(&self.m, units);
                if copying.copied_count() > before {
                    self.work.advance();
                }
                Ok(is_done?.then(|| {
                    copying.renew(&self.m);
                    copying.result(&self.m, 0)
                }))
            },
        )
    }

    /// `deep_equals(a, b)`.
    pub(super) fn deep_equals(&self, a: Value<'p>, b: Value<'p>) -> Made<'p> {
        if !self.work.has_progress() {
            let mut units = self.work.step();
            let is_equal = self.m.deep_equals_within(a, b, &mut units);
            self.work.charge(self.work.step() - units);
            if let Some(is_equal) = is_equal {
                return Ok(Value::bool(is_equal));
            }
        }
        self.in_steps(
            || Progress::Comparing(Comparing::new(ROOTS, a, b)),
            |progress, units| match progress {
                Progress::Comparing(comparing) => {
                    Ok(comparing.step(&self.m, units).map(Value::bool))
                }
                _ => Err(ErrorKind::Internal.into()),
            },
        )
    }

    /// The index of the first element that is equal, nil if none is.
    pub(super) fn array_search(&self, array: Value<'p>, wanted: Value<'p>) -> Made<'p> {
        self.in_steps(
            || Progress::Search(Search { index: 0 }),
            |progress, units| {
                let Progress::Search(search) = progress else {
                    return Err(ErrorKind::Internal.into());
                };
                let wanted_bytes = self.text_bytes(wanted);
                while *units > 0 {
                    let Some(element) = self.m.array_get(array, search.index) else {
                        return Ok(Some(Value::NIL));
                    };
                    let bytes = match wanted_bytes {
                        0 => 0,
                        bytes => bytes.min(self.text_bytes(element)),
                    };
                    *units = units.saturating_sub(1 + (bytes / BYTES_PER_UNIT) as u32);
                    if self.m.are_equal(element, wanted) {
                        return Ok(Some(self.m.int(i64::from(search.index))?));
                    }
                    search.index += 1;
                }
                Ok(None)
            },
        )
    }

    /// Makes something of the display texts of values, `get(0)` and so on, with a separator
    /// between them. Text that no string of this heap could hold is given up: it would take the
    /// process's memory, not the heap's.
    pub(crate) fn show(
        &self,
        separator: &str,
        get: impl Fn(u32) -> Option<Value<'p>>,
        finish: impl FnOnce(&mut String, &mut Copied, &mut u32) -> Result<Option<Value<'p>>, Stop<'p>>,
    ) -> Made<'p> {
        let program = self.program.program();
        self.in_steps(
            || Progress::Displaying(Displaying::default(), Copied::default()),
            |progress, units| {
                let Progress::Displaying(shown, copied) = progress else {
                    return Err(ErrorKind::Internal.into());
                };
                let most = self.text_bytes_max;
                loop {
                    let is_done = shown.step(&self.m, program, most, units);
                    self.check_text(shown.out.len() as u64)?;
                    if !is_done || *units == 0 {
                        return Ok(None);
                    }
                    let Some(value) = get(shown.begun) else {
                        return finish(&mut shown.out, copied, units);
                    };
                    let before = shown.out.len();
                    if shown.begun > 0 {
                        shown.out.push_str(separator);
                    }
                    shown.begin(&self.m, program, value);
                    let bytes = (shown.out.len() - before) / BYTES_PER_UNIT;
                    let units_of_text = u32::try_from(bytes).unwrap_or(u32::MAX);
                    *units = units.saturating_sub(1 + units_of_text);
                }
            },
        )
    }

    /// The arguments of a host operation as data.
    pub(super) fn host_args(&self, args: &[Slot]) -> Result<Vec<HostValue>, Stop<'p>> {
        let mut data = Vec::new();
        self.in_steps(
            || Progress::Converting(Converting::new(ROOTS, self.data_bytes_max)),
            |progress, units| {
                let Progress::Converting(converting) = progress else {
                    return Err(ErrorKind::Internal.into());
                };
                let converted = (|| {
                    while converting.step(&self.m, units)? {
                        let Some(arg) = args.get(converting.converted()) else {
                            return Ok(true);
                        };
                        converting.begin(&self.m, self.m.load_root(arg))?;
                    }
                    Ok(false)
                })();
                match converted {
                    Ok(true) => {
                        data = converting.take_data();
                        Ok(Some(Value::NIL))
                    }
                    Ok(false) => Ok(None),
                    Err(Unfit::NoData) => Err(ErrorKind::TypeError.into()),
                    Err(too_large) => {
                        let message = too_large.to_string();
                        let error = self.error_saying(ErrorKind::HostError, &message, Value::NIL);
                        Err(Stop::Throw(error?))
                    }
                }
            },
        )?;
        Ok(data)
    }

    /// Does something with the elements of an array, run by run.
    pub(super) fn over_range(&self, array: Value<'p>, act: impl Fn(u32, u32)) -> Made<'p> {
        let count = self.m.array_len(array).unwrap_or(0);
        self.in_steps(
            || Progress::Range(Range { at: 0, count }),
            |progress, units| {
                let Progress::Range(range) = progress else {
                    return Err(ErrorKind::Internal.into());
                };
                let (from, to) = range.run(units);
                act(from, to);
                Ok((range.at >= range.count).then_some(Value::NIL))
            },
        )
    }

    /// `extend`: appends the elements that the other array has now.
    pub(super) fn extended(&self, array: Value<'p>, other: Value<'p>) -> Made<'p> {
        let count = self.m.array_len(other).ok_or(ErrorKind::TypeError)?;
        if !self.work.has_progress()
            && count as usize / ELEMENTS_PER_UNIT < self.work.step() as usize
        {
            self.work.charge_elements(count as usize);
            return match self.m.array_extend(array, other)? {
                true => Ok(Value::NIL),
                false => Err(ErrorKind::TypeError.into()),
            };
        }
        if !self.work.has_progress() {
            self.m.array_reserve(array, count)?;
        }
        self.in_steps(
            || Progress::Range(Range { at: 0, count }),
            |progress, units| {
                let Progress::Range(range) = progress else {
                    return Err(ErrorKind::Internal.into());
                };
                let before = range.at;
                let (from, to) = range.run(units);
                if let Err(needs) = self.m.array_append(array, other, from, to) {
                    range.at = before;
                    return Err(needs.into());
                }
                Ok((range.at >= range.count).then_some(Value::NIL))
            },
        )
    }

    /// A new array of the elements of an array from `from` to before `to`.
    pub(super) fn array_part(&self, array: Value<'p>, from: u32, to: u32) -> Made<'p> {
        let count = to.saturating_sub(from);
        let is_short = count as usize / ELEMENTS_PER_UNIT < self.work.step() as usize;
        if !self.work.has_progress() && is_short {
            self.work.charge_elements(count as usize);
            let part = self.m.array_slice(array, from, to)?;
            return part.ok_or(ErrorKind::IndexOutOfBounds.into());
        }
        self.collected(count, |out, position, units| {
            let mut range = Range {
                at: *position as u32,
                count,
            };
            let (low, high) = range.run(units);
            self.m.array_append(out, array, from + low, from + high)?;
            *position = u64::from(range.at);
            Ok(range.at >= count)
        })
    }

    /// A new array with room for so many elements, to which `more` appends: it goes on at the
    /// place that it left, and says whether there is no more.
    fn collected(
        &self,
        capacity: u32,
        more: impl FnOnce(Value<'p>, &mut u64, &mut u32) -> Result<bool, Stop<'p>>,
    ) -> Made<'p> {
        self.in_steps(
            || {
                Progress::Entries(Entries {
                    out: Slot::nil(ROOTS),
                    position: 0,
                })
            },
            |progress, units| {
                let Progress::Entries(entries) = progress else {
                    return Err(ErrorKind::Internal.into());
                };
                if entries.out.is_nil() {
                    let out = self.m.array_with_capacity(capacity)?;
                    self.m.store(&entries.out, out);
                    self.work.advance();
                }
                let out = self.m.load_root(&entries.out);
                Ok(more(out, &mut entries.position, units)?.then_some(out))
            },
        )
    }

    fn text_bytes(&self, value: Value<'p>) -> usize {
        match self.m.kind(value) {
            Some(Kind::String) => self.m.size_bytes(value),
            _ => 0,
        }
    }

    /// A new array of the keys of a map, or of its values.
    pub(super) fn map_entries(&self, map: Value<'p>, of_keys: bool) -> Made<'p> {
        let len = self.m.map_len(map).unwrap_or(0);
        let taken = |(_, key, value)| if of_keys { key } else { value };
        let units = len.saturating_mul(UNITS_PER_ENTRY);
        if !self.work.has_progress() && units < self.work.step() {
            self.work.charge(units);
            // What it holds at one moment.
            let entries = self.m.map_entries(map).unwrap_or_default().into_iter();
            let entries: Vec<_> = entries
                .map(|(key, value)| if of_keys { key } else { value })
                .collect();
            return Ok(self.m.array(&entries)?);
        }
        self.collected(len, |out, position, units| {
            while *units > 0 {
                let Some(entry) = self.m.map_next(map, *position) else {
                    return Ok(true);
                };
                self.m.array_push(out, taken(entry))?;
                *position = entry.0;
                self.work.advance();
                *units = units.saturating_sub(UNITS_PER_ENTRY);
            }
            Ok(false)
        })
    }

    /// The parts of a text between separators, all characters if that is empty.
    pub(super) fn split(&self, text: &'p str, separator: &'p str) -> Made<'p> {
        let units = (text.len() as u32).saturating_mul(UNITS_PER_PART);
        if !self.work.has_progress() && units < self.work.step() {
            return match separator {
                "" => {
                    let ends = text.char_indices().map(|(at, c)| (at, at + c.len_utf8()));
                    self.strings(ends.map(|(from, to)| &text[from..to]))
                }
                separator => self.strings(text.split(separator)),
            };
        }
        self.in_steps(
            || {
                Progress::Split(Split {
                    out: Slot::nil(ROOTS),
                    count: 0,
                    from: 0,
                    at: 0,
                })
            },
            |progress, units| {
                let Progress::Split(split) = progress else {
                    return Err(ErrorKind::Internal.into());
                };
                if split.out.is_nil() {
                    while let Some(_part) = split.next(text, separator, units, 1) {
                        split.count += 1;
                    }
                    if split.from <= text.len() {
                        return Ok(None);
                    }
                    let out = self.m.array_with_capacity(split.count)?;
                    self.m.store(&split.out, out);
                    (split.from, split.at) = (0, 0);
                    self.work.advance();
                }
                let out = self.m.load_root(&split.out);
                let mut before = (split.from, split.at);
                while let Some((from, to)) = split.next(text, separator, units, UNITS_PER_PART) {
                    let made = self.m.string(&text[from..to]);
                    let pushed = made.and_then(|part| self.m.array_push(out, part));
                    if let Err(needs) = pushed {
                        // The part is made again behind the collection.
                        (split.from, split.at) = before;
                        return Err(needs.into());
                    }
                    before = (split.from, split.at);
                    self.work.advance();
                }
                Ok((split.from > text.len()).then_some(out))
            },
        )
    }
}

impl Range {
    /// The next run of elements, as long as the units reach.
    fn run(&mut self, units: &mut u32) -> (u32, u32) {
        let from = self.at;
        let most = units.saturating_mul(ELEMENTS_PER_UNIT as u32);
        let to = self.count.min(from.saturating_add(most));
        self.at = to;
        *units = units.saturating_sub(1 + (to - from) / ELEMENTS_PER_UNIT as u32);
        (from, to)
    }
}

impl Split {
    /// Where the next part begins and ends; `None` when the units are spent, or at the end,
    /// where [`Split::from`] is beyond the text.
    fn next(
        &mut self,
        text: &str,
        separator: &str,
        units: &mut u32,
        units_per_part: u32,
    ) -> Option<(usize, usize)> {
        if separator.is_empty() {
            if *units == 0 {
                return None;
            }
            let Some(character) = text.get(self.from..).and_then(|rest| rest.chars().next()) else {
                self.from = text.len() + 1;
                return None;
            };
            *units = units.saturating_sub(units_per_part);
            let from = self.from;
            self.from += character.len_utf8();
            return Some((from, self.from));
        }
        let bytes = text.as_bytes();
        while self.from <= bytes.len() {
            if *units == 0 {
                return None;
            }
            // No further than the units reach, and as far as a separator that begins there.
            let window = *units as usize * BYTES_PER_UNIT;
            let end = (self.at + window + separator.len()).min(bytes.len());
            let found = memchr::memmem::find(&bytes[self.at..end], separator.as_bytes());
            let looked_at = found.unwrap_or(end - self.at);
            *units = units.saturating_sub((looked_at / BYTES_PER_UNIT) as u32);
            match found {
                Some(found) => {
                    *units = units.saturating_sub(units_per_part);
                    let part = (self.from, self.at + found);
                    self.at += found + separator.len();
                    self.from = self.at;
                    return Some(part);
                }
                None if end == bytes.len() => {
                    *units = units.saturating_sub(units_per_part);
                    let part = (self.from, bytes.len());
                    self.from = bytes.len() + 1;
                    self.at = bytes.len();
                    return Some(part);
                }
                None => self.at = end - separator.len() + 1,
            }
        }
        None
    }
}
