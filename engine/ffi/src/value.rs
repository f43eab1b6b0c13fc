//! Plain data, as arguments and results.
//!
//! # Invariants
//! 1. What is lent from a value lies in it: text in a box, parts in boxes of their own. Neither
//!    moves when the value changes, but for what is replaced.
//! 2. Looking at a value changes nothing in it, so several threads may.

use std::collections::HashMap;
use std::ffi::c_char;
use std::sync::Arc;

use gcrucible_engine::Argument;
use gcrucible_vm::HostValue;

use crate::error::GcrError;
use crate::handle::Kept;
use crate::status::{Failure, GcrStatus, bad_argument, guarded, place, quietly};
use crate::text::{Text, lend_none, text};

/// A value of plain data. Free it with `gcr_value_free`, unless a function says that it took it.
#[derive(Debug)]
pub struct GcrValue {
    data: Data,
    /// Its levels of arrays and maps, at most `HostValue::LEVELS_MAX`.
    levels: u32,
}

#[derive(Debug)]
enum Data {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(Text),
    Array(Vec<Part>),
    Map(Entries),
    Handle(Arc<Kept>),
}

/// A part that can be lent.
type Part = Box<GcrValue>;

/// The entries of a map, in order.
#[derive(Debug, Default)]
struct Entries {
    list: Vec<(Text, Part)>,
    /// Where each key is, as far as it was set by the host.
    places: HashMap<Text, usize>,
}

/// The kinds of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum GcrKind {
    /// `nil`, and what a null pointer is.
    Nil = 0,
    /// A bool.
    Bool = 1,
    /// A 64-bit int.
    Int = 2,
    /// A 64-bit float.
    Float = 3,
    /// A string.
    String = 4,
    /// An array.
    Array = 5,
    /// A map with string keys.
    Map = 6,
    /// A value of the program, as an argument: see `gcr_handle_arg`.
    Handle = 7,
}

impl GcrValue {
    fn of(data: HostValue) -> GcrValue {
        let deepest = |parts: &mut dyn Iterator<Item = &Part>| {
            1 + parts.map(|part| part.levels).max().unwrap_or(0)
        };
        let (data, levels) = match data {
            HostValue::Nil => (Data::Nil, 0),
            HostValue::Bool(bool) => (Data::Bool(bool), 0),
            HostValue::Int(int) => (Data::Int(int), 0),
            HostValue::Float(float) => (Data::Float(float), 0),
            HostValue::String(text) => (Data::String(Text::new(text)), 0),
            HostValue::Array(elements) => {
                let part = |element| Box::new(GcrValue::of(element));
                let parts: Vec<Part> = elements.into_iter().map(part).collect();
                let levels = deepest(&mut parts.iter());
                (Data::Array(parts), levels)
            }
            HostValue::Map(entries) => {
                let entry = |(key, value)| (Text::new(key), Box::new(GcrValue::of(value)));
                let list: Vec<(Text, Part)> = entries.into_iter().map(entry).collect();
                let levels = deepest(&mut list.iter().map(|(_, part)| part));
                let places = HashMap::new();
                (Data::Map(Entries { list, places }), levels)
            }
        };
        GcrValue { data, levels }
    }

    pub(crate) fn raw(value: HostValue) -> *mut GcrValue {
        Box::into_raw(Box::new(GcrValue::of(value)))
    }

    pub(crate) fn of_handle(kept: Arc<Kept>) -> *mut GcrValue {
        let data = Data::Handle(kept);
        Box::into_raw(Box::new(GcrValue { data, levels: 0 }))
    }

    /// It as an argument of a call.
    pub(crate) fn argument(&self) -> Argument {
        match &self.data {
            Data::Handle(kept) => Argument::Object(Arc::clone(&kept.object)),
            _ => Argument::Data(self.to_data()),
        }
    }

    fn to_data(&self) -> HostValue {
        match &self.data {
            // A handle is no part of anything.
            Data::Nil | Data::Handle(_) => HostValue::Nil,
            Data::Bool(bool) => HostValue::Bool(*bool),
            Data::Int(int) => HostValue::Int(*int),
            Data::Float(float) => HostValue::Float(*float),
            Data::String(text) => HostValue::String(text.as_str().to_owned()),
            Data::Array(parts) => {
                HostValue::Array(parts.iter().map(|part| part.to_data()).collect())
            }
            Data::Map(entries) => {
                let entry = |(key, part): &(Text, Part)| (key.as_str().to_owned(), part.to_data());
                HostValue::Map(entries.list.iter().map(entry).collect())
            }
        }
    }
}

