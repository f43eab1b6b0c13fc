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
        for spot in message.spans.iter().filter(|spot| spot.is_primary) {
            let Some(text) = spot.text.first() else {
                continue;
            };
            match before(&text.text, spot.column_start) {
                Some(number) if number <= known => {
                    refused.insert(number);
                }
                _ => eprintln!(
                    "mutants: no mutant on {}:{}",
                    spot.file_name, spot.line_start
                ),
            }
        }
    }
    for number in refused {
        println!("{number}");
    }
    Ok(())
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
