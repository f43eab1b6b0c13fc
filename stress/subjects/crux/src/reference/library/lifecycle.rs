//! Signals and the end of a run: which handlers and hooks are called, with what.

use super::super::model::Model;
use super::super::task::Task;
use super::super::value::{Object, ObjectId, Value};
use super::{Asked, Kept, Pledge};

/// What is registered when a signal is dispatched, or a run ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Dispatch {
    /// Handlers of the signal, each with whether it runs every time.
    handlers: Vec<Value>,
    /// Hooks, by their phases.
    hooks: [Vec<Value>; 4],
    /// How many tasks were open when that was asked first.
    unsettled: Option<u32>,
}

/// The lists of hooks in the order of their phases.
const PHASES: [&str; 4] = ["pre_finish", "on_unsettled", "on_finish", "post_finish"];

impl Dispatch {
    /// The number of open tasks is asked for.
    pub(super) fn looked(&mut self, open: u32) {
        self.unsettled.get_or_insert(open);
    }
}

impl Model<'_> {
    /// What is registered in a run just now.
    pub(super) fn registered(&self, locals: Option<Value>, signal: Option<Value>) -> Dispatch {
        let Some(locals) = locals else {
            return Dispatch::default();
        };
        let list = |name| self.entry(locals, name).map(|list| self.contents(list));
        let signal = signal
            .and_then(|signal| self.store.text(signal))
            .map(|text| text.to_string());
        let handlers = signal.and_then(|signal| {
            let signals = self.entry(locals, "interrupts")?;
            self.entry(signals, &signal)
        });
        Dispatch {
            handlers: handlers.map(|list| self.contents(list)).unwrap_or_default(),
            hooks: PHASES.map(|name| list(name).unwrap_or_default()),
            unsettled: None,
        }
    }

    /// A handler of a signal is called: the last one registered first, and one that runs once is
    /// registered no more.
    pub(super) fn dispatch_asks(&self, task: &Task, pledge: &Pledge, asked: &Asked) -> Kept {
        let before = pledge.asked.len();
        let handlers = pledge.dispatch.handlers.iter().rev();
        let Some(&handler) = handlers.clone().nth(before) else {
            return Err("calls a handler that was not registered when it began".to_owned());
        };
        let parts = self.contents(handler);
        let (Some(&Value::Object(function)), Some(every)) = (parts.first(), parts.get(1)) else {
            return Ok(());
        };
        if asked.closure.is_some_and(|closure| closure != function) {
            return Err("calls its handlers in another order".to_owned());
        }
        let now = self.registered(task.locals, pledge.args.first().copied());
        match !every.is_truthy() && now.handlers.contains(&handler) {
            true => Err("calls a handler that runs once, and it is still registered".to_owned()),
            false => Ok(()),
        }
    }

    /// The hooks at the end of a run were called, phase by phase, and made `value` of what the run
    /// had returned.
    pub(super) fn finished(&self, task: &Task, pledge: &Pledge, value: Value) -> Kept {
        let mut lists = self.registered(task.locals, None).hooks;
        // These are taken before any hook runs.
        lists[2].clone_from(&pledge.dispatch.hooks[2]);
        let all: Vec<Value> = lists.concat();
        let is_clear = all.iter().enumerate().all(|(at, hook)| {
            matches!(self.store.object(*hook), Some(Object::Closure(..)))
                && !all[..at].contains(hook)
        });
        if !is_clear {
            // Which phase a call belongs to is open.
            return Ok(());
        }
        let phase_of = |closure: ObjectId| {
            let hook = Value::Object(closure);
            (0..PHASES.len()).find(|&phase| lists[phase].contains(&hook))
        };
        let mut result = pledge.args[0];
        let mut last = 0;
        let mut called = [0; 4];
        for asked in &pledge.asked {
            let Some(phase) = asked.closure.and_then(phase_of) else {
                return Ok(());
            };
            if phase < last {
                return Err(format!("calls {} after {}", PHASES[phase], PHASES[last]));
            }
            last = phase;
            let hook = lists[phase].get(called[phase]);
            if hook.copied() != asked.closure.map(Value::Object) {
                return Err(format!("calls {} out of order", PHASES[phase]));
            }
            called[phase] += 1;
            self.hook_called(pledge, asked, phase, result)?;
            result = self.after_hook(asked, phase, result);
        }
        let open = pledge.dispatch.unsettled;
        for (phase, name) in PHASES.iter().enumerate() {
            let due = match phase {
                1 if open == Some(0) => 0,
                _ => pledge.dispatch.hooks[phase].len(),
            };
            let is_vain = phase == 1 && open == Some(0) && called[1] > 0;
            if called[phase] < due || is_vain {
                let count = called[phase];
                return Err(format!(
                    "calls {count} of {due} {name} hooks while {open:?} tasks are open"
                ));
            }
        }
        match self.is_same(value, result) {
            true => Ok(()),
            false => Err(format!(
                "gives {}, and its hooks made {}",
                self.display(value),
                self.display(result)
            )),
        }
    }

    /// What a hook is called with: what the run comes to so far, and how many tasks are open.
    fn hook_called(&self, pledge: &Pledge, asked: &Asked, phase: usize, so_far: Value) -> Kept {
        let open = pledge
            .dispatch
            .unsettled
            .map(|open| Value::Int(open.into()));
        let is_number = phase >= 2 || asked.args.get(1).copied() == open;
        let is_value = asked
            .args
            .first()
            .is_some_and(|&value| self.is_same(value, so_far));
        match is_number && is_value {
            true => Ok(()),
            false => Err(format!(
                "calls {} with {:?}, and should with {so_far:?} and {open:?}",
                PHASES[phase], asked.args
            )),
        }
    }

    /// What a run comes to after a hook.
    fn after_hook(&self, asked: &Asked, phase: usize, before: Value) -> Value {
        let said = asked.result.unwrap_or_default();
        if phase == 3 || said == Value::Nil {
            return before;
        }
        if let Some(&Object::Variant(variant, ref payload)) = self.store.object(said) {
            let program = self.loaded.program;
            let variant = &program.variants[usize::from(variant)];
            if program.enums[usize::from(variant.of)].name == "Hook" {
                return match variant.name.as_str() {
                    "Modify" => payload.first().copied().unwrap_or_default(),
                    _ => before,
                };
            }
        }
        match phase {
            2 => said,
            _ => before,
        }
    }
}
