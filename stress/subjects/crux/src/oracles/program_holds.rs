//! `program_holds`: a person's own program ends without an uncaught error, whatever the
//! schedule and the collections.
//!
//! This is about the program, not about the engine: its asserts are the checks. Generated
//! programs throw as they like and are not judged by it. An engine that is broken makes
//! programs fail, too, so all other oracles come first.

use gcrucible_bytecode::{Constant, ErrorKind, Op, Program, SourceSpan};

use crate::executor::graph::{GraphDump, GraphNode, GraphValue};
use crate::executor::trace::{Callee, Event, Outcome};
use gcrucible_trace::Failure;

use super::{Evidence, Notes, Oracle};

/// Name of the oracle.
pub const NAME: &str = "program_holds";

/// Checks a trace of `program`. Without collections (`collects` is false) a program that
/// runs out of memory is not to blame.
///
/// # Errors
/// The first call that ended with an uncaught error, or one that waits for ever.
pub fn check(program: &Program, events: &[Event], collects: bool) -> Result<(), Failure> {
    let mut open = Vec::new();
    for event in events {
        match event {
            Event::CallStarted { call, callee, .. } => {
                open.push((*call, callee_name(program, callee)))
            }
            Event::CallEnded { call, outcome, .. } => {
                let at = open.iter().position(|(id, _)| id == call);
                let name = at.map_or_else(|| "a call".to_owned(), |at| open.remove(at).1);
                if let Outcome::Threw(thrown) = outcome {
                    judge(program, &name, thrown, collects)?;
                }
            }
            Event::Quiescent { waiting, blocked } => {
                if let Some((_, name)) = open.first() {
                    return Err(waits(name, waiting, blocked));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The function that a call runs.
fn callee_name(program: &Program, callee: &Callee) -> String {
    match callee {
        Callee::ModuleInit => "the top level".to_owned(),
        Callee::Finalizer { .. } => "a finalizer".to_owned(),
        Callee::Export { global, .. } => {
            let global = program.globals.get(usize::from(*global));
            global.map_or_else(|| "a call".to_owned(), |global| global.name.clone())
        }
    }
}

fn judge(program: &Program, name: &str, thrown: &GraphDump, collects: bool) -> Result<(), Failure> {
    let kind = error_kind(thrown);
    if kind == Some(ErrorKind::OutOfMemory) && !collects {
        return Ok(());
    }
    let asserted = thrown_text(thrown).and_then(|text| assertion(program, text));
    let (site, at) = match asserted {
        Some((function, span)) => {
            let site = format!("{function}, line {}", span.line);
            (site, format!(", asserted in line {}", span.line))
        }
        None => (name.to_owned(), String::new()),
    };
    Err(Failure {
        oracle: NAME.into(),
        check: kind.map_or("thrown value", ErrorKind::name).into(),
        site,
        message: format!("{name} ended with {}{at}", thrown.error_text()),
    })
}

fn waits(name: &str, waiting: &[(u32, u64)], blocked: &[(u32, u64)]) -> Failure {
    let waiting = waiting
        .iter()
        .map(|(task, future)| format!("task {task} for future {future}"));
    let blocked = blocked
        .iter()
        .map(|(task, object)| format!("task {task} for channel or mutex {object}"));
    let tasks: Vec<String> = waiting.chain(blocked).collect();
    Failure {
        oracle: NAME.into(),
        check: "waits for ever".into(),
        site: name.to_owned(),
        message: format!(
            "{name} does not end, and nothing is left to do: {}",
            tasks.join(", ")
        ),
    }
}

fn error_kind(thrown: &GraphDump) -> Option<ErrorKind> {
    match thrown.root_node()? {
        GraphNode::Error(kind, ..) => ErrorKind::from_number(*kind),
        _ => None,
    }
}

/// The message given to the assertion that failed.
fn thrown_text(thrown: &GraphDump) -> Option<&str> {
    match thrown.root_node()? {
        GraphNode::Error(kind, _, GraphValue::String(text))
            if *kind == ErrorKind::AssertionFailed as u8 =>
        {
            Some(text)
        }
        _ => None,
    }
}

/// Function and place of the assertion with this message: where the program loads that
/// text, if that is one place only. An error does not say where it was thrown.
fn assertion<'p>(program: &'p Program, text: &str) -> Option<(&'p str, SourceSpan)> {
    let is_text = |constant: &Constant| matches!(constant, Constant::String(s) if s == text);
    let wanted = program.constants.iter().position(is_text)?;
    let mut places = program.functions.iter().flat_map(|function| {
        let loads = move |op: &Op| matches!(op, Op::LoadConst { constant, .. } if usize::from(*constant) == wanted);
        let spans = function.code.iter().zip(&function.spans);
        spans.filter(move |(op, _)| loads(op)).map(|(_, span)| (function.name.as_str(), *span))
    });
    let place = places.next()?;
    places.next().is_none().then_some(place)
}

/// The oracle.
pub struct ProgramHolds;

impl Oracle for ProgramHolds {
    fn name(&self) -> &'static str {
        "program_holds"
    }

    fn claim(&self) -> &'static str {
        "a person's own program ends without an uncaught error (--program)"
    }

    fn judge(&self, evidence: &Evidence<'_>, _notes: &mut Notes) -> Result<(), Failure> {
        match evidence.is_own {
            true => check(evidence.program, evidence.events, evidence.collects),
            false => Ok(()),
        }
    }

    fn blames_program(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use gcrucible_frontend::Source;

    use super::*;

    const TEXT: &str = "fn main() {\n  assert(true, \"first\")\n  assert(false, \"second\")\n}";

    fn program(text: &str) -> Program {
        let source = Source {
            path: "main.crux".to_owned(),
            text: text.to_owned(),
        };
        let program = gcrucible_frontend::compile(&source);
        program.expect("the program of the test").into_inner()
    }

    fn call(program: &Program, outcome: Option<Outcome>) -> Vec<Event> {
        let global = program.entry_export("main").expect("main");
        let callee = Callee::Export {
            global,
            args: Vec::new(),
        };
        let mut events = vec![Event::CallStarted {
            call: 0,
            task: 2,
            callee,
            realm: 0,
            seed: 0,
        }];
        match outcome {
            Some(outcome) => {
                events.push(Event::CallEnded {
                    call: 0,
                    task: 2,
                    outcome,
                    is_cancelled: false,
                });
                events.push(Event::Quiescent {
                    waiting: Vec::new(),
                    blocked: Vec::new(),
                });
            }
            None => events.push(Event::Quiescent {
                waiting: vec![(2, 7)],
                blocked: Vec::new(),
            }),
        }
        events
    }

    fn error(kind: ErrorKind, payload: &str) -> Outcome {
        let payload = GraphValue::String(payload.to_owned());
        let message = GraphValue::String(kind.message().to_owned());
        let nodes = vec![GraphNode::Error(kind as u8, message, payload)];
        Outcome::Threw(GraphDump {
            root: GraphValue::Node(0),
            nodes,
        })
    }

    #[test]
    fn a_failed_assertion_is_found_with_its_line() {
        let program = program(TEXT);
        let events = call(&program, Some(error(ErrorKind::AssertionFailed, "second")));
        let failure = check(&program, &events, true).unwrap_err();
        assert_eq!(
            (failure.check.as_str(), failure.site.as_str()),
            ("AssertionFailed", "main, line 3")
        );
        assert!(failure.message.contains("second"), "{}", failure.message);
    }

    #[test]
    fn a_message_that_is_made_at_run_time_leaves_the_name_of_the_call() {
        let program = program(TEXT);
        let events = call(&program, Some(error(ErrorKind::AssertionFailed, "third")));
        assert_eq!(check(&program, &events, true).unwrap_err().site, "main");
    }

    #[test]
    fn any_thrown_value_fails_but_a_return_or_a_cancellation_does_not() {
        let program = program(TEXT);
        let value = GraphDump {
            root: GraphValue::Int(5),
            nodes: Vec::new(),
        };
        let thrown = call(&program, Some(Outcome::Threw(value.clone())));
        assert_eq!(
            check(&program, &thrown, true).unwrap_err().check,
            "thrown value"
        );
        for outcome in [Outcome::Returned(value), Outcome::Cancelled] {
            assert_eq!(
                check(&program, &call(&program, Some(outcome)), true),
                Ok(())
            );
        }
    }

    #[test]
    fn a_call_that_waits_for_ever_fails() {
        let program = program(TEXT);
        let failure = check(&program, &call(&program, None), true).unwrap_err();
        assert_eq!(failure.check, "waits for ever");
        assert!(
            failure.message.contains("task 2 for future 7"),
            "{}",
            failure.message
        );
    }

    #[test]
    fn without_collections_memory_may_run_out() {
        let program = program(TEXT);
        let events = call(&program, Some(error(ErrorKind::OutOfMemory, "")));
        assert_eq!(check(&program, &events, false), Ok(()));
        assert_eq!(
            check(&program, &events, true).unwrap_err().check,
            "OutOfMemory"
        );
    }
}