impl Entries {
    /// Sets an entry; a new one comes last.
    fn set(&mut self, key: Text, part: Part) {
        if self.places.len() != self.list.len() {
            let place = |(place, (key, _)): (usize, &(Text, Part))| (key.clone(), place);
            self.places = self.list.iter().enumerate().map(place).collect();
        }
        match self.places.get(&key) {
            Some(&place) => self.list[place].1 = part,
            None => {
                self.places.insert(key.clone(), self.list.len());
                self.list.push((key, part));
            }
        }
    }
}

/// Looks at a value; null is nil.
///
/// # Safety
/// `value` is null or an unfreed value.
unsafe fn with<T>(value: *const GcrValue, otherwise: T, look: impl FnOnce(&Data) -> T) -> T {
    // SAFETY: what the caller owes.
    match unsafe { value.as_ref() } {
        Some(value) => look(&value.data),
        None => otherwise,
    }
}

/// `nil`.
#[unsafe(no_mangle)]
pub extern "C" fn gcr_nil() -> *mut GcrValue {
    GcrValue::raw(HostValue::Nil)
}

/// A bool.
#[unsafe(no_mangle)]
pub extern "C" fn gcr_bool(value: bool) -> *mut GcrValue {
    GcrValue::raw(HostValue::Bool(value))
}

/// An int.
#[unsafe(no_mangle)]
pub extern "C" fn gcr_int(value: i64) -> *mut GcrValue {
    GcrValue::raw(HostValue::Int(value))
}

/// A float.
#[unsafe(no_mangle)]
pub extern "C" fn gcr_float(value: f64) -> *mut GcrValue {
    GcrValue::raw(HostValue::Float(value))
}

/// A string of `len` bytes of UTF-8, zero bytes among them if there are any; `BadArgument` if it
/// is no UTF-8.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_string(
    value: *const c_char,
    len: usize,
    out: *mut *mut GcrValue,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        // SAFETY: what the caller owes.
        let (value, out) = unsafe { (text(value, len, "the string")?, place(out, "the value")?) };
        *out = GcrValue::raw(HostValue::String(value.to_owned()));
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

/// An empty array.
#[unsafe(no_mangle)]
pub extern "C" fn gcr_array() -> *mut GcrValue {
    GcrValue::raw(HostValue::Array(Vec::new()))
}

/// An empty map.
#[unsafe(no_mangle)]
pub extern "C" fn gcr_map() -> *mut GcrValue {
    GcrValue::raw(HostValue::Map(Vec::new()))
}

/// Appends to an array. Takes `element` in any case, null as nil. `BadArgument` if `array` is
/// none, or is `element` (which is not taken then); `NotData` if it would have more than 64
/// levels of arrays and maps, or `element` is a handle.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_array_push(
    array: *mut GcrValue,
    element: *mut GcrValue,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        // SAFETY: what the caller owes; it gives the element away.
        let (array, part) = unsafe { container_and_part(array, element)? };
        let levels = levels_with(&part)?;
        let Data::Array(parts) = &mut array.data else {
            return Err(bad_argument("the value is no array"));
        };
        parts.push(part);
        array.levels = array.levels.max(levels);
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

/// Sets an entry of a map; what was lent from the one that it takes the place of is gone. Takes
/// `value` in any case, null as nil. `BadArgument` if `map` is none, or is `value` (which is not
/// taken then), or `key` no UTF-8; `NotData` if it would have more than 64 levels of arrays and
/// maps, or `value` is a handle.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_map_set(
    map: *mut GcrValue,
    key: *const c_char,
    key_len: usize,
    value: *mut GcrValue,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        // SAFETY: what the caller owes; it gives the value away.
        let (map, part) = unsafe { container_and_part(map, value)? };
        // SAFETY: what the caller owes.
        let key = unsafe { text(key, key_len, "the key")? };
        let levels = levels_with(&part)?;
        let Data::Map(entries) = &mut map.data else {
            return Err(bad_argument("the value is no map"));
        };
        entries.set(Text::new(key), part);
        map.levels = map.levels.max(levels);
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

/// What takes something, and what that is.
///
/// # Safety
/// Both are null or unfreed values; the caller gives the part away, and uses the container
/// nowhere else for `'a`.
unsafe fn container_and_part<'a>(
    container: *mut GcrValue,
    part: *mut GcrValue,
) -> Result<(&'a mut GcrValue, Part), Failure> {
    if container == part {
        return Err(bad_argument(match container.is_null() {
            true => "the array or map is null",
            false => "an array or map cannot be a part of itself",
        }));
    }
    let part = match part.is_null() {
        true => Box::new(GcrValue::of(HostValue::Nil)),
        // SAFETY: what the caller owes.
        false => unsafe { Box::from_raw(part) },
    };
    // SAFETY: what the caller owes; it is not the part.
    let container = unsafe { container.as_mut() };
    let container = container.ok_or_else(|| bad_argument("the array or map is null"))?;
    Ok((container, part))
}

