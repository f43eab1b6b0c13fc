//! What the library pledges, looked at from outside while the model runs it.
//!
//! The part of the library that is written in Crux is part of the program: the model runs what the
//! engine runs, right or wrong. So each call of a function that programs know is a *pledge*. What
//! it was given is kept at its call, what it calls back is noted, and what it gives, or throws, is
//! compared with a model of that function which shares nothing with its source.
//!
//! Several tasks may change what such a function goes over, in the middle of it. Then only what
//! does not depend on that is compared: that the results of a callback are where they belong.

mod collections;
mod json;
mod lifecycle;
mod services;
mod shape;
mod texts;

use gcrucible_bytecode::{Builtin, ErrorKind, Program};

use self::lifecycle::Dispatch;
pub(super) use self::services::Limited;
use self::services::Schedule;
use self::shape::Shape;
use super::model::Model;
use super::task::{Frame, Task};
use super::value::{Object, ObjectId, Value};

macro_rules! pledged {
    ($($variant:ident = $name:literal;)*) => {
        /// A function of the library that pledges something.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Pledged { $(#[doc = $name] $variant,)* }

        impl Pledged {
            /// All of them.
            #[cfg(test)]
            pub(super) const ALL: &'static [Pledged] = &[$(Pledged::$variant,)*];

            /// The name of the function.
            pub(super) fn name(self) -> &'static str {
                match self { $(Pledged::$variant => $name,)* }
            }

            fn of(name: &str) -> Option<Pledged> {
                Some(match name {
                    $($name => Pledged::$variant,)*
                    _ => return None,
                })
            }
        }
    };
}

pledged! {
    ArrayMap = "array.map";
    ArrayFilter = "array.filter";
    ArrayEach = "array.each";
    ArrayReduce = "array.reduce";
    ArrayFind = "array.find";
    ArrayAny = "array.any";
    ArrayAll = "array.all";
    ArraySort = "array.sort";
    ArraySortBy = "array.sort_by";
    ArrayGroupBy = "array.group_by";
    ArraySum = "array.sum";
    ArrayMin = "array.min";
    ArrayMax = "array.max";
    ArrayZip = "array.zip";
    ArrayEnumerate = "array.enumerate";
    ArrayTake = "array.take";
    ArraySkip = "array.skip";
    ArrayFlat = "array.flat";
    ArrayUnique = "array.unique";
    StringChars = "string.chars";
    StringLines = "string.lines";
    StringPadStart = "string.pad_start";
    StringPadEnd = "string.pad_end";
    MapEntries = "map.entries";
    MapEach = "map.each";
    MapMapValues = "map.map_values";
    MapFilter = "map.filter";
    MapMerge = "map.merge";
    RangeMap = "range.map";
    RangeEach = "range.each";
    RangeToArray = "range.to_array";
    MathAbs = "math.abs";
    MathMin = "math.min";
    MathMax = "math.max";
    MathClamp = "math.clamp";
    JsonParse = "json.parse";
    JsonStringify = "json.stringify";
    StreamNext = "stream.next";
    StreamTake = "stream.take";
    Schedule = "__schedule";
    ClientsCall = "clients.call";
    Interrupt = "__interrupt";
    Finish = "__finish";
}

/// A pledge that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenPledge {
    /// The function.
    pub function: &'static str,
    /// What is wrong.
    pub message: String,
}

/// What it says of a call.
type Kept = Result<(), String>;

/// What a function must come to.
#[derive(Clone, Debug, PartialEq)]
enum Expected {
    /// It returns this.
    Returns(Shape),
    /// It throws an error of this kind.
    Throws(ErrorKind),
    /// Nothing is said: it was given what it is not for, or that has changed meanwhile.
    Anything,
}

