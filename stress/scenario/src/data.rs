//! What the stages of the harness ask of any scenario.

use std::path::Path;

use gcrucible_explore::Schedule;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::origin::Origin;
use super::text::{self, FormatError, ReadError};

/// A scenario: all that is needed to repeat a run. Same scenario, same binary, same trace.
pub trait ScenarioData:
    Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Where it came from; does not influence the run.
    fn origin(&self) -> &Origin;

    /// The same, to be changed.
    fn origin_mut(&mut self) -> &mut Origin;

    /// Who runs when.
    fn schedule(&self) -> &Schedule;

    /// The same, to be changed.
    fn schedule_mut(&mut self) -> &mut Schedule;

    /// A field whose value the types allow and the subject does not, and what is wrong with it.
    fn first_bad_value(&self) -> Option<(&'static str, String)> {
        None
    }

    /// The scenario as text, with a newline at its end.
    fn to_text(&self) -> String {
        text::to_text(self)
    }

    /// Reads what [`ScenarioData::to_text`] writes, and what people make of it.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place: a newer format version, an unknown
    /// field, a bad value, a text that ends too early.
    fn from_text(text: &str) -> Result<Self, FormatError> {
        text::from_text(text, Self::first_bad_value)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// `file:line:column: what is wrong`, or why the file cannot be read.
    fn read(path: &Path) -> Result<Self, ReadError> {
        let text = text::read(path)?;
        Self::from_text(&text).map_err(|error| error.in_file(path))
    }
}