/// The levels of what has this part.
fn levels_with(part: &GcrValue) -> Result<u32, Failure> {
    let most = HostValue::LEVELS_MAX;
    if matches!(part.data, Data::Handle(_)) {
        let message = "a handle is an argument of its own, no part of an array or map";
        return Err((GcrStatus::NotData, message.to_owned()));
    }
    if part.levels >= most {
        let message = format!("it would have over {most} levels of arrays and maps");
        return Err((GcrStatus::NotData, message));
    }
    Ok(part.levels + 1)
}

/// The kind of a value.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_kind(value: *const GcrValue) -> GcrKind {
    // SAFETY: what the caller owes.
    unsafe {
        with(value, GcrKind::Nil, |data| match data {
            Data::Nil => GcrKind::Nil,
            Data::Bool(_) => GcrKind::Bool,
            Data::Int(_) => GcrKind::Int,
            Data::Float(_) => GcrKind::Float,
            Data::String(_) => GcrKind::String,
            Data::Array(_) => GcrKind::Array,
            Data::Map(_) => GcrKind::Map,
            Data::Handle(_) => GcrKind::Handle,
        })
    }
}

/// The bool that a value is, else false.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_as_bool(value: *const GcrValue) -> bool {
    // SAFETY: what the caller owes.
    unsafe { with(value, false, |data| matches!(data, Data::Bool(true))) }
}

/// The int that a value is, else 0.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_as_int(value: *const GcrValue) -> i64 {
    // SAFETY: what the caller owes.
    unsafe {
        with(value, 0, |data| match data {
            Data::Int(int) => *int,
            _ => 0,
        })
    }
}

/// The float that a value is, an int as a float too, else 0.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_as_float(value: *const GcrValue) -> f64 {
    // SAFETY: what the caller owes.
    unsafe {
        with(value, 0.0, |data| match data {
            Data::Float(float) => *float,
            Data::Int(int) => *int as f64,
            _ => 0.0,
        })
    }
}

/// The text of a string, as long as the value lives; null for any other value. `len` gets its
/// length in bytes; if `len` is null, so is the answer for text that has zero bytes in it.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_as_string(value: *const GcrValue, len: *mut usize) -> *const c_char {
    // SAFETY: what the caller owes.
    unsafe {
        match value.as_ref().map(|value| &value.data) {
            Some(Data::String(text)) => text.lend(len),
            _ => lend_none(len),
        }
    }
}

/// Elements of an array, entries of a map, bytes of a string; else 0.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_len(value: *const GcrValue) -> usize {
    // SAFETY: what the caller owes.
    unsafe {
        with(value, 0, |data| match data {
            Data::String(text) => text.len(),
            Data::Array(parts) => parts.len(),
            Data::Map(entries) => entries.list.len(),
            _ => 0,
        })
    }
}

/// Element `index` of an array, or the value of entry `index` of a map, as long as the whole
/// lives and it is not replaced; null if there is none. It is lent: it is not freed.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_at(value: *const GcrValue, index: usize) -> *const GcrValue {
    // SAFETY: what the caller owes.
    unsafe {
        with(value, std::ptr::null(), |data| {
            let part = match data {
                Data::Array(parts) => parts.get(index),
                Data::Map(entries) => entries.list.get(index).map(|(_, part)| part),
                _ => None,
            };
            part.map_or(std::ptr::null(), |part| &raw const **part)
        })
    }
}

/// The key of entry `index` of a map, as long as the map lives; null if there is none. `len`
/// gets its length in bytes; if `len` is null, so is the answer for a key that has zero bytes in
/// it.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_key_at(
    value: *const GcrValue,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: what the caller owes.
    unsafe {
        match value.as_ref().map(|value| &value.data) {
            Some(Data::Map(entries)) => match entries.list.get(index) {
                Some((key, _)) => key.lend(len),
                None => lend_none(len),
            },
            _ => lend_none(len),
        }
    }
}

/// Frees a value and all that was lent from it.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_value_free(value: *mut GcrValue) {
    if !value.is_null() {
        // SAFETY: it came from `GcrValue::raw`, and is freed once.
        quietly((), || drop(unsafe { Box::from_raw(value) }));
    }
}
