//! How the conformance files are read, run and judged.
//!
//! ```text
//! case      one program, and what it says about itself in comments
//! machine   runs it on an engine with virtual time and gives what it did
//! judge     compares the two
//! rules     the features and rules that the files must cover
//! ```
//!
//! What a comment at the end of a line, or on a line below it, says:
//!
//! ```text
//! // rule: E-1 match, C4    on the first line of the entry module: what the file is about
//! // => text                the program prints this; all these in the order of the source
//! // ~> text                the same, after the call of `main` has ended
//! // -> text                the display text of what `main` returned
//! // !! text                this line throws, nobody catches it, and this is its display text;
//!                           on a line of its own: no line of the program throws it
//! // error: text            the front end refuses this line, or the one above
//! ```
//!
//! The top level of the entry module runs first, then its function `main` if it has one, then,
//! as a call of its own that must return, `again` if it has that. A
//! program of several modules is a folder with a `main.crux`; its other modules are read in
//! the order of their paths, which must be that of their initialisation where they print.

pub(crate) mod case;
pub(crate) mod judge;
pub(crate) mod machine;
pub(crate) mod rules;
