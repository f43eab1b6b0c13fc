//! Which mutants the compiler refuses.

use std::collections::BTreeSet;
use std::io::BufRead as _;

use serde::Deserialize;

use super::draw;

#[derive(Deserialize)]
struct Line {
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Message {
    level: String,
    spans: Vec<Spot>,
}

#[derive(Deserialize)]
struct Spot {
    file_name: String,
    is_primary: bool,
    line_start: usize,
    column_start: usize,
    text: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

/// Prints the numbers of the mutants that the errors on stdin are about: those on the line of the error, the one right before the
/// place if there are several.
pub(crate) fn unviable(drawn: &str) -> Result<(), String> {
    let known = draw::read(drawn)?.len();
    let mut refused = BTreeSet::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let Ok(Line {
            message: Some(message),
        }) = serde_json::from_str(&line)
        else {
            continue;
        };
        if message.level != "error" {
            continue;
        }
        // Where the type of a body is that of its first `return`, the error is about what follows.
        let (primary, other): (Vec<_>, Vec<_>) =
            message.spans.iter().partition(|spot| spot.is_primary);
        let found = [primary, other].into_iter().find_map(|spots| {
            let numbers: Vec<usize> = spots.into_iter().filter_map(Spot::mutant).collect();
            (!numbers.is_empty()).then_some(numbers)
        });
        match (found, message.spans.first()) {
            (Some(numbers), _) => {
                refused.extend(numbers.into_iter().filter(|number| *number <= known));
            }
            (None, Some(spot)) => eprintln!(
                "mutants: no mutant on {}:{}",
                spot.file_name, spot.line_start
            ),
            (None, None) => {}
        }
    }
    for number in refused {
        println!("{number}");
    }
    Ok(())
}

impl Spot {
    /// The number of the mutant on its first line.
    fn mutant(&self) -> Option<usize> {
        let text = self.text.first()?;
        before(&text.text, self.column_start)
    }
}

/// The last number of a mutant before a column, or the first on the line.
fn before(line: &str, column: usize) -> Option<usize> {
    let mut last = None;
    for (at, word) in line.match_indices("is_mutant(") {
        let digits = &line[at + word.len()..];
        let end = digits.find(')')?;
        let number = digits[..end].parse().ok();
        if at >= column && last.is_some() {
            break;
        }
        last = number;
    }
    last
}
