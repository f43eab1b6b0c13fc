//! What clients promise: one that is called in a task whose cancellation was requested, or whose
//! time is over, attempts nothing and counts no turn (I-19, semantics.md B7).
//!
//! The library is Crux, and the model runs it as it is. So it looks besides, from outside,
//! whether it keeps its word.

use gcrucible_bytecode::{FunctionId, Op, Program};

use super::machine::frame;
use super::model::Model;
use super::task::{Frame, Task};

/// What a client did though it must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It called a service.
    Attempt,
    /// It changed what it keeps from call to call.
    Turn,
}

/// Which functions are those of clients.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    /// `clients.call`, if the program calls any.
    call: Option<FunctionId>,
    /// Of each function whether it is one of the library.
    is_library: Vec<bool>,
}

impl Clients {
    pub(super) fn of(program: &Program) -> Self {
        let is_library = |module: u16| {
            let module = program.modules.get(usize::from(module));
            module.is_some_and(|module| module.path == "<library>")
        };
        let functions = program.functions.iter();
        let is_library: Vec<bool> = functions.map(|f| is_library(f.module)).collect();
        let mut functions = program.functions.iter().zip(&is_library);
        let call = functions.position(|(f, is_library)| *is_library && f.name == "clients.call");
        Clients {
            call: call.map(|at| at as FunctionId),
            is_library,
        }
    }

    /// No call is one of a client from now on.
    pub(super) fn forget(&mut self) {
        self.call = None;
    }
}

impl Model<'_> {
    /// A task enters the frame of a function. One of a client keeps whether the client must not
    /// do anything in it: cancellation had been requested when it was called, or a deadline was
    /// over, or a cancellation was thrown in the middle of it. What comes between its look and its deed is not its fault: an interrupt
    /// handler may run there, which holds a cancellation up.
    pub(super) fn note_client_call(&mut self, task: &Task, callee: &mut Frame) {
        let Some(call) = self.loaded.clients.call else {
            return;
        };
        let caller = task.frames.last().and_then(|frame| frame.of_client);
        if self.loaded.clients.is_library[usize::from(callee.function)] {
            let is_of_client = callee.function == call || caller.is_some();
            let must_stop = match callee.function == call {
                true => task.must_stop(self.now_ms()),
                false => caller == Some(true) || task.has_thrown_cancel,
            };
            callee.of_client = is_of_client.then_some(must_stop);
        } else if caller == Some(true) {
            self.log.broken.get_or_insert(Broken::Attempt);
        }
    }

    /// An instruction took effect.
    pub(super) fn note_client_store(&mut self, task: &mut Task, op: Op) {
        if matches!(op, Op::SetIndex { .. }) && frame(task).of_client == Some(true) {
            self.log.broken.get_or_insert(Broken::Turn);
        }
    }
}
