//! What must hold of the text of a scenario.

use gcrucible_crux_subjects::scenario::Scenario;
use gcrucible_scenario::ScenarioData as _;

/// Reads a text. What is no scenario is refused in words; the text of what is one gives the same
/// one again.
///
/// # Panics
/// When one of these does not hold.
pub(crate) fn read(text: &str) -> Option<Scenario> {
    match Scenario::from_text(text) {
        Ok(scenario) => {
            let again = Scenario::from_text(&scenario.to_text());
            let again = again.unwrap_or_else(|error| panic!("its own text is refused: {error}"));
            assert!(again == scenario, "its own text is that of another");
            Some(scenario)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty(), "refused without a word");
            None
        }
    }
}
