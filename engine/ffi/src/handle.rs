//! Values of the program that the host keeps and uses.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use gcrucible_engine::{HostValue, Object};

use crate::call::{CallState, GcrCall, arguments, checked_id, plain};
use crate::engine::Running;
use crate::error::GcrError;
use crate::objects::{find, list, unlist};
use crate::status::{GcrStatus, bad_argument, call_failure, giving, guarded, place, quietly};
use crate::value::GcrValue;

/// A value of the program that the host keeps alive, data or not, counted once in
/// `GcrStats::protected_objects`. It can be called, passed on, compared and converted. Free it
/// with `gcr_handle_free`.
#[derive(Debug)]
pub struct GcrHandle {
    _opaque: [u8; 0],
}

/// A value of the program, and its engine.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) object: ManuallyDrop<Arc<Object>>,
    running: Arc<Running>,
    /// The process whose locks it may take.
    process: u32,
}

impl Drop for Kept {
    fn drop(&mut self) {
        // A forked child leaves it: the locks of its engine may be held by a thread that is not
        // there.
        if self.process == std::process::id() {
            // SAFETY: nobody uses it after the drop of what it is in.
            unsafe { ManuallyDrop::drop(&mut self.object) };
        } else {
            std::mem::forget(Arc::clone(&self.running));
        }
    }
}

/// Keeps the value that a call returned alive beyond the call.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_protect(
    call: *const GcrCall,
    out: *mut *mut GcrHandle,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        let call = find(call)?;
        call.returned()?;
        let object = call.running.wait(call.handle.object())?;
        Ok(list(Kept {
            object: ManuallyDrop::new(Arc::new(object)),
            running: Arc::clone(&call.running),
            process: std::process::id(),
        }))
    };
    // SAFETY: what the caller owes.
    unsafe { giving(out, "the handle", error, body) }
}

/// The value as data; `NotData` if it is none.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_handle_value(
    handle: *const GcrHandle,
    out: *mut *mut GcrValue,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        let kept = find(handle)?;
        let data = kept.running.wait(kept.object.try_data())?;
        plain(data, || kept.running.wait(kept.object.text()))
    };
    // SAFETY: what the caller owes.
    unsafe { giving(out, "the value", error, body) }
}

/// The name of its type, as a string: `int`, `function`, the name of its class, as `type(v)` in
/// the language says.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_handle_type(
    handle: *const GcrHandle,
    out: *mut *mut GcrValue,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        let kept = find(handle)?;
        let name = kept.running.wait(kept.object.type_name())?;
        Ok(GcrValue::raw(HostValue::String(name)))
    };
    // SAFETY: what the caller owes.
    unsafe { giving(out, "the name", error, body) }
}

/// Its display text, as a string, as `str(v)` in the language gives it.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_handle_text(
    handle: *const GcrHandle,
    out: *mut *mut GcrValue,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        let kept = find(handle)?;
        let text = kept.running.wait(kept.object.text())?;
        Ok(GcrValue::raw(HostValue::String(text)))
    };
    // SAFETY: what the caller owes.
    unsafe { giving(out, "the text", error, body) }
}

/// Whether two values of one engine are equal, as `==` in the language says: numbers by value,
/// strings by content, all else if they are the same object.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_handle_equals(
    one: *const GcrHandle,
    other: *const GcrHandle,
    out: *mut bool,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        let (one, other) = (find(one)?, find(other)?);
        if !one.object.is_of(other.object.engine()) {
            return Err(bad_argument("the handles belong to different engines"));
        }
        one.running.wait(one.object.equals(&other.object))
    };
    // SAFETY: what the caller owes.
    unsafe { giving(out, "the answer", error, body) }
}

/// How many handles keep this value.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_handle_count(
    handle: *const GcrHandle,
    out: *mut u32,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        let kept = find(handle)?;
        kept.running.open()?;
        Ok(kept.object.protect_count())
    };
    // SAFETY: what the caller owes.
    unsafe { giving(out, "the count", error, body) }
}

/// The value as an argument of calls: the very one, no copy. It is of kind `Handle`, no part of
/// arrays and maps, and keeps the value alive, as the handle does.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_handle_arg(
    handle: *const GcrHandle,
    out: *mut *mut GcrValue,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        let kept = find(handle)?;
        kept.running.open()?;
        Ok(GcrValue::of_handle(kept))
    };
    // SAFETY: what the caller owes.
    unsafe { giving(out, "the value", error, body) }
}

/// Starts a call of the value, as `gcr_call` does one of a function by name. If it is no
/// function, the call throws a `TypeError`.
///
/// # Safety
/// As `gcr_call`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_handle_call(
    handle: *const GcrHandle,
    id: u32,
    args: *const *const GcrValue,
    count: usize,
    out: *mut *mut GcrCall,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        // SAFETY: what the caller owes.
        let (out, args) = unsafe { (place(out, "the call")?, arguments(args, count)?) };
        checked_id(id)?;
        let kept = find(handle)?;
        let started = kept.running.wait(kept.object.call(id, &args))?;
        *out = list(CallState {
            handle: started.map_err(|error| call_failure(&error))?,
            running: Arc::clone(&kept.running),
        });
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

/// Undoes the protect.
#[unsafe(no_mangle)]
pub extern "C" fn gcr_handle_free(handle: *mut GcrHandle) {
    quietly((), || drop(unlist(handle)));
}
