//! What the inputs so far add up to.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use gcrucible_bytecode::VerifiedProgram;
use gcrucible_engine::{
    CallHandle, Engine, EngineEvent, EngineOptions, HostValue, Observer, Outcome, Platform,
    TokioPlatform, VirtualPlatform,
};
use gcrucible_frontend::{Diagnostic, ModuleErrors, Source, compile_modules};
use gcrucible_platform::HostRequest;
use gcrucible_platform::sync::Mutex;
use gcrucible_platform::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use tokio::sync::Notify;

use crate::output;
use crate::program::Files;

/// The path of the session's module, for imports relative to the working directory.
const PATH: &str = "repl.crux";

/// Shows the value of an expression. Its name is no word that people would choose.
const SHOW: &str = "fn repl_show_value(value) { if value != nil { print(value) } }\n";

/// What stands before an expression that is shown, on a line of its own, so that columns are
/// as they were typed.
const SHOW_BEGIN: &str = "repl_show_value(\n";

/// Instructions of a slice.
const FUEL: u32 = 10_000;

/// How an input ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It is part of the session.
    Well,
    /// It does not compile, for these reasons.
    Refused(String),
    /// Nobody caught this error, or it waits for what never comes.
    Threw(String),
    /// Ctrl-C came.
    Interrupted,
}

/// The inputs that ended well, and what is needed to do the same again.
pub(super) struct Session {
    options: EngineOptions,
    /// For what takes real time.
    world: Arc<TokioPlatform>,
    interrupt: Arc<Interrupt>,
    seed: u64,
    /// Imports, which go before everything else.
    imports: Vec<String>,
    inputs: Vec<String>,
    past: Past,
}

/// What the inputs so far did to the world.
#[derive(Default)]
struct Past {
    /// Lines printed.
    lines: usize,
    /// The time, on the session's own clock.
    now: Duration,
    /// Host operations and their results, in order.
    operations: Arc<Mutex<Vec<Operation>>>,
}

type Operation = (HostRequest, Result<HostValue, String>);

impl Session {
    /// An empty session.
    ///
    /// # Errors
    /// When the operating system starts no threads.
    pub(super) fn new(options: EngineOptions) -> std::io::Result<Self> {
        let world = Arc::new(TokioPlatform::new(1)?);
        let interrupt = Arc::<Interrupt>::default();
        world.spawn(0, Box::pin(Arc::clone(&interrupt).listen()));
        Ok(Session {
            options,
            seed: world.random(),
            world,
            interrupt,
            imports: Vec::new(),
            inputs: Vec::new(),
            past: Past::default(),
        })
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        self.seed = self.world.random();
        self.imports.clear();
        self.inputs.clear();
        self.past = Past::default();
    }

    /// Compiles and runs an input behind those before it. What it prints has been printed
    /// when this returns.
    pub(super) fn evaluate(&mut self, input: &str) -> Ended {
        let (imports, inputs) = (self.imports.clone(), self.inputs.clone());
        let operations = self.past.operations.lock().clone();
        // A declaration prints nothing; what is printed is old, whatever it replaces.
        let is_silent = defined(input, DECLARATIONS).is_some();
        let ended = match self.add(input) {
            Ok(program) => self.run(program, is_silent),
            Err(errors) => Ended::Refused(errors),
        };
        if ended != Ended::Well {
            self.imports = imports;
            self.inputs = inputs;
            *self.past.operations.lock() = operations;
        }
        ended
    }

    /// Takes an input in and compiles the session. An expression is shown; a definition takes
    /// the place of an earlier one of the same name.
    fn add(&mut self, input: &str) -> Result<VerifiedProgram, String> {
        if defined(input, &["import"]).is_some() {
            self.imports.push(input.to_owned());
            return self.compile().map_err(|errors| self.render(&errors));
        }
        if let Some(name) = defined(input, &["let"])
            && self.defines(&["let"], name)
        {
            // The variable is there: the functions that use it see the new value.
            let assignment = input.trim_start().trim_start_matches("let");
            self.inputs.push(assignment.trim_start().to_owned());
        } else if let Some(name) = defined(input, DECLARATIONS) {
            self.inputs
                .retain(|input| defined(input, DECLARATIONS) != Some(name));
            self.inputs.push(input.to_owned());
        } else {
            self.inputs.push(format!("{SHOW_BEGIN}{input}\n)"));
            if let Ok(program) = self.compile() {
                return Ok(program);
            }
            self.inputs.pop();
            self.inputs.push(input.to_owned());
        }
        self.compile().map_err(|errors| self.render(&errors))
    }

