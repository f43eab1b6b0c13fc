//! `entry_slot_is_protected_once`: the entry slot protects its promise exactly once, and nothing
//! when it is empty (I-21); so the protected counts by kind are what they were after any number
//! of reloads (I-22).
//!
//! It knows nothing of versions: a top level that begins fills the slot, test isolation empties
//! it, and who waits for a preload has a protect of its own.

use std::collections::BTreeMap;

use crate::executor::trace::{Asked, Callee, Event};
use gcrucible_heap::Kind;
use gcrucible_trace::Failure;

use super::{Evidence, Notes, Oracle};

/// What the engine protects by itself at a point of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protects {
    is_slot_full: bool,
    /// A preload was asked for and has not begun.
    is_preload_asked: bool,
    is_preload_open: bool,
}

impl Protects {
    /// Goes on by one event.
    fn note(&mut self, event: &Event) {
        match event {
            Event::CallStarted {
                callee: Callee::ModuleInit,
                ..
            } => {
                self.is_slot_full = true;
                self.is_preload_open |= std::mem::take(&mut self.is_preload_asked);
            }
            Event::Asked { asked } => {
                self.is_preload_asked = matches!(asked, Asked::Preload { .. });
                match asked {
                    Asked::Unchanged => self.is_slot_full = true,
                    Asked::Isolate => self.is_slot_full = false,
                    _ => {}
                }
            }
            Event::PreloadFinished { .. } => self.is_preload_open = false,
            _ => {}
        }
    }

    /// Promises that are protected.
    pub fn count(self) -> u64 {
        u64::from(self.is_slot_full) + u64::from(self.is_preload_open)
    }
}

/// Checks the counts that were taken in a trace. Gives what is protected at its end.
///
/// # Errors
/// The first count that differs.
pub fn check(events: &[Event]) -> Result<Protects, Failure> {
    let mut protects = Protects::default();
    for event in events {
        protects.note(event);
        let Event::Protected { all, of_host } = event else {
            continue;
        };
        let mut expected: BTreeMap<&str, u64> = of_host
            .iter()
            .map(|(kind, count)| (kind.as_str(), *count))
            .collect();
        if protects.count() > 0 {
            *expected.entry("future").or_default() += protects.count();
        }
        let found: BTreeMap<&str, u64> = all
            .iter()
            .map(|(kind, count)| (kind.as_str(), *count))
            .collect();
        if found != expected {
            return Err(Failure {
                oracle: "entry_slot_is_protected_once".into(),
                check: "I-21".into(),
                site: "entry slot".into(),
                message: format!("protected {found:?}, and it should be {expected:?}"),
            });
        }
    }
    Ok(protects)
}

/// The oracle.
pub struct EntrySlotIsProtectedOnce;

impl Oracle for EntrySlotIsProtectedOnce {
    fn name(&self) -> &'static str {
        "entry_slot_is_protected_once"
    }

    fn claim(&self) -> &'static str {
        "protected objects by kind are what the entry slot, preloads and the host hold"
    }

    fn judge(&self, evidence: &Evidence<'_>, _notes: &mut Notes) -> Result<(), Failure> {
        let protects = check(evidence.events)?;
        let mut expected = evidence.held_by_host.clone();
        if protects.count() > 0 {
            *expected.entry(Kind::Future.name()).or_default() += protects.count();
        }
        super::nothing_leaks::protected(evidence.engine, &expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protected(futures: u64) -> Event {
        let all = match futures {
            0 => Vec::new(),
            _ => vec![("future".to_owned(), futures)],
        };
        Event::Protected {
            all,
            of_host: Vec::new(),
        }
    }

    fn begun() -> Event {
        Event::CallStarted {
            call: u32::MAX,
            task: 1,
            callee: Callee::ModuleInit,
            realm: 0,
            seed: 0,
        }
    }

    #[test]
    fn each_store_leaves_one_protect_or_none() {
        let asked = |asked| Event::Asked { asked };
        let events = [
            begun(),
            protected(1),
            asked(Asked::Unchanged),
            protected(1),
            begun(),
            protected(1),
            asked(Asked::Isolate),
            protected(0),
            asked(Asked::Preload { program: 0 }),
            begun(),
            protected(2),
            // A fork protects nothing.
            Event::Forked {
                template: 0,
                fork: 2,
                refused: None,
            },
            protected(2),
            Event::PreloadFinished { failure: None },
            protected(1),
        ];
        assert_eq!(check(&events).map(Protects::count), Ok(1));
        for at in 0..events.len() {
            let mut events = events.clone();
            if let Event::Protected { all, .. } = &mut events[at] {
                all.push(("string".to_owned(), 1));
                assert!(check(&events).is_err());
            }
        }
    }
}
