//! A run as columns: one for the host, one for each task, collections across.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gcrucible_trace::Site;

/// The actor number of the collector in a timeline; the virtual clock is
/// [`Site::TIMERS`], which never says anything of its own.
pub const COLLECTOR: u32 = u32::MAX;

/// Width of all columns together; each gets an equal part, up to [`WIDTH_MAX`].
const WIDTH_TOTAL: usize = 150;

/// Widest column of text.
const WIDTH_MAX: usize = 34;

/// Actors side by side at most; the others share the last column, by name.
const COLUMNS_MAX: usize = 6;

/// The lines of a timeline, in columns. Each row has its number; the collector's lines go
/// across.
pub fn render(lines: &[(u32, String)]) -> String {
    let columns = assign_columns(lines);
    let count = columns.values().map(|column| column + 1).max().unwrap_or(0);
    let width = (WIDTH_TOTAL / count.max(1) - "│  ".chars().count()).min(WIDTH_MAX);
    let mut out = String::new();
    let mut header = vec![String::new(); count];
    for (&actor, &column) in &columns {
        let name = actor_name(actor);
        if header[column].is_empty() {
            header[column] = name;
        } else if !header[column].ends_with('…') {
            header[column].push_str(", …");
        }
    }
    write_row(&mut out, "", &header, width);
    for (number, (actor, text)) in lines.iter().enumerate() {
        let number = number + 1;
        if *actor == COLLECTOR {
            let _ = writeln!(out, "{number:>5} ═══ {text} ═══");
            continue;
        }
        let column = columns.get(actor).copied().unwrap_or(0);
        let is_shared = columns.values().filter(|other| **other == column).count() > 1;
        let text = if is_shared {
            format!("{}: {text}", actor_name(*actor))
        } else {
            text.clone()
        };
        for (at, part) in wrap(&text, width).iter().enumerate() {
            let mut cells = vec![String::new(); count];
            cells[column].clone_from(part);
            let label = if at == 0 {
                number.to_string()
            } else {
                String::new()
            };
            write_row(&mut out, &label, &cells, width);
        }
    }
    out
}

/// The name of an actor in reports.
pub fn actor_name(actor: u32) -> String {
    match actor {
        Site::HOST => "host".to_owned(),
        COLLECTOR => "collector".to_owned(),
        task => format!("task {task}"),
    }
}

fn assign_columns(lines: &[(u32, String)]) -> BTreeMap<u32, usize> {
    let mut columns = BTreeMap::new();
    for (actor, _) in lines {
        if *actor != COLLECTOR {
            columns.entry(*actor).or_insert(0);
        }
    }
    for (at, column) in columns.values_mut().enumerate() {
        *column = at.min(COLUMNS_MAX - 1);
    }
    columns
}

fn write_row(out: &mut String, label: &str, cells: &[String], width: usize) {
    let mut row = format!("{label:>5} ");
    for cell in cells {
        let _ = write!(row, "│ {cell:<width$} ");
    }
    out.push_str(row.trim_end());
    out.push('\n');
}

/// Breaks a text into parts of at most `width` characters, at spaces where there are some.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        if !line.is_empty() && line.chars().count() + 1 + word.len() > width {
            parts.push(std::mem::take(&mut line));
        }
        while word.len() > width {
            parts.push(word.drain(..width).collect());
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word);
    }
    if !line.is_empty() || parts.is_empty() {
        parts.push(line);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(list: &[(u32, &str)]) -> Vec<(u32, String)> {
        list.iter()
            .map(|(actor, text)| (*actor, (*text).to_owned()))
            .collect()
    }

    #[test]
    fn each_actor_has_a_column_and_collections_go_across() {
        let text = render(&lines(&[
            (0, "call main"),
            (COLLECTOR, "minor"),
            (1, "runs 3"),
        ]));
        let rows: Vec<&str> = text.lines().collect();
        assert!(rows[0].contains("│ host") && rows[0].contains("│ task 1"));
        assert!(rows[1].starts_with("    1 │ call main"));
        assert_eq!(rows[2], "    2 ═══ minor ═══");
        let column = |row: &str, text: &str| row.find(text).map(|at| row[..at].chars().count());
        assert_eq!(column(rows[3], "runs 3"), column(rows[0], "task 1"));
    }

    #[test]
    fn long_lines_are_wrapped_and_many_actors_share_a_column() {
        let text = render(&lines(&[
            (1, &"word ".repeat(20)),
            (9, "x"),
            (3, "y"),
            (4, "z"),
            (5, "w"),
            (6, "v"),
            (7, "u"),
        ]));
        assert!(
            text.lines()
                .all(|line| line.chars().count() <= 6 + WIDTH_TOTAL)
        );
        assert!(text.contains("task 9: x"));
        assert!(text.contains("task 7: u"));
        assert!(!text.contains("task 6: v"));
    }
}
