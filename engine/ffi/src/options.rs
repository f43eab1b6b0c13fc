//! What an engine is made with.

use std::ffi::{c_char, c_void};
use std::path::Path;

use gcrucible_engine::{Capabilities, HeapDebug, TokioPlatform};
use gcrucible_heap::HeapConfig;
use gcrucible_platform::sync::Mutex;

use crate::error::GcrError;
use crate::objects::{find, list, unlist};
use crate::print::{Callback, GcrPrint};
use crate::status::{Failure, GcrStatus, bad_argument, guarded, quietly};
use crate::text::text;

/// What an engine is made with. New ones are a good choice: two threads, the usual heap, a
/// program that may touch neither files nor network nor environment, and whose lines go nowhere.
/// One may be used for several engines. Free it with `gcr_options_free`.
#[derive(Debug)]
pub struct GcrOptions {
    _opaque: [u8; 0],
}

/// Chosen so far.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) workers: usize,
    pub(crate) heap: HeapConfig,
    pub(crate) debug: HeapDebug,
    pub(crate) args: Vec<String>,
    pub(crate) capabilities: Capabilities,
    pub(crate) print: Option<Callback>,
}

impl Default for Chosen {
    fn default() -> Self {
        Chosen {
            workers: 2,
            heap: HeapConfig::default(),
            debug: HeapDebug::default(),
            args: Vec::new(),
            capabilities: Capabilities::none(),
            print: None,
        }
    }
}

/// The least heap: a nursery and room to copy it to.
const HEAP_LEAST: u64 = 1 << 20;
/// The largest heap: 16 TiB.
const HEAP_MOST: u64 = 1 << 44;

/// New options; null if there is no memory for them.
#[unsafe(no_mangle)]
pub extern "C" fn gcr_options_new() -> *mut GcrOptions {
    quietly(std::ptr::null_mut(), || list(Mutex::new(Chosen::default())))
}

/// Changes options, unless that fails.
///
/// # Safety
/// `error` is null or can be written.
unsafe fn change(
    options: *mut GcrOptions,
    error: *mut *mut GcrError,
    change: impl FnOnce(&mut Chosen) -> Result<(), Failure>,
) -> GcrStatus {
    let body = || {
        let options = find(options)?;
        let mut changed = options.lock().clone();
        change(&mut changed)?;
        *options.lock() = changed;
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

/// Threads that run tasks, from 1 to 1024.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_options_workers(
    options: *mut GcrOptions,
    workers: u32,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let set = |chosen: &mut Chosen| {
        let most = TokioPlatform::WORKERS_MAX;
        if !(1..=most).contains(&(workers as usize)) {
            let message = format!("{workers} workers: expected 1 to {most}");
            return Err(bad_argument(&message));
        }
        chosen.workers = workers as usize;
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { change(options, error, set) }
}

/// Bytes that the program may keep alive, from 1 MiB to 16 TiB.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_options_heap_limit(
    options: *mut GcrOptions,
    bytes: u64,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let set = |chosen: &mut Chosen| {
        if !(HEAP_LEAST..=HEAP_MOST).contains(&bytes) {
            let message = format!(
                "a heap limit of {bytes} bytes: expected {HEAP_LEAST} (1 MiB) to {HEAP_MOST} (16 TiB)"
            );
            return Err(bad_argument(&message));
        }
        chosen.heap.limit_bytes = bytes;
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { change(options, error, set) }
}

/// Debug modes of the heap, such as `zombie,scribble,collect=safepoint`.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_options_heap_modes(
    options: *mut GcrOptions,
    modes: *const c_char,
    modes_len: usize,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let set = |chosen: &mut Chosen| {
        // SAFETY: what the caller owes.
        let modes = unsafe { text(modes, modes_len, "the heap modes")? };
        let parsed = modes.parse();
        chosen.debug =
            parsed.map_err(|error| bad_argument(&format!("heap modes `{modes}`: {error}")))?;
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { change(options, error, set) }
}

/// One more of what `sys.args()` gives the program.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_options_arg(
    options: *mut GcrOptions,
    arg: *const c_char,
    arg_len: usize,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let set = |chosen: &mut Chosen| {
        // SAFETY: what the caller owes.
        let arg = unsafe { text(arg, arg_len, "the argument")? };
        chosen.args.push(arg.to_owned());
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { change(options, error, set) }
}

/// Who gets the lines that the program prints and logs: `callback`, with `user` as its first
/// argument; null for nobody. `user` must be usable from any thread until the engine has been
/// freed; see `GcrPrint`.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_options_on_print(
    options: *mut GcrOptions,
    callback: GcrPrint,
    user: *mut c_void,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let set = |chosen: &mut Chosen| {
        chosen.print = callback.map(|function| Callback::new(function, user));
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { change(options, error, set) }
}

/// The program may also touch this folder with everything in it, or this one file. `/` is all
/// of them. Links that lead out of the folder are no way out of it.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_options_allow_fs(
    options: *mut GcrOptions,
    path: *const c_char,
    path_len: usize,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let set = |chosen: &mut Chosen| {
        // SAFETY: what the caller owes.
        let path = unsafe { text(path, path_len, "the path")? };
        let allowed = chosen.capabilities.clone().allow_fs(Path::new(path));
        chosen.capabilities = allowed.map_err(|error| bad_argument(&error))?;
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { change(options, error, set) }
}

/// The program may also talk to this host: `name`, `name:port`, an address, `[address]:port`,
/// `*.name` for all below a name, or `*` for all.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_options_allow_net(
    options: *mut GcrOptions,
    host: *const c_char,
    host_len: usize,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let set = |chosen: &mut Chosen| {
        // SAFETY: what the caller owes.
        let host = unsafe { text(host, host_len, "the host")? };
        let capabilities = chosen.capabilities.clone();
        chosen.capabilities = match host {
            "*" => capabilities.allow_net_all(),
            host => capabilities
                .allow_net(host)
                .map_err(|error| bad_argument(&error))?,
        };
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { change(options, error, set) }
}

/// The program may also read this variable of the environment, or all for `*`.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_options_allow_env(
    options: *mut GcrOptions,
    name: *const c_char,
    name_len: usize,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let set = |chosen: &mut Chosen| {
        // SAFETY: what the caller owes.
        let name = unsafe { text(name, name_len, "the name")? };
        let capabilities = chosen.capabilities.clone();
        chosen.capabilities = match name {
            "*" => capabilities.allow_env_all(),
            "" => return Err(bad_argument("the name is empty")),
            name => capabilities.allow_env(name),
        };
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { change(options, error, set) }
}

/// Frees options. Engines that were made with them go on.
#[unsafe(no_mangle)]
pub extern "C" fn gcr_options_free(options: *mut GcrOptions) {
    quietly((), || drop(unlist(options)));
}
