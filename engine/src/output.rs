//! Where the lines go that a program prints and logs.
//!
//! A library does not write to the standard output of the program that it is part of: without an
//! [`Output`] the lines of [`EngineOptions::output`](crate::EngineOptions::output) go nowhere.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::trace::TraceFrame;

/// One line of a program's, with what it takes to tell whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLine<'a> {
    /// What it is.
    pub level: Level,
    /// The text, without the level and the line's end. Text that a program prints may have line
    /// ends of its own.
    pub text: &'a str,
    /// Number of the task that wrote it; 0 for a report of the engine's, of an error that nobody
    /// awaited or that ended a finalizer.
    pub task: u32,
    /// Id of the call that the task belongs to; `None` for a detached task, which outlives it.
    pub call: Option<u32>,
    /// Number of the realm that the task runs in, detached or not. Each fork for serving is one
    /// ([`Fork::number`](crate::Fork::number)): it tells the request.
    pub realm: u32,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// It was printed.
    Print,
    /// `log.debug`.
    Debug,
    /// `log.info`.
    Info,
    /// `log.warn`.
    Warn,
    /// `log.error`, and reports of the engine's.
    Error,
}

impl Level {
    /// Tells a line of `log`, which begins with its level, from one that was printed. Who
    /// prints such a line himself has logged it.
    pub fn of(line: &str) -> (Level, &str) {
        let levels = [
            ("[debug]", Level::Debug),
            ("[info]", Level::Info),
            ("[warn]", Level::Warn),
            ("[error]", Level::Error),
        ];
        for (mark, level) in levels {
            // `log.info()` of nothing is the mark and a space.
            if let Some(text) = line
                .strip_prefix(mark)
                .and_then(|text| text.strip_prefix(' '))
            {
                return (level, text);
            }
        }
        (Level::Print, line)
    }
}

/// Takes the lines of a program. It is called on the thread that runs the task, in the order in
/// which the task wrote them, while the engine holds no permit and no lock. What takes long
/// there keeps the tasks of that thread waiting. A panic is the line's end, and harms nobody.
pub trait OutputSink: Send + Sync {
    /// Takes one line.
    fn line(&self, line: &OutputLine<'_>);
}

impl<F: Fn(&OutputLine<'_>) + Send + Sync> OutputSink for F {
    fn line(&self, line: &OutputLine<'_>) {
        self(line);
    }
}

/// A sink, or none.
#[derive(Clone, Default)]
pub struct Output(Option<Arc<dyn OutputSink>>);

impl Output {
    /// The lines go nowhere.
    pub fn none() -> Output {
        Output(None)
    }

    /// The lines go to a sink, which may be a function.
    ///
    /// ```
    /// use gcrucible_engine::{EngineOptions, Level, Output, OutputLine};
    ///
    /// let options = EngineOptions {
    ///     output: Output::to(|line: &OutputLine<'_>| match line.level {
    ///         Level::Print => println!("{}", line.text),
    ///         level => eprintln!("{level:?}: {}", line.text),
    ///     }),
    ///     ..EngineOptions::default()
    /// };
    /// # let _ = options;
    /// ```
    pub fn to(sink: impl OutputSink + 'static) -> Output {
        Output(Some(Arc::new(sink)))
    }

    /// Hands the lines of a slice over.
    pub(crate) fn write(&self, lines: &[String], task: u32, call: Option<u32>, realm: u32) {
        if self.0.is_none() {
            return;
        }
        for line in lines {
            let (level, text) = Level::of(line);
            self.hand_over(&OutputLine {
                level,
                text,
                task,
                call,
                realm,
            });
        }
    }
}

impl Output {
    /// Tells of an error that nobody caught or will see.
    pub(crate) fn report(&self, error: &str, trace: &[TraceFrame], how: &str, realm: u32) {
        if self.0.is_none() {
            return;
        }
        let mut text = format!("uncaught {error} ({how})");
        for frame in trace {
            text += &format!("\n  {}", frame.line());
        }
        self.hand_over(&OutputLine {
            level: Level::Error,
            text: &text,
            task: 0,
            call: None,
            realm,
        });
    }

    fn hand_over(&self, line: &OutputLine<'_>) {
        if let Some(sink) = &self.0 {
            // The program has done nothing wrong, and the next line may be welcome.
            let _ = catch_unwind(AssertUnwindSafe(|| sink.line(line)));
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.0.is_some() { "sink" } else { "none" };
        f.debug_tuple("Output").field(&state).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_log_begins_with_its_level() {
        assert_eq!(Level::of("[warn] no"), (Level::Warn, "no"));
        assert_eq!(Level::of("[debug] "), (Level::Debug, ""));
        assert_eq!(
            Level::of("[error] a [info] b"),
            (Level::Error, "a [info] b")
        );
        for printed in [
            "",
            "[",
            "[warn",
            "[warn]",
            "[warning] x",
            " [info] x",
            "[INFO] x",
        ] {
            assert_eq!(Level::of(printed), (Level::Print, printed));
        }
    }
}
