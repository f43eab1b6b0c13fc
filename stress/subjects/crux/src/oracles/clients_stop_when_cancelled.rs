//! `clients_stop_when_cancelled`: a client that is called in a cancelled task, or in one whose time
//! is over, attempts nothing and counts no turn (I-19, semantics.md B7).
//!
//! The library is part of the program, so the reference model does what it does, right or
//! wrong. This is what the library promises, seen while the model runs it.

use crate::executor::trace::TaskId;
use crate::reference::Broken;
use gcrucible_trace::Failure;

use super::Oracle;

/// Name of the oracle.
pub const NAME: &str = "clients_stop_when_cancelled";

/// Judges what the clients of a task did in a slice, which ended at `site`.
///
/// # Errors
/// When one did what it must not.
pub fn check(
    task: TaskId,
    broken: Option<Broken>,
    site: impl FnOnce() -> String,
) -> Result<(), Failure> {
    let (check, what) = match broken {
        None => return Ok(()),
        Some(Broken::Attempt) => ("attempt", "calls a service"),
        Some(Broken::Turn) => ("turn", "takes a turn"),
    };
    Err(Failure {
        oracle: NAME.into(),
        check: check.into(),
        site: site(),
        message: format!("task {task}: a client that is called when it must stop {what}"),
    })
}

/// The oracle.
pub struct ClientsStopWhenCancelled;

impl Oracle for ClientsStopWhenCancelled {
    fn name(&self) -> &'static str {
        "clients_stop_when_cancelled"
    }

    fn claim(&self) -> &'static str {
        "a client that is called in a cancelled task attempts nothing and counts no turn"
    }
}

#[cfg(test)]
mod tests {
    use gcrucible_bytecode::{Builtin, Op, Program};
    use gcrucible_frontend::{Source, compile};

    use super::*;
    use crate::oracles::matches_reference;
    use crate::reference::Limits;
    use crate::reference::self_driver::{DriveLimits, World, drive};
    use crate::scenario::HostEvent;
    use gcrucible_trace::choices::ByteChoices;

    const LIMITS: DriveLimits = DriveLimits {
        model: Limits {
            max_frames: 40,
            grace_ms: 5,
            has_library: true,
        },
        fuel: 50,
        decisions: 10_000,
    };

    /// A task that calls a client when it has been cancelled.
    fn cancelled(client: &str) -> Program {
        compiled(&format!(
            "fn child(client) {{
               try {{ sleep(100) }} catch {{ clients.call(client, 1) }}
             }}
             fn main() {{
               let f = spawn child({client})
               sleep(5)
               cancel(f)
             }}"
        ))
    }

    /// A task that calls a client when its time is over.
    fn late(client: &str) -> Program {
        compiled(&format!(
            "fn main() {{
               let client = {client}
               try {{
                 deadline 2ms {{
                   try {{ sleep(100) }} catch {{ clients.call(client, 1) }}
                 }}
               }} catch {{ }}
             }}"
        ))
    }

    fn compiled(text: &str) -> Program {
        let text = text.to_owned();
        let path = "main.crux".to_owned();
        let program = compile(&Source { path, text });
        program
            .unwrap_or_else(|errors| panic!("{errors}"))
            .into_inner()
    }

    /// The same, whose client does not look before it acts.
    fn without_look(mut program: Program) -> Program {
        let mut functions = program.functions.iter_mut();
        let call = functions.find(|function| function.name == "clients.call");
        let code = &mut call.expect("it calls one").code;
        let look = code.iter_mut().find_map(|op| match op {
            Op::CallBuiltin {
                base,
                builtin: Builtin::CheckWait,
                ..
            } => Some((*base, op)),
            _ => None,
        });
        let (dst, op) = look.expect("it looks first");
        *op = Op::LoadNil { dst };
        program
    }

    fn judged(program: &Program) -> Result<(), (String, String)> {
        let host = [HostEvent::Call {
            call: 1,
            function: "main".into(),
            args: vec![],
        }];
        let world = World {
            host: &host,
            answers: &[],
        };
        let drive = drive(program, world, &mut ByteChoices::new(&[]), LIMITS);
        assert!(drive.quiescent);
        let verdict = matches_reference::check(program, &drive.events, LIMITS.model);
        verdict
            .map(|_| ())
            .map_err(|failure| (failure.oracle, failure.check))
    }

    #[test]
    fn an_attempt_or_a_turn_after_the_cancellation_is_seen() {
        let service = "clients.named(\"a\", |request| request)";
        let turns = format!("clients.round_robin([{service}])");
        for program in [cancelled, late] {
            assert_eq!(judged(&program(service)), Ok(()));
            assert_eq!(judged(&program(&turns)), Ok(()));
            let broken = |client| judged(&without_look(program(client))).expect_err("it acts");
            assert_eq!(broken(service), (NAME.into(), "attempt".into()));
            assert_eq!(broken(&turns), (NAME.into(), "turn".into()));
        }
    }
}
