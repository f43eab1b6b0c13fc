//! Runs a program on an engine with virtual time and gives what it did.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, OnceLock, Weak};
use std::task::Poll;
use std::time::Duration;

use gcrucible_engine::{
    CallHandle, CallKind, Engine, EngineEvent, EngineOptions, Observer, TraceFrame,
};
use gcrucible_frontend::{Loader, ModuleErrors, compile_modules};
use gcrucible_heap::{Checked, HeapConfig, VerifyLevel};
use gcrucible_platform::host::{HostOperation, HostRequest, HostValue, fails, unknown_operation};
use gcrucible_platform::sync::Mutex;
use gcrucible_platform::{Platform, VirtualPlatform};
use gcrucible_vm::display;

use super::case::{Case, Place};

/// How a program is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Long slices, no debug modes.
    Free,
    /// Slices of one instruction.
    Stepped,
    /// A collection at every safepoint, dead memory overwritten, and the whole heap verified
    /// before and after each. Built-ins work in small steps, with collections between.
    Moving,
}

/// What a program did.
pub(crate) struct Outcome {
    /// Lines, and whether `main` had ended before.
    pub(crate) printed: Vec<(String, bool)>,
    pub(crate) end: End,
    /// What is wrong with the engine and its heap, during the run and at rest.
    pub(crate) violations: Vec<String>,
}

/// How it ended.
pub(crate) enum End {
    /// The front end refused it.
    Refused(Vec<(Place, String)>),
    /// The last of its calls returned a value with this display text.
    Returned(String),
    /// Nobody caught a value with this display text, thrown at this line of its own.
    Threw {
        text: String,
        at: Option<Place>,
        trace: Vec<String>,
    },
    /// It did not end.
    Stuck(String),
}

/// Steps that no file of the suite comes near to.
const STEPS_MAX: u64 = 50_000_000;

/// Frames of a task: enough for every file, few enough that an overflow is soon there.
const FRAMES_MAX: usize = 200;

/// The modules of a program by path.
struct Files(BTreeMap<String, String>);

impl Loader for Files {
    fn load(&self, path: &str) -> Result<String, String> {
        let text = self.0.get(path);
        text.cloned().ok_or_else(|| "no such file".to_owned())
    }
}

/// Compiles a program and runs it: its top level, then `main`, then `again`.
pub(crate) fn run(case: &Case, mode: Mode) -> Outcome {
    let modules = case.modules.iter();
    let files = Files(modules.map(|m| (m.path.clone(), m.text.clone())).collect());
    let program = match compile_modules("main.crux", &files) {
        Ok(program) => program,
        Err(errors) => return refused(&errors, case),
    };
    let has_main = program.entry_export("main").is_some();
    let has_again = program.entry_export("again").is_some();
    let (fuel, modes) = match mode {
        Mode::Free => (10_000, ""),
        Mode::Stepped => (1, ""),
        Mode::Moving => (
            10_000,
            "collect=safepoint,zombie,scribble,steps=40,verify=full",
        ),
    };
    let platform = new_platform(fuel);
    let watch = Arc::new(Watch::default());
    let options = EngineOptions {
        heap: HeapConfig {
            nursery_bytes: 16 << 10,
            limit_bytes: 16 << 20,
            ..HeapConfig::tiny()
        },
        debug: modes.parse().expect("heap modes"),
        max_frames: FRAMES_MAX,
        args: vec!["first".to_owned(), "second".to_owned()],
        ..EngineOptions::default()
    };
    let engine = Engine::new(
        Arc::new(program),
        &options,
        Arc::clone(&platform) as _,
        Some(Arc::clone(&watch) as _),
    )
    .expect("an engine");
    let init = platform.block_on(engine.start_init());
    let init = init.expect("nothing runs yet");
    let mut has_ended = platform.run(STEPS_MAX);
    let mut end = end_of(&engine, &init, case);
    if has_main && matches!(end, End::Returned(_)) {
        let main = engine
            .start_call(1, "main", &[])
            .expect("a function `main`");
        watch.seen.lock().is_in_main = true;
        has_ended &= platform.run(STEPS_MAX);
        end = end_of(&engine, &main, case);
    }
    let mut violations = Vec::new();
    if has_again {
        let again = engine.start_call(2, "again", &[]).expect("a second call");
        has_ended &= platform.run(STEPS_MAX);
        let end = end_of(&engine, &again, case);
        if !matches!(end, End::Returned(_)) {
            violations.push(format!("`again`: {end}"));
        }
    }
    let seen = std::mem::take(&mut *watch.seen.lock());
    violations.extend(seen.violations);
    if !has_ended {
        violations.push("it runs without an end".to_owned());
    }
    violations.extend(at_rest(&engine, &platform));
    platform.clear();
    Outcome {
        printed: seen.printed,
        end,
        violations,
    }
}

fn refused(errors: &ModuleErrors, case: &Case) -> Outcome {
    let mut refused = Vec::new();
    for (source, found) in errors.iter() {
        for error in found {
            let place = Place {
                path: source.path.clone(),
                line: case.code_line(&source.path, error.line as usize),
            };
            let text = error.to_string();
            let prefix = format!("{}:{}: ", error.line, error.column);
            let message = text.strip_prefix(&prefix);
            refused.push((place, message.expect("its place comes first").to_owned()));
        }
    }
    Outcome {
        printed: Vec::new(),
        end: End::Refused(refused),
        violations: Vec::new(),
    }
}

