//! What seeded bugs make of the library's sources.

use std::sync::OnceLock;

use gcrucible_platform::seeded_bugs::{self, Bug};

use super::{Library, SOURCES, compile_sources};

/// A bug that is made in a source of the library.
struct Spoiled {
    bug: Bug,
    /// Which source.
    name: &'static str,
    /// Lines of it, and what becomes of them.
    lines: &'static [(&'static str, &'static str)],
    library: OnceLock<Library>,
}

static SPOILED: [Spoiled; 3] = [
    // The turn is counted before anybody looks: the chosen client sees the cancellation.
    Spoiled {
        bug: Bug::B65,
        name: "clients",
        lines: &[(
            "  __check_wait()\n  return __attempt",
            "  if !(client is Client.RoundRobin) { __check_wait() }\n  return __attempt",
        )],
        library: OnceLock::new(),
    },
    // Whatever comes out of an attempt, the next one follows at once.
    Spoiled {
        bug: Bug::B66,
        name: "clients",
        lines: &[(
            "    try {
      return clients.call(client, request)
    } catch e is Cancelled {
      throw e
    } catch {
      // The pause sees a cancellation, or the end of a deadline, before it begins and while it
      // lasts.
      sleep(pause)
    }",
            "    try {
      return __attempt(client, request)
    } catch {
      if !cancellation_requested() { sleep(pause) }
    }",
        )],
        library: OnceLock::new(),
    },
    // That a deadline is over is for the service to find out.
    Spoiled {
        bug: Bug::B176,
        name: "clients",
        lines: &[(
            "  __check_wait()\n  return __attempt",
            "  if cancellation_requested() { sleep(0) }\n  return __attempt",
        )],
        library: OnceLock::new(),
    },
];

/// The library as the bug that is on makes it, if that is one of these.
pub(super) fn library() -> Option<&'static Library> {
    let spoiled = SPOILED.iter().find(|one| seeded_bugs::is_on(one.bug))?;
    seeded_bugs::note_triggered(spoiled.bug);
    Some(spoiled.library.get_or_init(|| spoiled.compile()))
}

impl Spoiled {
    fn compile(&self) -> Library {
        let spoil = |&(name, text): &(&str, &str)| {
            let mut text = text.to_owned();
            if name == self.name {
                for (right, wrong) in self.lines {
                    assert_eq!(text.matches(right).count(), 1, "{name}.crux has changed");
                    text = text.replace(right, wrong);
                }
            }
            (name.to_owned(), text)
        };
        let sources: Vec<(String, String)> = SOURCES.iter().map(spoil).collect();
        let sources: Vec<(&str, &str)> = sources
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        match compile_sources(&sources) {
            Ok(library) => library,
            // Not with the lines above: a test compiles them.
            Err(errors) => panic!("the spoiled library does not compile:\n{errors}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spoiled_library_compiles_and_differs() {
        for spoiled in &SPOILED {
            let program = spoiled.compile().program;
            let right = &super::super::library().program;
            assert_ne!(program.functions, right.functions, "{}", spoiled.bug.id());
        }
    }
}