    /// Whether an input so far is a definition of that name by one of these words.
    fn defines(&self, words: &[&str], name: &str) -> bool {
        let mut inputs = self.inputs.iter();
        inputs.any(|input| defined(input, words) == Some(name))
    }

    fn compile(&self) -> Result<VerifiedProgram, ModuleErrors> {
        let entry = Source::new(PATH, self.text());
        compile_modules(PATH, &Files { entry })
    }

    /// The session as one module. After each input everybody who is ready gets on until he
    /// waits: the timer of a sleep fires only then.
    fn text(&self) -> String {
        let mut text = String::new();
        for import in &self.imports {
            text.push_str(import);
            text.push('\n');
        }
        text.push_str(SHOW);
        for input in &self.inputs {
            text.push_str(input);
            text.push_str("\nsleep(0)\n");
        }
        text
    }

    /// The number of lines of the module before the newest input.
    fn lines_before(&self) -> usize {
        let Some(newest) = self.inputs.last() else {
            return 0;
        };
        let after_it = lines(newest) + 1;
        let is_shown = newest.starts_with(SHOW_BEGIN);
        lines(&self.text()) - after_it + usize::from(is_shown)
    }

    /// Errors, those of the session with the lines as they were typed.
    fn render(&self, errors: &ModuleErrors) -> String {
        let text = self.text();
        let before = self.lines_before();
        let mut out = String::new();
        for (source, errors) in errors.iter() {
            if source.path == PATH {
                let errors = errors.iter();
                out.extend(errors.map(|error| render_one(error, &text, before)));
            } else {
                out.push_str(&errors.render(source, false));
            }
        }
        out
    }

    /// Runs the session, and shows what is new.
    fn run(&mut self, program: VerifiedProgram, is_silent: bool) -> Ended {
        self.interrupt.is_set.store(false, SeqCst);
        let platform = Arc::new(self.platform());
        let printed = Arc::new(Printed {
            old: if is_silent {
                usize::MAX
            } else {
                self.past.lines
            },
            count: AtomicUsize::new(0),
        });
        let made = Engine::new(
            Arc::new(program),
            &self.options,
            Arc::clone(&platform) as _,
            Some(Arc::clone(&printed) as _),
        );
        let engine = match made {
            Ok(engine) => engine,
            Err(error) => return Ended::Refused(format!("error: {error}\n")),
        };
        let top_level = self.world.block_on(engine.start_init());
        let top_level = top_level.expect("a new engine runs nothing");
        let ended = match self.drive(&platform, &top_level) {
            Driven::To(Outcome::Returned) => {
                self.past.lines = printed.count.load(SeqCst);
                self.past.now = platform.now();
                Ended::Well
            }
            Driven::To(_) => Ended::Threw(self.world.block_on(self.uncaught(&top_level))),
            Driven::Stuck => Ended::Threw("error: it waits for what never comes\n".to_owned()),
            Driven::Interrupted => Ended::Interrupted,
        };
        // Tasks hold the engine.
        platform.clear();
        ended
    }

    /// A platform on which host operations of the past give what they gave. Others end before
    /// anything else goes on, so that a later run finds them in the same order.
    fn platform(&self) -> VirtualPlatform {
        let operations = Arc::clone(&self.past.operations);
        let world = Arc::clone(&self.world);
        let interrupt = Arc::clone(&self.interrupt);
        let next = AtomicUsize::new(0);
        let host = move |request: HostRequest| -> gcrucible_platform::HostOperation {
            let at = next.fetch_add(1, SeqCst);
            let mut operations = operations.lock();
            if let Some((past, result)) = operations.get(at)
                && *past == request
            {
                return Box::pin(std::future::ready(result.clone()));
            }
            // A definition has changed what inputs of the past do: from here on all is new.
            operations.truncate(at);
            let operation = world.host(request.clone());
            let result = world.block_on(interrupt.unless_set(operation));
            let result = result.unwrap_or_else(|| Err("interrupted".to_owned()));
            operations.push((request, result.clone()));
            Box::pin(std::future::ready(result))
        };
        VirtualPlatform::with_host(FUEL, host).with_seed(self.seed)
    }

