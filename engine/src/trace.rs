//! Where an error was thrown.

use std::fmt;

use gcrucible_bytecode::Program;

/// The path of the library's module.
const LIBRARY: &str = "<library>";

/// One frame of a stack trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceFrame {
    /// Name of the function; `<lambda>`, `<module>`.
    pub function: String,
    /// Path of its source file, as imported.
    pub file: String,
    /// Line, from 1; 0 for code that no source line stands for.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Whether this is where another task awaited the one whose frames come before.
    pub awaits: bool,
}

impl TraceFrame {
    /// The frame as a line of a trace: `at FUNCTION …`, or `awaited at FUNCTION …`.
    pub fn line(&self) -> String {
        match self.awaits {
            true => self.to_string(),
            false => format!("at {self}"),
        }
    }

    /// Whether it is a function of the library.
    pub fn is_library(&self) -> bool {
        self.file == LIBRARY
    }

    /// The frame that stands at an instruction of a function.
    pub(crate) fn at(program: &Program, (function, at): (u16, u32)) -> TraceFrame {
        let Some(function) = program.functions.get(usize::from(function)) else {
            return TraceFrame {
                function: "?".to_owned(),
                file: "?".to_owned(),
                line: 0,
                column: 0,
                awaits: false,
            };
        };
        let module = program.modules.get(usize::from(function.module));
        let span = function.spans.get(at as usize).copied().unwrap_or_default();
        TraceFrame {
            function: function.name.clone(),
            file: module.map_or_else(|| "?".to_owned(), |module| module.path.clone()),
            line: span.line,
            column: span.column,
            awaits: false,
        }
    }
}

impl fmt::Display for TraceFrame {
    /// `FUNCTION (FILE:LINE:COLUMN)`; `awaited at FUNCTION …` where another task awaited that of
    /// the frames before.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.awaits {
            f.write_str("awaited at ")?;
        }
        write!(f, "{} ({}", self.function, self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        f.write_str(")")
    }
}
