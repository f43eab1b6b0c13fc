//! Objects that the host keeps alive.

use std::sync::Arc;

use gcrucible_engine::Engine;
use gcrucible_heap::Handle;
use gcrucible_platform::tokio_platform::TokioPlatform;

use crate::call::GcrCall;
use crate::error::GcrError;
use crate::status::{GcrStatus, bad_argument, guarded, object, quietly, write};

/// An object of the program that the host keeps alive, counted once in
/// `GcrStats::protected_objects`. Free it with `gcr_handle_free`.
#[derive(Debug)]
pub struct GcrHandle {
    handle: Option<Handle>,
    engine: Engine,
    platform: Arc<TokioPlatform>,
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
        // SAFETY: what the caller owes.
        let call = unsafe { object(call, "the call")? };
        if out.is_null() {
            return Err(bad_argument("the place for the handle is null"));
        }
        call.returned()?;
        let handle = GcrHandle {
            handle: Some(call.platform.block_on(call.handle.protect())),
            engine: call.engine.clone(),
            platform: Arc::clone(&call.platform),
        };
        // SAFETY: what the caller owes.
        unsafe { write(out, Box::into_raw(Box::new(handle))) };
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

impl Drop for GcrHandle {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            // The table of handles has a lock of its own: nothing is read or written in the
            // heap, so no permit is needed.
            self.engine.heap().unprotect(handle);
        }
        // The platform outlives the engine's last use of it.
        let _ = &self.platform;
    }
}

/// Undoes the protect.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_handle_free(handle: *mut GcrHandle) {
    if !handle.is_null() {
        // SAFETY: it came from `gcr_protect`, and is freed once.
        quietly((), || drop(unsafe { Box::from_raw(handle) }));
    }
}
