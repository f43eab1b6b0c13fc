//! Files to a program.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use gcrucible_bytecode::VerifiedProgram;
use gcrucible_frontend::{Listing, Loader, ModuleErrors, Source, compile_modules};

use crate::Exit;
use crate::{lines, output};

/// A program, or what is wrong with it as people read it, and the files that it is made of,
/// missing ones too.
pub(crate) struct Made {
    pub(crate) program: Result<VerifiedProgram, String>,
    #[cfg_attr(
        not(feature = "hot"),
        allow(dead_code, reason = "only a watcher of files asks for them")
    )]
    pub(crate) paths: Vec<String>,
}

/// Reads and compiles a program.
pub(crate) fn make(file: &Path) -> Made {
    let path = file.display().to_string();
    match read(&path) {
        Ok(text) => make_of(Source::new(&path, text), &path, |_| None),
        Err(message) => Made {
            program: Err(format!("error: cannot read {path}: {message}\n")),
            paths: vec![path],
        },
    }
}

/// Compiles an entry module whose text is there already, for the program that people know as
/// `name`. What `explain` says about errors, if anything, takes the place of the usual report.
pub(crate) fn make_of(
    entry: Source,
    name: &str,
    explain: impl Fn(&ModuleErrors) -> Option<String>,
) -> Made {
    let files = Files { entry };
    let listing = Listing::new(&files);
    let program = compile_modules(&files.entry.path, &listing).map_err(|errors| {
        if let Some(text) = explain(&errors) {
            return text;
        }
        let report = errors.render(has_colors());
        let count: usize = errors.iter().map(|(_, errors)| errors.len()).sum();
        let s = if count == 1 { "" } else { "s" };
        format!("{report}{name}: {count} error{s}\n")
    });
    Made {
        program,
        paths: listing.into_paths(),
    }
}

/// Reads and compiles a program. What is wrong with it has been said when it fails.
pub(crate) fn load(file: &Path) -> Result<VerifiedProgram, Exit> {
    make(file).program.map_err(|report| {
        lines::err(&report);
        Exit::Failed
    })
}

/// Whether reports come in colours: to people who have not said that they want none
/// (<https://no-color.org>).
fn has_colors() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stderr().is_terminal() && !is_set("NO_COLOR") && !is_dumb
}

/// `crux check`: all programs, whatever is wrong with some.
pub(crate) fn check(files: &[PathBuf]) -> Exit {
    let failed = files.iter().filter(|file| load(file).is_err()).count();
    match failed {
        0 => Exit::Ok,
        _ => Exit::Failed,
    }
}

/// `crux disasm`.
pub(crate) fn disassemble(file: &Path) -> Exit {
    match load(file) {
        Ok(program) => {
            let listing = gcrucible_bytecode::disassemble(&program);
            output::print(&listing);
            Exit::Ok
        }
        Err(exit) => exit,
    }
}

/// The entry module, and files for all others.
pub(crate) struct Files {
    pub(crate) entry: Source,
}

impl Loader for Files {
    fn load(&self, path: &str) -> Result<String, String> {
        if path == self.entry.path {
            return Ok(self.entry.text.clone());
        }
        read(path)
    }
}

pub(crate) fn read(path: &str) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        _ => error.to_string(),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("it is not UTF-8 text (byte {at})")
    })
}
