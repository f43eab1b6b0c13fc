//! What can be called: closures, bound methods, methods of classes, library functions.

use gcrucible_bytecode::{ErrorKind, Method, Reg};
use gcrucible_heap::{Checks, NeedsMemory, Value};

use super::{Context, Stop};
use crate::feedback::Site;
use crate::frame::{Control, Frame};
use crate::scope::Scopes;

/// What a call enters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Callee<'p> {
    /// The function.
    pub(crate) function: u16,
    /// Its closure.
    pub(crate) closure: Value<'p>,
    /// What comes before the arguments.
    pub(crate) receiver: Option<Value<'p>>,
}

/// A method that a call finds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'p> {
    /// Something to enter; its arguments follow the receiver's register.
    Callee(Callee<'p>),
    /// Nothing but, perhaps, a method that the machine has.
    Builtin,
}

impl<'p, C: Checks> Context<'p, C> {
    /// What a call of `callee` with `argc` arguments enters.
    pub(crate) fn callable(&self, callee: Value<'p>, argc: usize) -> Result<Callee<'p>, ErrorKind> {
        let (closure, receiver) = match self.m.bound_parts(callee) {
            Some((receiver, closure)) => (closure, Some(receiver)),
            None => (callee, None),
        };
        let function = self.m.closure_function(closure);
        let function = function.ok_or(ErrorKind::NotCallable)?;
        self.fitting(
            Callee {
                function,
                closure,
                receiver,
            },
            argc,
        )
    }

    /// `callee`, if it takes so many arguments.
    fn fitting(&self, callee: Callee<'p>, argc: usize) -> Result<Callee<'p>, ErrorKind> {
        let function = &self.program.program().functions[usize::from(callee.function)];
        let argc = argc + usize::from(callee.receiver.is_some());
        if usize::from(function.arity) == argc {
            Ok(callee)
        } else {
            Err(ErrorKind::WrongArity)
        }
    }

    /// A function without captures, called with a receiver.
    fn method_callee(
        &self,
        function: u16,
        receiver: Value<'p>,
        argc: usize,
    ) -> Result<Callee<'p>, ErrorKind> {
        let closure = self.m.load(self.program.function(function));
        self.fitting(
            Callee {
                function,
                closure,
                receiver: Some(receiver),
            },
            argc,
        )
    }

    /// What a call of method `name` of `receiver` enters: a method of its class, the closure
    /// in its field, a library function for its kind. The machine's own methods go first.
    pub(crate) fn find_method(
        &self,
        site: Option<&Site>,
        receiver: Value<'p>,
        name: u16,
        argc: usize,
    ) -> Result<Found<'p>, ErrorKind> {
        if let Some(class) = self.m.class(receiver) {
            return match self.class_method_at(site, class, name) {
                Some(function) => {
                    let callee = self.method_callee(function, receiver, argc)?;
                    Ok(Found::Callee(callee))
                }
                None => {
                    let index = self.program.field(class, name);
                    let callee = index.and_then(|index| self.m.field(receiver, index));
                    let callee = callee.ok_or(ErrorKind::UnknownMethod)?;
                    Ok(Found::Callee(self.callable(callee, argc)?))
                }
            };
        }
        if self.has_builtin_method(receiver, name) {
            return Ok(Found::Builtin);
        }
        let kind = self.value_kind(receiver).ok_or(ErrorKind::UnknownMethod)?;
        let function = self.program.library_method(kind, name);
        let function = function.ok_or(ErrorKind::UnknownMethod)?;
        let callee = self.method_callee(function, receiver, argc)?;
        Ok(Found::Callee(callee))
    }

    /// Where instances of `class` have the field `name`, for which a site asks or none.
    #[inline]
    pub(crate) fn field_at(&self, site: Option<&Site>, class: u16, name: u16) -> Option<u32> {
        match site {
            Some(site) => self.program.field_at(site, class),
            None => self.program.field(class, name),
        }
    }

    #[inline]
    fn class_method_at(&self, site: Option<&Site>, class: u16, name: u16) -> Option<u16> {
        match site {
            Some(site) => self.program.class_method_at(site, class),
            None => self.program.class_method(class, name),
        }
    }

    /// The method `next` that a `for` loop over `source` calls.
    pub(crate) fn next_method(&self, source: Value<'p>) -> Result<Option<Callee<'p>>, ErrorKind> {
        let function = match self.m.class(source) {
            Some(class) => self.program.next_method(class),
            None => self
                .program
                .stream_next()
                .filter(|_| self.is_stream(source)),
        };
        match function {
            Some(function) => self.method_callee(function, source, 0).map(Some),
            None => Ok(None),
        }
    }

    /// `step NAME in FUNCTION`.
    pub(crate) fn escalation(&self, step: u16, caller: u16) -> String {
        let program = self.program.program();
        format!(
            "step {} in {}",
            program.steps[usize::from(step)].name,
            program.functions[usize::from(caller)].name
        )
    }

    /// The error of a step whose budget is spent. There is room for the error that its
    /// boundary may make of it, so that the throw cannot fail any more.
    pub(crate) fn exhausted(&self, scopes: &Scopes) -> Result<Value<'p>, NeedsMemory> {
        let _grant = self.m.grant(scopes.boundary_sizes(self))?;
        self.error(ErrorKind::StepExhausted, Value::NIL)
    }

    /// Enters `callee` for the running frame: arguments from its register `first` on, the
    /// result to `result`.
    pub(crate) fn enter(
        &self,
        control: &mut Control,
        callee: Callee<'p>,
        first: Reg,
        argc: u8,
        result: Reg,
    ) {
        let caller = control.top().base as usize;
        let program = self.program.program();
        let function = &program.functions[usize::from(callee.function)];
        control.call_bare(callee.function, function.registers, result);
        let base = control.top().base as usize;
        let shift = usize::from(callee.receiver.is_some());
        let from = caller + 1 + usize::from(first);
        control
            .stack
            .copy(from, base + 1 + shift, usize::from(argc));
        let registers = control.registers::<C>();
        self.m.store(registers.callee(), callee.closure);
        if let Some(receiver) = callee.receiver {
            registers.set(&self.m, 0, receiver);
        }
    }

    /// Whether a method that the machine has waits: nothing else is looked at then before
    /// the reasons not to.
    pub(crate) fn waits(&self, name: u16, argc: u8) -> bool {
        let method = self.program.method(name);
        let waiting = method.filter(|method| matches!(method, Method::Send | Method::Receive));
        waiting.is_some_and(|method| method.arity() == (argc, argc))
    }

    /// Whether one more frame is allowed, for a call that a step's budget counts.
    pub(crate) fn check_call(&self, frames: usize, scopes: &mut Scopes) -> Result<(), Stop<'p>> {
        if frames >= self.max_frames {
            return Err(ErrorKind::StackOverflow.into());
        }
        if !scopes.has_call_budget {
            return Ok(());
        }
        if scopes.is_call_budget_spent() {
            // Made first: there may be no memory for it, and then nothing has happened.
            let error = self.exhausted(scopes)?;
            scopes.spend_last_call(self.now_ms);
            return Err(Stop::Throw(error));
        }
        scopes.spend_call();
        Ok(())
    }
}

impl Frame {
    /// Whether its return is more than storing a value in the caller's register.
    pub(crate) fn is_special(&self) -> bool {
        self.flags != 0
    }
}
