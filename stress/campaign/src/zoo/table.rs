//! The zoo as a table for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::ORACLES;
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
        let without = match *name {
            ORACLES => record.without_its_oracles(),
            name => record.without.get(name),
        };
        let cell = without.map_or("-".to_owned(), |without| {
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
    out.push_str(&oracles(records));
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

/// What each oracle that was silenced is worth.
fn oracles(records: &[ZooRecord]) -> String {
    let mut worth: BTreeMap<&str, (usize, Vec<&str>)> = BTreeMap::new();
    for record in records {
        for oracle in record.oracles.keys() {
            if let Some(without) = record.without.get(oracle) {
                let (first, missed) = worth.entry(oracle).or_default();
                *first += 1;
                if !without.found {
                    missed.push(&record.bug);
                }
            }
        }
    }
    let mut out = String::new();
    for (oracle, (first, missed)) in worth {
        let list = match missed.as_slice() {
            [] => String::new(),
            list => format!(": {}", list.join(" ")),
        };
        let _ = writeln!(
            out,
            "{oracle}: first to see {first} bugs; without it others miss {}{list}",
            missed.len()
        );
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
    use crate::zoo::record::Without;

    fn record(bug: &str, oracles: &[&str], missed: &[&str]) -> ZooRecord {
        let text = format!(
            r#"{{"bug":"{bug}","found":true,"seeds":2,"found_seeds":2,"scenarios_median":1,"scenarios_p90":1,
                "seconds_median":0,"reached":1,"triggered":1,"detected":2,"without":{{}},"stream_hash":""}}"#
        );
        let mut record: ZooRecord = serde_json::from_str(&text).unwrap();
        for oracle in oracles {
            let found = !missed.contains(oracle);
            let without = Without {
                found,
                seeds: if found { 2 } else { 1 },
                seconds_median: 0.5,
            };
            record.oracles.insert((*oracle).to_owned(), 1);
            record.without.insert((*oracle).to_owned(), without);
        }
        record
    }

    #[test]
    fn an_oracle_is_worth_what_others_miss_without_it() {
        let records = [
            record("B-01", &["heap", "model"], &["model"]),
            record("B-02", &["model"], &[]),
            record("B-03", &["model"], &["model"]),
        ];
        let expected = "heap: first to see 1 bugs; without it others miss 0\n\
                        model: first to see 3 bugs; without it others miss 2: B-01 B-03\n";
        assert_eq!(oracles(&records), expected);
        assert!(row(&records[0], &[ORACLES]).ends_with(" 1/2 0.50"));
        assert!(row(&records[1], &[ORACLES]).ends_with(" 2/2 0.50"));
        assert!(row(&record("B-04", &[], &[]), &[ORACLES]).ends_with(" -"));
    }

    #[test]
    fn ids_are_odd_by_their_number() {
        assert!(is_odd("B-03"));
        assert!(is_odd("B-105a"));
        assert!(!is_odd("B-04a"));
    }
}
