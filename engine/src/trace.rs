//! Where an error was thrown.

use std::fmt;

use gcrucible_bytecode::Program;

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
}

impl TraceFrame {
    /// The frame that stands at an instruction of a function.
    pub(crate) fn at(program: &Program, (function, at): (u16, u32)) -> TraceFrame {
        let Some(function) = program.functions.get(usize::from(function)) else {
            return TraceFrame {
                function: "?".to_owned(),
                file: "?".to_owned(),
                line: 0,
                column: 0,
            };
        };
        let module = program.modules.get(usize::from(function.module));
        let span = function.spans.get(at as usize).copied().unwrap_or_default();
        TraceFrame {
            function: function.name.clone(),
            file: module.map_or_else(|| "?".to_owned(), |module| module.path.clone()),
            line: span.line,
            column: span.column,
        }
    }
}

impl fmt::Display for TraceFrame {
    /// `FUNCTION (FILE:LINE:COLUMN)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.function, self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        f.write_str(")")
    }
}
