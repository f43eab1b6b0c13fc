//! Plain data, as arguments and results.

use std::ffi::{CString, c_char};

use gcrucible_vm::HostValue;

use crate::error::c_string;
use crate::status::{quietly, text};

/// A value of plain data. Free it with `gcr_value_free`, unless a function says that it took it.
#[derive(Debug)]
pub struct GcrValue {
    pub(crate) value: HostValue,
    /// Its levels of arrays and maps, at most `HostValue::LEVELS_MAX`.
    levels: u32,
    /// Text that was handed out, kept as long as the value.
    texts: std::cell::RefCell<Vec<CString>>,
    /// Parts that were handed out, kept as long as the value.
    #[allow(clippy::vec_box, reason = "what was handed out must not move")]
    parts: std::cell::RefCell<Vec<Box<GcrValue>>>,
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
}

impl GcrValue {
    pub(crate) fn boxed(value: HostValue) -> Box<GcrValue> {
        Box::new(GcrValue {
            levels: value.levels(),
            value,
            texts: Default::default(),
            parts: Default::default(),
        })
    }

    pub(crate) fn raw(value: HostValue) -> *mut GcrValue {
        Box::into_raw(Self::boxed(value))
    }

    fn lend_text(&self, text: &str) -> *const c_char {
        let text = c_string(text.to_owned());
        let pointer = text.as_ptr();
        self.texts.borrow_mut().push(text);
        pointer
    }

    fn lend_part(&self, part: &HostValue) -> *const GcrValue {
        let part = Self::boxed(part.clone());
        let pointer: *const GcrValue = &*part;
        self.parts.borrow_mut().push(part);
        pointer
    }
}

/// Looks at a value; null is nil.
///
/// # Safety
/// `value` is null or an unfreed value.
unsafe fn with<T>(value: *const GcrValue, otherwise: T, look: impl FnOnce(&GcrValue) -> T) -> T {
    // SAFETY: what the caller owes.
    match unsafe { value.as_ref() } {
        Some(value) => quietly(otherwise, || look(value)),
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

/// A string; null if it is null or no UTF-8.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_string(value: *const c_char) -> *mut GcrValue {
    // SAFETY: what the caller owes.
    match unsafe { text(value, "the string") } {
        Ok(text) => GcrValue::raw(HostValue::String(text.to_owned())),
        Err(_) => std::ptr::null_mut(),
    }
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

/// Appends to an array. Takes `element` in any case, null as nil. False if `array` is none, or
/// would have more than 64 levels of arrays and maps.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_array_push(array: *mut GcrValue, element: *mut GcrValue) -> bool {
    // SAFETY: what the caller owes; it gives the element away.
    let (element, levels) = unsafe { taken(element) };
    // SAFETY: what the caller owes.
    let Some(array) = (unsafe { array.as_mut() }) else {
        return false;
    };
    match &mut array.value {
        HostValue::Array(elements) if levels < HostValue::LEVELS_MAX => {
            elements.push(element);
            array.levels = array.levels.max(levels + 1);
            true
        }
        _ => false,
    }
}

/// Sets an entry of a map. Takes `value` in any case, null as nil. False if `map` is none,
/// `key` no UTF-8, or the map would have more than 64 levels of arrays and maps.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_map_set(
    map: *mut GcrValue,
    key: *const c_char,
    value: *mut GcrValue,
) -> bool {
    // SAFETY: what the caller owes; it gives the value away.
    let (value, levels) = unsafe { taken(value) };
    // SAFETY: what the caller owes.
    let (Ok(key), Some(map)) = (unsafe { (text(key, "the key"), map.as_mut()) }) else {
        return false;
    };
    match &mut map.value {
        HostValue::Map(entries) if levels < HostValue::LEVELS_MAX => {
            map.levels = map.levels.max(levels + 1);
            match entries.iter_mut().find(|(known, _)| known == key) {
                Some(entry) => entry.1 = value,
                None => entries.push((key.to_owned(), value)),
            }
            true
        }
        _ => false,
    }
}

/// What was given away, and its levels.
///
/// # Safety
/// `value` is null or an unfreed value that the caller gives away.
unsafe fn taken(value: *mut GcrValue) -> (HostValue, u32) {
    if value.is_null() {
        return (HostValue::Nil, 0);
    }
    // SAFETY: what the caller owes.
    let value = unsafe { Box::from_raw(value) };
    (value.value, value.levels)
}

/// The kind of a value.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_kind(value: *const GcrValue) -> GcrKind {
    // SAFETY: what the caller owes.
    unsafe {
        with(value, GcrKind::Nil, |value| match value.value {
            HostValue::Nil => GcrKind::Nil,
            HostValue::Bool(_) => GcrKind::Bool,
            HostValue::Int(_) => GcrKind::Int,
            HostValue::Float(_) => GcrKind::Float,
            HostValue::String(_) => GcrKind::String,
            HostValue::Array(_) => GcrKind::Array,
            HostValue::Map(_) => GcrKind::Map,
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
    unsafe { with(value, false, |v| matches!(v.value, HostValue::Bool(true))) }
}

/// The int that a value is, else 0.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_as_int(value: *const GcrValue) -> i64 {
    // SAFETY: what the caller owes.
    unsafe {
        with(value, 0, |value| match value.value {
            HostValue::Int(int) => int,
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
        with(value, 0.0, |value| match value.value {
            HostValue::Float(float) => float,
            HostValue::Int(int) => int as f64,
            _ => 0.0,
        })
    }
}

/// The text of a string, as long as the value lives; null for any other value. A zero byte
/// in it becomes a space.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_as_string(value: *const GcrValue) -> *const c_char {
    // SAFETY: what the caller owes.
    unsafe {
        with(value, std::ptr::null(), |value| match &value.value {
            HostValue::String(text) => value.lend_text(text),
            _ => std::ptr::null(),
        })
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
        with(value, 0, |value| match &value.value {
            HostValue::String(text) => text.len(),
            HostValue::Array(elements) => elements.len(),
            HostValue::Map(entries) => entries.len(),
            _ => 0,
        })
    }
}

/// Element `index` of an array, or the value of entry `index` of a map, as long as the whole
/// lives; null if there is none.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_at(value: *const GcrValue, index: usize) -> *const GcrValue {
    // SAFETY: what the caller owes.
    unsafe {
        with(value, std::ptr::null(), |value| {
            let part = match &value.value {
                HostValue::Array(elements) => elements.get(index),
                HostValue::Map(entries) => entries.get(index).map(|(_, value)| value),
                _ => None,
            };
            part.map_or(std::ptr::null(), |part| value.lend_part(part))
        })
    }
}

/// The key of entry `index` of a map, as long as the map lives; null if there is none.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_key_at(value: *const GcrValue, index: usize) -> *const c_char {
    // SAFETY: what the caller owes.
    unsafe {
        with(value, std::ptr::null(), |value| match &value.value {
            HostValue::Map(entries) => entries
                .get(index)
                .map_or(std::ptr::null(), |(key, _)| value.lend_text(key)),
            _ => std::ptr::null(),
        })
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