    /// Takes steps until the top level has ended.
    fn drive(&self, platform: &VirtualPlatform, top_level: &CallHandle) -> Driven {
        loop {
            if self.interrupt.is_set.load(SeqCst) {
                return Driven::Interrupted;
            }
            if let Some(outcome) = top_level.call().outcome() {
                return Driven::To(outcome);
            }
            if platform.step() {
                continue;
            }
            let Some(at) = platform.next_timer() else {
                return Driven::Stuck;
            };
            // The past takes no time.
            let left = at.saturating_sub(self.past.now.max(platform.now()));
            if left > Duration::ZERO {
                let timer = self.world.sleep(left);
                self.world.block_on(self.interrupt.unless_set(timer));
            }
            platform.fire_next_timer();
        }
    }

    /// The error that the newest input ended with, and where.
    async fn uncaught(&self, top_level: &CallHandle) -> String {
        let mut text = format!("error: uncaught {}\n", top_level.uncaught().await);
        let before = self.lines_before();
        for frame in top_level.call().trace() {
            let line = (frame.line as usize).saturating_sub(before);
            let function = &frame.function;
            let at = if frame.awaits { "awaited at" } else { "at" };
            let place = if frame.file != PATH {
                format!("{}:{}:{}", frame.file, frame.line, frame.column)
            } else if line == 0 {
                "typed before".to_owned()
            } else {
                format!("{line}:{}", frame.column)
            };
            text.push_str(&format!("  {at} {function} ({place})\n"));
        }
        text
    }
}

/// An error of a session, whose newest input has so many lines before it.
fn render_one(error: &Diagnostic, text: &str, before: usize) -> String {
    let line = text.lines().nth(error.line.saturating_sub(1) as usize);
    let number = (error.line as usize).saturating_sub(before);
    let place = match number {
        0 => String::new(),
        number => format!("{number}:{}: ", error.column),
    };
    let mut out = format!("error: {place}{}\n", error.message);
    if let Some(line) = line {
        let indent = " ".repeat(error.column.saturating_sub(1) as usize);
        let mark = "^".repeat(error.length as usize);
        out.push_str(&format!("  {line}\n  {indent}{mark}\n"));
    }
    if let Some(expected) = &error.expected {
        out.push_str(&format!("  expected {expected}\n"));
    }
    if let Some(hint) = &error.hint {
        out.push_str(&format!("  help: {hint}\n"));
    }
    out
}

/// Where the steps of a run led.
enum Driven {
    To(Outcome),
    /// Nobody is ready, and no timer is set.
    Stuck,
    Interrupted,
}

/// Whether Ctrl-C came.
#[derive(Default)]
struct Interrupt {
    is_set: AtomicBool,
    news: Notify,
}

impl Interrupt {
    /// Takes note of each Ctrl-C.
    async fn listen(self: Arc<Self>) {
        while tokio::signal::ctrl_c().await.is_ok() {
            self.is_set.store(true, SeqCst);
            self.news.notify_waiters();
        }
    }

    /// What a future gives, unless Ctrl-C comes first.
    async fn unless_set<F: Future + Unpin>(&self, mut future: F) -> Option<F::Output> {
        let mut news = std::pin::pin!(self.news.notified());
        poll_fn(|cx| {
            // Asked first, so that no news is missed.
            let has_news = news.as_mut().poll(cx).is_ready();
            if has_news || self.is_set.load(SeqCst) {
                return Poll::Ready(None);
            }
            std::pin::Pin::new(&mut future).poll(cx).map(Some)
        })
        .await
    }
}

/// Words that define a name once and for all.
const DECLARATIONS: &[&str] = &["fn", "class", "enum"];

/// The name that an input defines, if it begins with one of these words.
fn defined<'i>(input: &'i str, words: &[&str]) -> Option<&'i str> {
    let (word, rest) = input.trim_start().split_once(char::is_whitespace)?;
    if !words.contains(&word) {
        return None;
    }
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    Some(&rest[..end.unwrap_or(rest.len())])
}

fn lines(text: &str) -> usize {
    text.lines().count()
}

/// Prints the lines that are new.
struct Printed {
    /// Lines of the past, which come first.
    old: usize,
    count: AtomicUsize,
}

impl Observer for Printed {
    fn event(&self, event: &EngineEvent<'_>) {
        if let EngineEvent::Slice { outcome, .. } = event {
            for line in &outcome.printed {
                if self.count.fetch_add(1, SeqCst) >= self.old {
                    output::print(&format!("{line}\n"));
                }
            }
        }
    }
}
