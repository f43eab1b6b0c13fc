//! The zoo as a table for people.

use std::fmt::Write as _;

use super::record::ZooRecord;

/// The table's first line.
pub fn header(without: &[&'static str]) -> String {
    let mut line = format!(
        "{:<7} {:<6} {:<20} {:<9} {:>9} {:>9} {:>8} {:>9} {:>9}  {:<14}",
        "bug",
        "found",
        "oracle",
        "lane",
        "scenarios",
        "p90",
        "seconds",
        "reached",
        "triggered",
        "size"
    );
    for name in without {
        let _ = write!(line, " {:>12}", format!("-{name}"));
    }
    line.trim_end().to_owned()
}

/// A bug's line.
pub fn row(record: &ZooRecord, without: &[&'static str]) -> String {
    let number = |value: Option<u64>| value.map_or("?".to_owned(), |value| value.to_string());
    let size = match record.statements_after {
        Some(after) => format!("{} → {after}", number(record.statements_before)),
        None => "-".to_owned(),
    };
    let mut line = format!(
        "{:<7} {:<6} {:<20} {:<9} {:>9} {:>9} {:>8.3} {:>9} {:>9}  {size:<14}",
        record.bug,
        format!("{}/{}", record.found_seeds, record.seeds),
        record.oracle.as_deref().unwrap_or("-"),
        record.lane.as_deref().unwrap_or("-"),
        record.scenarios_median,
        record.scenarios_p90,
        record.seconds_median,
        short(record.reached),
        short(record.triggered),
    );
    for name in without {
        let cell = record.without.get(*name).map_or("-".to_owned(), |without| {
            format!(
                "{}/{} {:.2}",
                without.seeds, record.seeds, without.seconds_median
            )
        });
        let _ = write!(line, " {cell:>12}");
    }
    line.trim_end().to_owned()
}

/// What the table as a whole says.
pub fn footer(records: &[ZooRecord]) -> String {
    let mut out = String::new();
    let found = records.iter().filter(|record| record.found).count();
    let _ = writeln!(out, "\n{found} of {} found by every seed", records.len());
    let medians = |odd: bool| {
        let mut list: Vec<u64> = records
            .iter()
            .filter(|record| is_odd(&record.bug) == odd)
            .map(|record| record.scenarios_median)
            .collect();
        list.sort_unstable();
        list.get(list.len() / 2).copied()
    };
    // Weights are tuned on the odd half; the even half shows whether that was fair.
    if let (Some(odd), Some(even)) = (medians(true), medians(false)) {
        let verdict = if even > 3 * odd.max(1) {
            "  TUNED TO THE ZOO"
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "median scenarios: odd ids {odd}, even ids {even}{verdict}"
        );
    }
    let hard = records
        .iter()
        .filter(|record| record.scenarios_median > 100)
        .count();
    let _ = writeln!(out, "{hard} need more than 100 scenarios at the median");
    let mut sizes: Vec<u64> = records
        .iter()
        .filter_map(|record| record.statements_after)
        .collect();
    sizes.sort_unstable();
    if let Some(median) = sizes.get(sizes.len() / 2) {
        let _ = writeln!(out, "median size after shrinking: {median} statements");
    }
    for record in records.iter().filter(|record| !record.found) {
        let why = match (record.reached, record.triggered) {
            (0, _) => "its line was never reached: the generator is weak here",
            (_, 0) => "reached, but it never made a difference: the scheduler is weak here",
            _ => "it made a difference that no oracle saw",
        };
        let _ = writeln!(out, "missed {}: {why}", record.bug);
    }
    out
}

/// Whether the number in a bug's id is odd.
fn is_odd(id: &str) -> bool {
    let digits: String = id.chars().filter(char::is_ascii_digit).collect();
    digits.parse::<u64>().unwrap_or(0) % 2 == 1
}

fn short(count: u64) -> String {
    match count {
        0..=99_999 => count.to_string(),
        100_000..=99_999_999 => format!("{}k", count / 1000),
        _ => format!("{}M", count / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_odd_by_their_number() {
        assert!(is_odd("B-03"));
        assert!(is_odd("B-105a"));
        assert!(!is_odd("B-04a"));
    }
}
