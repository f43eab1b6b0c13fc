//! The callback for what a program prints.

use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::sync::Arc;

use gcrucible_engine::{Level, Output, OutputLine, OutputSink};
use gcrucible_platform::sync::RwLock;
use gcrucible_platform::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::status::{Failure, GcrStatus};
use crate::text::Text;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum GcrLevel {
    /// It was printed.
    Print = 0,
    /// `log.debug`.
    Debug = 1,
    /// `log.info`.
    Info = 2,
    /// `log.warn`.
    Warn = 3,
    /// `log.error`.
    Error = 4,
}

impl From<Level> for GcrLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Print => GcrLevel::Print,
            Level::Debug => GcrLevel::Debug,
            Level::Info => GcrLevel::Info,
            Level::Warn => GcrLevel::Warn,
            Level::Error => GcrLevel::Error,
        }
    }
}

/// Takes a line that a program printed or logged, without its level and its end: `len` bytes at
/// `text`, which are there until it returns. It is called on threads of the engine, on several
/// at once, until `gcr_engine_free` has returned (or, if that was called within a callback,
/// until all that had begun by then have returned). It must not throw or jump out; what waits is
/// refused within it.
pub type GcrPrint = Option<
    unsafe extern "C" fn(user: *mut c_void, level: GcrLevel, text: *const c_char, len: usize),
>;

/// A function of the host's, and what it wants with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Callback {
    function: unsafe extern "C" fn(*mut c_void, GcrLevel, *const c_char, usize),
    user: *mut c_void,
}

// SAFETY: it is the host's promise that the function may be called on any thread with it.
unsafe impl Send for Callback {}
// SAFETY: the same.
unsafe impl Sync for Callback {}

impl Callback {
    pub(crate) fn new(
        function: unsafe extern "C" fn(*mut c_void, GcrLevel, *const c_char, usize),
        user: *mut c_void,
    ) -> Callback {
        Callback { function, user }
    }
}

thread_local! {
    /// Callbacks that this thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Whether this thread is in a callback.
pub(crate) fn is_in_callback() -> bool {
    DEPTH.get() > 0
}

/// Refuses to wait within a callback.
pub(crate) fn may_wait() -> Result<(), Failure> {
    if is_in_callback() {
        let message = "this waits, which a callback must not: the engine waits for its end";
        return Err((GcrStatus::InCallback, message.to_owned()));
    }
    Ok(())
}

/// Where the lines of an engine go until that is freed.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    callback: Option<Callback>,
    open: Arc<Open>,
}

#[derive(Debug, Default)]
struct Open {
    is_closed: AtomicBool,
    /// Read by each callback while it runs.
    running: RwLock<()>,
}

impl Printer {
    pub(crate) fn new(callback: Option<Callback>) -> Printer {
        Printer {
            callback,
            open: Arc::default(),
        }
    }

    /// Where the engine is to write to.
    pub(crate) fn output(&self) -> Output {
        match self.callback {
            Some(_) => Output::to(self.clone()),
            None => Output::none(),
        }
    }

    /// From now on no callback begins; and none runs any more, unless this is called in one.
    pub(crate) fn close(&self) {
        self.open.is_closed.store(true, SeqCst);
        if !is_in_callback() {
            drop(self.open.running.write());
        }
    }
}

impl OutputSink for Printer {
    fn line(&self, line: &OutputLine<'_>) {
        let _running = self.open.running.read();
        let Some(Callback { function, user }) = self.callback else {
            return;
        };
        if self.open.is_closed.load(SeqCst) {
            return;
        }
        let text = Text::new(line.text);
        let mut len = 0;
        // SAFETY: the place for the length is there.
        let start = unsafe { text.lend(&raw mut len) };
        DEPTH.set(DEPTH.get() + 1);
        // SAFETY: the host has promised that it may be called so; the text is there until it
        // returns.
        unsafe { function(user, line.level.into(), start, len) };
        DEPTH.set(DEPTH.get() - 1);
    }
}
