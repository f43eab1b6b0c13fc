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

use std::io::IsTerminal as _;
use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Config, Editor};

use self::input::Lines;
use self::session::{Ended, Session};
use crate::Exit;
use crate::options::HeapOptions;

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
            eprintln!("error: {error}");
            return Exit::Failed;
        }
    };
    let config = Config::builder().auto_add_history(true).build();
    let editor = Editor::<Lines, DefaultHistory>::with_config(config);
    let mut editor = match editor {
        Ok(editor) => editor,
        Err(error) => {
            eprintln!("error: no line editor: {error}");
            return Exit::Failed;
        }
    };
    editor.set_helper(Some(Lines));
    let is_person = std::io::stdin().is_terminal();
    let history = history_file().filter(|_| is_person);
    if let Some(history) = &history {
        // The first session has none.
        let _ = editor.load_history(history);
    }
    if is_person {
        println!("crux {}: `:help` says more", env!("CARGO_PKG_VERSION"));
    }
    let prompt = if is_person { "> " } else { "" };
    let exit = loop {
        match editor.readline(prompt) {
            Ok(line) => match line.trim() {
                "" => {}
                ":help" => println!("{HELP}"),
                ":reset" => session.reset(),
                ":quit" => break Exit::Ok,
                command if command.starts_with(':') => {
                    eprintln!("error: there is no command `{command}`; `:help` lists them");
                }
                input => evaluate(&mut session, input),
            },
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break Exit::Ok,
            Err(error) => {
                eprintln!("error: {error}");
                break Exit::Failed;
            }
        }
    };
    if let Some(history) = &history
        && let Err(error) = editor.save_history(history)
    {
        eprintln!("error: the history was not saved: {error}");
    }
    exit
}

fn evaluate(session: &mut Session, input: &str) {
    match session.evaluate(input) {
        Ended::Well => {}
        Ended::Refused(text) | Ended::Threw(text) => eprint!("{text}"),
        Ended::Interrupted => eprintln!("interrupted"),
    }
}

/// Where the history is kept: `CRUX_HISTORY`, or `.crux_history` at home.
fn history_file() -> Option<PathBuf> {
    match std::env::var_os("CRUX_HISTORY") {
        Some(path) => Some(path.into()),
        None => std::env::home_dir().map(|home| home.join(".crux_history")),
    }
}
