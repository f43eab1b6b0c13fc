//! Counters as they are in `summary.json`: each under its key, groups as objects.

use std::collections::BTreeMap;

use gcrucible_trace::{Counter, Counters};
use serde::de::IgnoredAny;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes those that have a key, in the order of their table.
pub(super) fn serialize<S: Serializer>(
    counters: &Counters,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let rows: Vec<_> = Counters::ALL.iter().filter_map(of_row).collect();
    let mut map = serializer.serialize_map(None)?;
    for rows in rows.chunk_by(|one, next| one.group.is_some() && one.group == next.group) {
        match rows {
            [
                Row {
                    group: None,
                    key,
                    row,
                },
            ] => map.serialize_entry(key, &(row.get)(counters))?,
            _ => map.serialize_entry(&rows[0].group, &Group { counters, rows })?,
        }
    }
    if counters.own.iter().next().is_some() {
        map.serialize_entry(OWN, &counters.own.iter().collect::<BTreeMap<_, _>>())?;
    }
    map.end()
}

/// Reads them; what is missing is zero, and what is no counter is left out.
///
/// # Errors
/// What the file's reader says.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Counters, D::Error> {
    let read = BTreeMap::<String, Count>::deserialize(deserializer)?;
    let mut counters = Counters::default();
    for Row { group, key, row } in Counters::ALL.iter().filter_map(of_row) {
        let found = match group {
            None => read.get(key),
            Some(group) => match read.get(group) {
                Some(Count::Group(group)) => group.get(key),
                _ => None,
            },
        };
        if let Some(&Count::One(count)) = found {
            *(row.get_mut)(&mut counters) = count;
        }
    }
    if let Some(Count::Group(own)) = read.get(OWN) {
        for (name, count) in own {
            if let Count::One(count) = count {
                counters.own.add(name.clone(), *count);
            }
        }
    }
    Ok(counters)
}

/// The group of the counts that have no row.
const OWN: &str = "own";

/// A counter that has a key.
struct Row {
    group: Option<&'static str>,
    key: &'static str,
    row: &'static Counter,
}

fn of_row(row: &'static Counter) -> Option<Row> {
    let json = row.json?;
    Some(match json.split_once('.') {
        None => Row {
            group: None,
            key: json,
            row,
        },
        Some((group, key)) => Row {
            group: Some(group),
            key,
            row,
        },
    })
}

/// The counters of one group.
struct Group<'a> {
    counters: &'a Counters,
    rows: &'a [Row],
}

impl Serialize for Group<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = self.rows.iter();
        serializer.collect_map(rows.map(|row| (row.key, (row.row.get)(self.counters))))
    }
}

/// A value of a lane in `summary.json`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Count {
    One(u64),
    Group(BTreeMap<String, Count>),
    Other(IgnoredAny),
}

#[cfg(test)]
mod tests {
    use super::super::LaneSummary;
    use super::*;

    #[test]
    fn counters_are_under_their_keys_and_read_again() {
        let mut lane = LaneSummary::default();
        for (at, counter) in (1..).zip(Counters::ALL.iter().filter(|row| row.json.is_some())) {
            *(counter.get_mut)(&mut lane.counters) = at;
        }
        lane.counters.own.add("cards_marked", 99);
        let text = serde_json::to_string(&lane).unwrap();
        assert!(
            text.starts_with(r#"{"scenarios":1,"operations":2,"statements":3,"#),
            "{text}"
        );
        assert!(
            text.contains(
                r#","safepoints":6,"collections":{"minor":7,"major":8},"objects_moved":9,"#
            ),
            "{text}"
        );
        assert!(text.contains(r#","own":{"cards_marked":99}"#), "{text}");
        assert_eq!(serde_json::from_str::<LaneSummary>(&text).unwrap(), lane);
    }

    #[test]
    fn a_counter_without_a_key_is_not_written() {
        let mut lane = LaneSummary::default();
        lane.counters.invalid = 77;
        let text = serde_json::to_string(&lane).unwrap();
        assert!(!text.contains("77") && !text.contains("invalid"), "{text}");
    }
}