fn end_of(engine: &Engine, call: &CallHandle, case: &Case) -> End {
    let Some(outcome) = call.call().outcome() else {
        let waiting = (engine.waiting_tasks(), engine.blocked_tasks());
        return End::Stuck(format!("tasks that wait: {waiting:?}"));
    };
    let text = {
        let permit = engine.heap().try_shared().expect("nobody collects");
        let m = permit.reader::<Checked>();
        let value = call.call().value(&m);
        display(&m, engine.program().program(), value)
    };
    if outcome == gcrucible_engine::Outcome::Returned {
        return End::Returned(text);
    }
    let trace = call.call().trace();
    // Frames of the library are not the program's own; a throw in there belongs to the line
    // that called it.
    let own = |frame: &&TraceFrame| case.modules.iter().any(|m| m.path == frame.file);
    let at = trace.iter().find(own).map(|frame| Place {
        path: frame.file.clone(),
        line: frame.line as usize,
    });
    End::Threw {
        text,
        at,
        trace: trace.iter().map(ToString::to_string).collect(),
    }
}

/// What is left when nothing runs any more, and what is wrong with the heap.
fn at_rest(engine: &Engine, platform: &VirtualPlatform) -> Vec<String> {
    let mut wrong = Vec::new();
    let counts = [
        ("unfinished futures", engine.active_future_count()),
        ("open calls", engine.open_call_count()),
        ("waiting tasks", engine.waiting_tasks().len()),
        ("blocked tasks", engine.blocked_tasks().len()),
    ];
    for (what, count) in counts {
        if count != 0 {
            wrong.push(format!("{count} {what} at rest"));
        }
    }
    let heap = engine.heap();
    let Some(mut permit) = heap.try_exclusive() else {
        wrong.push(format!("a permit is held at rest ({platform:?})"));
        return wrong;
    };
    let broken = permit.verify(VerifyLevel::Full);
    wrong.extend(broken.iter().map(ToString::to_string));
    wrong
}

/// Sees what the program prints, and what collections find.
#[derive(Default)]
struct Watch {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    printed: Vec<(String, bool)>,
    is_in_main: bool,
    has_main_ended: bool,
    violations: Vec<String>,
}

impl Observer for Watch {
    fn event(&self, event: &EngineEvent<'_>) {
        let mut seen = self.seen.lock();
        match event {
            EngineEvent::Slice { outcome, .. } => {
                let is_late = seen.has_main_ended;
                let lines = outcome.printed.iter().map(|line| (line.clone(), is_late));
                seen.printed.extend(lines);
            }
            // Finalizers have calls of their own.
            EngineEvent::CallEnded { call, .. } if call.id() != CallKind::Finalizer.id() => {
                seen.has_main_ended = seen.is_in_main;
            }
            EngineEvent::Collected { report } => {
                let broken = report.violations.iter().map(ToString::to_string);
                seen.violations.extend(broken);
            }
            _ => {}
        }
    }
}

/// A platform with a host of its own: files in memory, a server that echoes.
fn new_platform(fuel: u32) -> Arc<VirtualPlatform> {
    let files = Arc::new(Mutex::new(BTreeMap::<String, String>::new()));
    let itself: Arc<OnceLock<Weak<VirtualPlatform>>> = Arc::default();
    let clock = Arc::clone(&itself);
    let platform = Arc::new(VirtualPlatform::with_host(fuel, move |request| {
        let timer = |ms| {
            let platform = clock.get().and_then(Weak::upgrade);
            let platform = platform.expect("operations end before their platform");
            platform.sleep(Duration::from_millis(ms))
        };
        answer(&files, timer, request)
    }));
    let is_first = itself.set(Arc::downgrade(&platform)).is_ok();
    assert!(is_first, "a platform is set once");
    platform
}

fn answer(
    files: &Mutex<BTreeMap<String, String>>,
    timer: impl Fn(u64) -> gcrucible_platform::Task,
    request: HostRequest,
) -> HostOperation {
    let text = |at: usize| match request.args.get(at) {
        Some(HostValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let now = |value| Box::pin(std::future::ready(Ok(value))) as HostOperation;
    match request.name.as_str() {
        "echo" => now(request.args[0].clone()),
        "env" if text(0) == "HOME" => now(HostValue::String("/home/crux".to_owned())),
        "env" if !text(0).is_empty() => now(HostValue::Nil),
        "fs.read" => match files.lock().get(&text(0)) {
            Some(file) => now(HostValue::String(file.clone())),
            None => fails(format!("no file {}", text(0))),
        },
        "fs.write" => {
            files.lock().insert(text(0), text(1));
            now(HostValue::Nil)
        }
        "http.get" | "http.post" => {
            let url = text(0);
            if url.contains("nowhere") {
                return fails("no route to nowhere".to_owned());
            }
            let ms = if url.contains("slow") { 1000 } else { 5 };
            let body = match request.name.as_str() {
                "http.get" => format!("GET {url}"),
                _ => format!("POST {url} {}", text(1)),
            };
            let mut timer = timer(ms);
            let response = Ok(HostValue::Map(vec![
                ("status".to_owned(), HostValue::Int(200)),
                ("body".to_owned(), HostValue::String(body)),
            ]));
            // As in production: a request that only reads ends at once when it is cancelled.
            let heeds = request.name == "http.get";
            Box::pin(poll_fn(move |cx| {
                if timer.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(response.clone());
                }
                match heeds {
                    true => request
                        .stop
                        .poll_fired(cx)
                        .map(|()| Err("stopped".to_owned())),
                    false => Poll::Pending,
                }
            }))
        }
        _ => unknown_operation(&request),
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Refused(errors) => write!(f, "refused with {} errors", errors.len()),
            End::Returned(text) => write!(f, "returned: {text}"),
            End::Threw { text, trace, .. } => {
                write!(f, "uncaught: {text} (thrown in {})", trace.join(" in "))
            }
            End::Stuck(why) => write!(f, "does not end; {why}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path, self.line)
    }
}