/// A call of such a function, until it returns.
#[derive(Clone, Debug)]
pub(super) struct Pledge {
    function: Pledged,
    /// What it was called with, the receiver first.
    args: Vec<Value>,
    /// The elements of those that are arrays, as they were; keys and values of maps by turns.
    given: Vec<Vec<Value>>,
    /// How often the containers were changed by then that it goes over.
    watched: Vec<(ObjectId, u32)>,
    /// What it has called back, in order.
    asked: Vec<Asked>,
    /// Of a schedule.
    schedule: Schedule,
    /// Of the dispatch of a signal, or the end of a run.
    dispatch: Dispatch,
}

/// A callback.
#[derive(Clone, Debug)]
struct Asked {
    closure: Option<ObjectId>,
    args: Vec<Value>,
    /// What it returned.
    result: Option<Value>,
}

/// Which functions of a program are of the library, and what they pledge.
#[derive(Clone, Debug)]
pub(super) struct Library {
    functions: Vec<Option<Pledged>>,
    is_own: Vec<bool>,
    is_used: bool,
}

impl Library {
    pub(super) fn of(program: &Program) -> Self {
        let own = program.modules.iter();
        let own: Vec<bool> = own.map(|module| module.path == "<library>").collect();
        let functions = program.functions.iter();
        let is_own = |module: u16| own.get(usize::from(module)).copied().unwrap_or(false);
        let is_own: Vec<bool> = functions.map(|f| is_own(f.module)).collect();
        let functions = program.functions.iter().zip(&is_own);
        let functions: Vec<_> = functions
            .map(|(f, is_own)| Pledged::of(&f.name).filter(|_| *is_own))
            .collect();
        Library {
            is_used: functions.iter().any(Option::is_some),
            functions,
            is_own,
        }
    }

    /// No function pledges anything from now on.
    pub(super) fn forget(&mut self) {
        self.functions.fill(None);
        self.is_used = false;
    }

    fn is_own(&self, frame: &Frame) -> bool {
        self.is_own[usize::from(frame.function)]
    }
}

