//! A timeline as a Chrome trace, which `ui.perfetto.dev` and `chrome://tracing` open.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::timeline::{COLLECTOR, actor_name};

/// The trace as JSON. The simulated platform has no durations, so each line lasts one
/// microsecond, in the order of the run.
pub fn render(lines: &[(u32, String)]) -> String {
    let actors: BTreeSet<u32> = lines.iter().map(|(actor, _)| *actor).collect();
    let names = actors.iter().map(|&actor| {
        json!({
            "ph": "M", "name": "thread_name", "pid": 1, "tid": thread(actor),
            "args": { "name": actor_name(actor) },
        })
    });
    let events = lines.iter().enumerate().map(|(at, (actor, text))| {
        json!({
            "ph": "X", "name": text, "pid": 1, "tid": thread(*actor), "ts": at, "dur": 1,
            "cat": if *actor == COLLECTOR { "collection" } else { "slice" },
        })
    });
    let trace: Vec<Value> = names.chain(events).collect();
    let mut text = serde_json::to_string(&json!({ "traceEvents": trace })).unwrap_or_default();
    text.push('\n');
    text
}

/// Viewers sort threads by number: the collector comes first.
fn thread(actor: u32) -> u64 {
    if actor == COLLECTOR {
        0
    } else {
        u64::from(actor) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_an_event_on_its_actors_thread() {
        let lines = [(0, "call".to_owned()), (COLLECTOR, "minor".to_owned())];
        let trace: Value = serde_json::from_str(&render(&lines)).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        assert_eq!(events.len(), 4);
        assert_eq!(events[2]["tid"], 1);
        assert_eq!(events[3]["cat"], "collection");
        assert_eq!(events[3]["ts"], 1);
    }
}
