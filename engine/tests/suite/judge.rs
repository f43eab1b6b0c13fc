//! Compares what a program did with what it says.

use super::case::{Expected, Place};
use super::machine::{End, Outcome};

/// Every difference, for people; empty if there is none.
pub(crate) fn differences(expected: &Expected, outcome: &Outcome) -> Vec<String> {
    let mut found = Vec::new();
    let refused: &[(Place, String)] = match &outcome.end {
        End::Refused(errors) => errors,
        _ => &[],
    };
    for (place, message) in &expected.errors {
        if !refused.contains(&(place.clone(), message.clone())) {
            found.push(format!("  - {place}: error: {message}"));
        }
    }
    for (place, message) in refused {
        if !expected.errors.contains(&(place.clone(), message.clone())) {
            found.push(format!("  + {place}: error: {message}"));
        }
    }
    if refused.len() != expected.errors.len() && found.is_empty() {
        let (is, should) = (refused.len(), expected.errors.len());
        found.push(format!("  {is} errors, expected {should}"));
    }
    compare_printed(expected, outcome, &mut found);
    compare_ends(expected, &outcome.end, &mut found);
    let violations = outcome.violations.iter();
    found.extend(violations.map(|violation| format!("  ! {violation}")));
    found
}

fn compare_printed(expected: &Expected, outcome: &Outcome, found: &mut Vec<String>) {
    let count = expected.printed.len().max(outcome.printed.len());
    for index in 0..count {
        let should = expected.printed.get(index);
        let is = outcome.printed.get(index);
        let text = should.map(|line| (line.text.as_str(), line.is_late));
        if text == is.map(|(text, is_late)| (text.as_str(), *is_late)) {
            continue;
        }
        if let Some(line) = should {
            let when = if line.is_late { " after the end" } else { "" };
            found.push(format!("  - {}: {}{when}", line.at, line.text));
        }
        if let Some((text, is_late)) = is {
            let when = if *is_late { " after the end" } else { "" };
            found.push(format!("  + {text}{when}"));
        }
    }
}

fn compare_ends(expected: &Expected, end: &End, found: &mut Vec<String>) {
    match (end, &expected.uncaught) {
        (End::Refused(_), _) => {}
        (End::Returned(_), None) => {}
        (End::Threw { text, at, .. }, Some((should, place))) if (text, at) == (should, place) => {}
        (end, should) => {
            if let Some((text, place)) = should {
                let at = place
                    .as_ref()
                    .map_or("nowhere".to_owned(), Place::to_string);
                found.push(format!("  - uncaught: {text} (thrown at {at})"));
            }
            found.push(format!("  + {end}"));
        }
    }
    match (end, &expected.returned) {
        (_, None) => {}
        (End::Returned(text), Some(should)) if text == should => {}
        (end, Some(should)) => {
            found.push(format!("  - returned: {should}"));
            found.push(format!("  + {end}"));
        }
    }
}
