//! `crux repl`: lines that people type, one after the other.
//!
//! A session is one module that grows: each input is compiled behind all those before it, and
//! the whole runs anew, on a platform of one thread and virtual time that takes the same steps
//! each time. What earlier inputs print is not shown again, their sleeps take no time, and
//! their host operations give what they gave the first time. So definitions, variables and
//! even running tasks persist from input to input, while the engine knows nothing of sessions.
//! The price is that the work of earlier inputs is done again, and that host operations run
//! one after the other. An input that fails leaves nothing behind in the session.

mod input;
mod session;

use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Config, Editor};

use self::input::Lines;
use self::session::{Ended, Session};
use crate::Exit;
use crate::options::HeapOptions;
use crate::{lines, output};

const HELP: &str = "\
Type a statement or an expression; the value of an expression is shown unless it is nil.
An input goes on over several lines until its brackets are closed.
:help   this text
:reset  forget everything
:quit   the end, as Ctrl-D
Ctrl-C abandons a line, or the input that runs.";

/// Reads inputs until the end. Errors of inputs do not end it.
pub(crate) fn repl(options: &HeapOptions) -> Exit {
    let engine_options = match options.engine() {
        Ok(engine_options) => engine_options,
        Err(exit) => return exit,
    };
    let mut session = match Session::new(engine_options) {
        Ok(session) => session,
        Err(error) => {
            say!("error: {error}");
            return Exit::Failed;
        }
    };
    if !std::io::stdin().is_terminal() {
        return read_all(&mut session);
    }
    let config = Config::builder().auto_add_history(true).build();
    let editor = Editor::<Lines, DefaultHistory>::with_config(config);
    let mut editor = match editor {
        Ok(editor) => editor,
        Err(error) => {
            say!("error: no line editor: {error}");
            return Exit::Failed;
        }
    };
    editor.set_helper(Some(Lines));
    let history = history_file();
    if let Some(history) = &history {
        // The first session has none.
        let _ = editor.load_history(history);
    }
    output::print(&format!(
        "crux {}: `:help` says more\n",
        env!("CARGO_PKG_VERSION")
    ));
    let exit = loop {
        match editor.readline("> ") {
            Ok(input) => {
                if take(&mut session, &input) == Next::End {
                    break Exit::Ok;
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break Exit::Ok,
            Err(error) => {
                say!("error: {error}");
                break Exit::Failed;
            }
        }
    };
    if let Some(history) = &history
        && let Err(error) = editor.save_history(history)
    {
        say!("error: the history was not saved: {error}");
    }
    exit
}

/// Whether there is to be another input.
#[derive(PartialEq, Eq)]
enum Next {
    Input,
    End,
}

/// Reads inputs from what is no terminal. One that is not complete at the end is run, too, which
/// says what it lacks.
fn read_all(session: &mut Session) -> Exit {
    let mut lines = std::io::stdin().lock();
    let mut input = String::new();
    loop {
        let mut line = Vec::new();
        match lines.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                say!("error: {error}");
                return Exit::Failed;
            }
        }
        match String::from_utf8(line) {
            Ok(line) => input.push_str(&line),
            Err(_) => {
                say!("error: it is not UTF-8 text");
                input.clear();
            }
        }
        if !input::is_open(&input) && take(session, &std::mem::take(&mut input)) == Next::End {
            return Exit::Ok;
        }
    }
    if input.trim().is_empty() {
        return Exit::Ok;
    }
    take(session, &input);
    Exit::Failed
}

/// Runs an input or a command.
fn take(session: &mut Session, input: &str) -> Next {
    match input.trim() {
        "" => {}
        ":help" => output::print(&format!("{HELP}\n")),
        ":reset" => session.reset(),
        ":quit" => return Next::End,
        command if command.starts_with(':') => {
            say!("error: there is no command `{command}`; `:help` lists them");
        }
        input => match session.evaluate(input) {
            Ended::Well => {}
            Ended::Refused(text) | Ended::Threw(text) => lines::err(&text),
            Ended::Interrupted => say!("interrupted"),
        },
    }
    Next::Input
}

/// Where the history is kept: `CRUX_HISTORY`, or `.crux_history` at home.
fn history_file() -> Option<PathBuf> {
    match std::env::var_os("CRUX_HISTORY") {
        Some(path) => Some(path.into()),
        None => std::env::home_dir().map(|home| home.join(".crux_history")),
    }
}