impl Model<'_> {
    /// A task enters a frame: by a call of a function that pledges something, or by a callback of
    /// one.
    pub(super) fn note_library_call(&mut self, task: &mut Task, callee: &mut Frame) {
        if !self.loaded.library.is_used {
            return;
        }
        let function = self.loaded.library.functions[usize::from(callee.function)];
        let is_own = self.loaded.library.is_own(callee);
        if let Some(at) = self.pledging(task) {
            self.note_callback(task, at, callee, is_own);
        }
        if let Some(function) = function {
            self.note_stream(task, callee, function);
            callee.pledge = Some(Box::new(self.pledge(function, callee, task.locals)));
        }
    }

    /// The same for one that no frame of the task has called: it is spawned, as schedules are, or the
    /// machine enters it by itself, at the end of a run or for a signal.
    pub(super) fn note_library_entry(&mut self, task: &Task, callee: &mut Frame) {
        let function = self.loaded.library.functions[usize::from(callee.function)];
        if let Some(function) = function {
            callee.pledge = Some(Box::new(self.pledge(function, callee, task.locals)));
        }
    }

    fn pledge(&mut self, function: Pledged, callee: &Frame, locals: Option<Value>) -> Pledge {
        let count = self.loaded.program.functions[usize::from(callee.function)].arity;
        let args = callee.registers[..usize::from(count)].to_vec();
        let given: Vec<_> = args.iter().map(|&arg| self.contents(arg)).collect();
        let mut watched = Vec::new();
        let levels = match function {
            Pledged::JsonStringify => 256,
            Pledged::ArrayFlat => 2,
            _ => 1,
        };
        for &arg in &args {
            self.watch(arg, levels, &mut watched);
        }
        if function == Pledged::ClientsCall
            && let Some(Object::Variant(_, payload)) = self.store.object(args[0])
            && let Some(&list) = payload.first()
        {
            self.watch(list, 1, &mut watched);
        }
        let dispatch = match function {
            Pledged::Interrupt => self.registered(locals, Some(args[0])),
            Pledged::Finish => self.registered(locals, None),
            _ => Dispatch::default(),
        };
        Pledge {
            function,
            args,
            given,
            watched,
            asked: Vec::new(),
            schedule: Schedule::default(),
            dispatch,
        }
    }

    /// The elements of an array; keys and values of a map by turns.
    fn contents(&self, value: Value) -> Vec<Value> {
        match self.store.object(value) {
            Some(Object::Array(elements)) => elements.clone(),
            Some(Object::Map(map)) => map.iter().flat_map(|(k, v)| [k, v]).collect(),
            _ => Vec::new(),
        }
    }

    /// Notes how often a container was changed, and those in it up to so many levels.
    fn watch(&mut self, value: Value, levels: u32, watched: &mut Vec<(ObjectId, u32)>) {
        let Value::Object(id) = value else { return };
        let is_container = matches!(self.store.get(id), Object::Array(_) | Object::Map(_));
        if !is_container || levels == 0 || watched.iter().any(|(known, _)| *known == id) {
            return;
        }
        watched.push((id, self.store.watch(id)));
        if levels > 1 {
            for part in self.contents(value) {
                self.watch(part, levels - 1, watched);
            }
        }
    }

    /// The frame of the innermost call that pledges something and that the task is in the middle
    /// of: all frames above it are the library's own.
    fn pledging(&self, task: &Task) -> Option<usize> {
        for (at, frame) in task.frames.iter().enumerate().rev() {
            if frame.pledge.is_some() {
                return Some(at);
            }
            if !self.loaded.library.is_own(frame) || frame.interrupts {
                return None;
            }
        }
        None
    }

    fn note_callback(&mut self, task: &mut Task, at: usize, callee: &mut Frame, is_own: bool) {
        let Some(pledge) = &task.frames[at].pledge else {
            return;
        };
        let is_given = callee
            .closure
            .is_some_and(|id| pledge.args.contains(&Value::Object(id)));
        let is_attempt = pledge.function == Pledged::ClientsCall
            && self.loaded.library.functions[usize::from(callee.function)]
                == Some(Pledged::ClientsCall);
        if is_own && !is_given && !is_attempt {
            return;
        }
        let count = self.loaded.program.functions[usize::from(callee.function)].arity;
        let asked = Asked {
            closure: callee.closure,
            args: callee.registers[..usize::from(count)].to_vec(),
            result: None,
        };
        callee.is_asked = true;
        let Some(mut pledge) = task.frames[at].pledge.take() else {
            return;
        };
        let verdict = match pledge.function {
            Pledged::Schedule => self.schedule_asks(&mut pledge, &asked),
            Pledged::ClientsCall => self.client_asks(&pledge, &asked, is_attempt),
            Pledged::Interrupt => self.dispatch_asks(task, &pledge, &asked),
            _ => Ok(()),
        };
        self.note_verdict(pledge.function, verdict);
        pledge.asked.push(asked);
        task.frames[at].pledge = Some(pledge);
    }

    /// A frame has returned.
    pub(super) fn note_library_return(&mut self, task: &mut Task, left: &mut Frame, value: Value) {
        if let Some(pledge) = left.pledge.take() {
            let verdict = self.returned(task, &pledge, value);
            self.note_verdict(pledge.function, verdict);
            if pledge.function == Pledged::StreamTake {
                self.note_limited(&pledge, value);
            }
        }
        if !left.is_asked {
            return;
        }
        if let Some(at) = self.pledging(task)
            && let Some(pledge) = &mut task.frames[at].pledge
        {
            pledge.schedule.returned();
            let mut open = pledge.asked.iter_mut().rev();
            if let Some(asked) = open.find(|asked| asked.result.is_none()) {
                asked.result = Some(value);
            }
        }
    }

    /// The pledge of the function of the library that is about to throw, with the number of its
    /// frame.
    pub(super) fn throwing(&self, task: &Task) -> Option<(usize, Box<Pledge>)> {
        let top = task.frames.last()?;
        if !self.loaded.library.is_used || !self.loaded.library.is_own(top) || top.interrupts {
            return None;
        }
        let at = self.pledging(task)?;
        Some((at, task.frames[at].pledge.clone()?))
    }

    /// It has thrown an error, which its caller gets if it is gone.
    pub(super) fn note_library_throw(
        &mut self,
        task: &Task,
        (at, pledge): (usize, Box<Pledge>),
        error: Value,
    ) {
        /// What a call is ended with from outside.
        const FROM_OUTSIDE: [ErrorKind; 6] = [
            ErrorKind::Cancelled,
            ErrorKind::DeadlineExceeded,
            ErrorKind::StepExhausted,
            ErrorKind::HandlerTimeout,
            ErrorKind::OutOfMemory,
            ErrorKind::StackOverflow,
        ];
        let kind = match self.store.object(error) {
            Some(Object::Error { kind, .. }) => *kind,
            _ => return,
        };
        if task.frames.len() > at || FROM_OUTSIDE.contains(&kind) {
            return;
        }
        let verdict = match self.expected(&pledge) {
            Expected::Anything => Ok(()),
            Expected::Throws(expected) if expected == kind => Ok(()),
            expected => Err(format!("throws {}, and should: {expected:?}", kind.name())),
        };
        self.note_verdict(pledge.function, verdict);
    }

    fn note_verdict(&mut self, function: Pledged, verdict: Kept) {
        if let Err(message) = verdict {
            let function = function.name();
            let broken = BrokenPledge { function, message };
            self.log.broken_pledge.get_or_insert(broken);
        }
    }

    /// A built-in was called in the library.
    pub(super) fn note_library_builtin(&mut self, task: &mut Task, builtin: Builtin) {
        let now_ms = self.now_ms();
        let open = self.open_now;
        let pledge = task.frames.last_mut().and_then(|top| top.pledge.as_mut());
        match (pledge, builtin) {
            (Some(pledge), Builtin::Now) => pledge.schedule.looked(now_ms),
            (Some(pledge), Builtin::Unsettled) => pledge.dispatch.looked(open),
            _ => {}
        }
    }

    /// Whether what the function goes over is as it was when it was called.
    fn is_unchanged(&self, pledge: &Pledge) -> bool {
        let mut watched = pledge.watched.iter();
        watched.all(|&(id, changes)| self.store.changes(id) == changes)
    }

    fn returned(&self, task: &Task, pledge: &Pledge, value: Value) -> Kept {
        self.called_back(pledge, value)?;
        match pledge.function {
            Pledged::Interrupt => return Ok(()),
            Pledged::Finish => return self.finished(task, pledge, value),
            _ => {}
        }
        let expected = self.expected(pledge);
        let is_it = match &expected {
            Expected::Anything => true,
            Expected::Returns(shape) => self.is_shape(value, shape),
            Expected::Throws(_) => false,
        };
        match is_it {
            true => Ok(()),
            false => Err(format!(
                "gives {}, and should: {expected:?}",
                self.display(value)
            )),
        }
    }

    /// What the call must come to, as far as that follows from what it was given.
    fn expected(&self, pledge: &Pledge) -> Expected {
        if !self.is_unchanged(pledge) {
            return Expected::Anything;
        }
        let args = &pledge.args;
        match pledge.function {
            Pledged::JsonParse => match self.store.text(args[0]) {
                Some(text) => json::parsed(text),
                None => Expected::Throws(ErrorKind::ParseError),
            },
            Pledged::JsonStringify => self.stringified(args[0], args[1]),
            Pledged::StringChars
            | Pledged::StringLines
            | Pledged::StringPadStart
            | Pledged::StringPadEnd => self.of_text(pledge),
            Pledged::MathAbs | Pledged::MathMin | Pledged::MathMax | Pledged::MathClamp => {
                self.of_numbers(pledge)
            }
            _ => self.of_collection(pledge),
        }
    }
}

#[cfg(test)]
mod tests;
