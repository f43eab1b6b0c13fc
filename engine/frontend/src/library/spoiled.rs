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

static SPOILED: [Spoiled; 18] = [
    // The turn is counted before anybody looks: the chosen client sees the cancellation.
    Spoiled::new(
        Bug::B65,
        "clients",
        &[(
            "  __check_wait()\n  return __attempt",
            "  if !(client is Client.RoundRobin) { __check_wait() }\n  return __attempt",
        )],
    ),
    Spoiled::new(
        Bug::B86,
        "lifecycle",
        &[
            (
                "  locals.remove(\"on_finish\")",
                "  locals.remove(\"on_finish\")\n  let returned = value",
            ),
            (
                "hook(value, still_unsettled) }\n  return value",
                "hook(value, still_unsettled) }\n  return returned",
            ),
        ],
    ),
    // Whatever comes out of an attempt, the next one follows at once.
    Spoiled::new(
        Bug::B66,
        "clients",
        &[(
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
    ),
    // That a deadline is over is for the service to find out.
    Spoiled::new(
        Bug::B176,
        "clients",
        &[(
            "  __check_wait()\n  return __attempt",
            "  if cancellation_requested() { sleep(0) }\n  return __attempt",
        )],
    ),
    Spoiled::new(
        Bug::B228a,
        "array",
        &[(
            "keys[from[right]] < keys[from[left]] {",
            "!(keys[from[left]] < keys[from[right]]) {",
        )],
    ),
    Spoiled::new(
        Bug::B228b,
        "array",
        &[("while width < count {", "while width * 2 <= count {")],
    ),
    Spoiled::new(
        Bug::B229a,
        "string",
        &[(
            "fill.repeat(missing / count) + fill.slice(0, end)",
            "fill.slice(0, end) + fill.repeat(missing / count)",
        )],
    ),
    Spoiled::new(
        Bug::B229b,
        "string",
        &[("self == \"\" || self.ends_with", "self.ends_with")],
    ),
    Spoiled::new(
        Bug::B231a,
        "map",
        &[(
            "for k in other { out[k] = other[k] }",
            "for k in other { if !out.has(k) { out[k] = other[k] } }",
        )],
    ),
    Spoiled::new(Bug::B231b, "map", &[("if f(k, v) {", "if f(v, k) {")]),
    Spoiled::new(
        Bug::B232,
        "json",
        &[("c < \" \" || c == \"\\\"\" ||", "c == \"\\\"\" ||")],
    ),
    // The element behind the last one is taken from the source, and thrown away.
    Spoiled::new(
        Bug::B233,
        "stream",
        &[(
            "    if left <= 0 { return nil }
    left -= 1
    return self.next()",
            "    let value = self.next()
    left -= 1
    if left < 0 { return nil }
    return value",
        )],
    ),
    Spoiled::new(
        Bug::B234,
        "schedule",
        &[("if passed % every > 0 { due += 1 }", "due += 1")],
    ),
    Spoiled::new(
        Bug::B235,
        "clients",
        &[("in 0..list.len() - 1 {", "in 0..list.len() {")],
    ),
    Spoiled::new(
        Bug::B236,
        "lifecycle",
        &[(
            "    if !handler[1] { handlers.remove(at) }
    at -= 1
    handler[0]()",
            "    handler[0]()
    if !handler[1] { handlers.remove(at) }
    at -= 1",
        )],
    ),
    Spoiled::new(
        Bug::B237,
        "lifecycle",
        &[("  if unsettled > 0 {", "  if sys.unsettled() > 0 {")],
    ),
    Spoiled::new(
        Bug::B238a,
        "array",
        &[(
            "slice(0, math.clamp(count, 0, self.len()))",
            "slice(0, math.min(count, self.len()))",
        )],
    ),
    Spoiled::new(
        Bug::B238b,
        "array",
        &[("if greatest < x || x != x {", "if greatest < x {")],
    ),
];

/// The library as the bug that is on makes it, if that is one of these.
pub(super) fn library() -> Option<&'static Library> {
    let spoiled = SPOILED.iter().find(|one| seeded_bugs::is_on(one.bug))?;
    seeded_bugs::note_triggered(spoiled.bug);
    Some(spoiled.library.get_or_init(|| spoiled.compile()))
}

impl Spoiled {
    const fn new(
        bug: Bug,
        name: &'static str,
        lines: &'static [(&'static str, &'static str)],
    ) -> Self {
        Spoiled {
            bug,
            name,
            lines,
            library: OnceLock::new(),
        }
    }

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
