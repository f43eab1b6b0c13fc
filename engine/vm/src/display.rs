//! Values as text, as `print`, `str` and interpolation show them.

use std::fmt::Write as _;

use gcrucible_bytecode::{ErrorKind, Program};
use gcrucible_heap::{Checks, Kind, Mutator, Value};

/// Levels of containers that are shown; the outermost is level 1.
const LEVELS_SHOWN: u32 = 3;

/// The display text of a value.
pub fn display<'p, C: Checks>(m: &Mutator<'p, C>, program: &Program, value: Value<'p>) -> String {
    let mut text = String::new();
    write_display(m, program, value, &mut text, usize::MAX);
    text
}

/// The most errors in one another's payload that a report shows.
const CAUSES_SHOWN: usize = 8;

/// The most bytes of a display text in a report.
const REPORT_BYTES_MAX: usize = 2000;

/// The text of an error that nobody caught, of bounded length: its display text, then its payload
/// on a line of its own. If that is an error as well it is the cause, and its payload follows.
pub fn uncaught<'p, C: Checks>(m: &Mutator<'p, C>, program: &Program, error: Value<'p>) -> String {
    let mut report = String::new();
    let mut value = error;
    for _ in 0..CAUSES_SHOWN {
        let mut text = String::new();
        write_display(m, program, value, &mut text, REPORT_BYTES_MAX);
        if text.len() > REPORT_BYTES_MAX {
            text.truncate(text.floor_char_boundary(REPORT_BYTES_MAX));
            text.push('…');
        }
        report.push_str(&text);
        let Some((kind, _, payload)) = m.error_parts(value) else {
            break;
        };
        // Their messages say what the payload is.
        let is_said = [
            ErrorKind::AssertionFailed,
            ErrorKind::NoMatch,
            ErrorKind::Internal,
        ];
        if payload.is_nil() || is_said.iter().any(|said| *said as u8 == kind) {
            break;
        }
        report.push_str(match m.error_parts(payload) {
            Some(_) => "\n  caused by: ",
            None => "\n  payload: ",
        });
        value = payload;
    }
    report
}

/// Appends the display text of a value. Soon after `out` has grown beyond `most` bytes it
/// gives up: shared parts show again and again, so a small value can have a text of any
/// size.
pub(crate) fn write_display<'p, C: Checks>(
    m: &Mutator<'p, C>,
    program: &Program,
    value: Value<'p>,
    out: &mut String,
    most: usize,
) {
    let mut display = Display {
        m,
        program,
        out,
        most,
    };
    display.value(value, 0);
}

struct Display<'a, 'p, C: Checks> {
    m: &'a Mutator<'p, C>,
    program: &'a Program,
    out: &'a mut String,
    most: usize,
}

impl<'p, C: Checks> Display<'_, 'p, C> {
    fn is_full(&self) -> bool {
        self.out.len() > self.most
    }

    fn text(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn formatted(&mut self, text: std::fmt::Arguments<'_>) {
        self.out
            .write_fmt(text)
            .expect("writing to a string cannot fail");
    }

    /// `value`, which lies in `levels` containers.
    fn value(&mut self, value: Value<'p>, levels: u32) {
        if let Some(int) = self.m.as_int(value) {
            return self.formatted(format_args!("{int}"));
        }
        if let Some(float) = value.as_float() {
            return self.formatted(format_args!("{float:?}"));
        }
        if let Some(bool) = value.as_bool() {
            return self.formatted(format_args!("{bool}"));
        }
        match self.m.kind(value) {
            Some(Kind::String) => self.string(value, levels),
            Some(Kind::Array) => self.array(value, levels + 1),
            Some(Kind::Map) => self.map(value, levels + 1),
            Some(Kind::Instance) => self.instance(value, levels + 1),
            Some(Kind::Enum) => self.variant(value, levels + 1),
            Some(Kind::Range) => {
                if let Some((start, end)) = self.m.range_bounds(value) {
                    self.formatted(format_args!("{start}..{end}"));
                }
            }
            Some(Kind::Closure) => self.function(value),
            Some(Kind::Bound) => match self.m.bound_parts(value) {
                Some((_, function)) => self.function(function),
                None => self.text("<fn>"),
            },
            Some(Kind::Error) => self.error(value),
            Some(Kind::Future | Kind::Unscheduled) => self.text("<future>"),
            Some(Kind::Iterator) => self.text("<iterator>"),
            Some(Kind::Weak) => self.text("<weak>"),
            // Channels, mutexes and streams; programs never hold others.
            Some(other) => self.formatted(format_args!("<{}>", other.name())),
            None => self.text("nil"),
        }
    }

    fn string(&mut self, string: Value<'p>, levels: u32) {
        let text = self.m.text(string).unwrap_or_default();
        if levels == 0 {
            self.text(text);
        } else {
            self.formatted(format_args!("{text:?}"));
        }
    }

    fn array(&mut self, array: Value<'p>, level: u32) {
        if level > LEVELS_SHOWN {
            return self.text("[...]");
        }
        self.text("[");
        let mut index = 0;
        while let Some(element) = self.m.array_get(array, index) {
            if self.is_full() {
                return;
            }
            if index > 0 {
                self.text(", ");
            }
            self.value(element, level);
            index += 1;
        }
        self.text("]");
    }

    fn map(&mut self, map: Value<'p>, level: u32) {
        if level > LEVELS_SHOWN {
            return self.text("{...}");
        }
        self.text("{");
        let mut position = 0;
        let mut is_first = true;
        while let Some((next, key, value)) = self.m.map_next(map, position) {
            if self.is_full() {
                return;
            }
            if !is_first {
                self.text(", ");
            }
            is_first = false;
            self.value(key, level);
            self.text(": ");
            self.value(value, level);
            position = next;
        }
        self.text("}");
    }

    fn variant(&mut self, value: Value<'p>, level: u32) {
        let program = self.program;
        let variant = self.m.shape(value).map(usize::from);
        let variant = variant.and_then(|variant| program.variants.get(variant));
        let of = variant.and_then(|variant| program.enums.get(usize::from(variant.of)));
        let (Some(variant), Some(of)) = (variant, of) else {
            return self.text("<enum>");
        };
        self.text(&of.name);
        self.text(".");
        self.text(&variant.name);
        if variant.arity == 0 {
            return;
        }
        if level > LEVELS_SHOWN {
            return self.text("(...)");
        }
        self.text("(");
        for index in 0..u32::from(variant.arity) {
            if self.is_full() {
                return;
            }
            if index > 0 {
                self.text(", ");
            }
            let part = self.m.enum_payload(value, index);
            self.value(part.unwrap_or(Value::NIL), level);
        }
        self.text(")");
    }

    fn instance(&mut self, instance: Value<'p>, level: u32) {
        let Some(class) = self
            .m
            .class(instance)
            .and_then(|class| self.program.classes.get(usize::from(class)))
        else {
            return self.text("<instance>");
        };
        self.text(&class.name);
        if level > LEVELS_SHOWN {
            return self.text(" {...}");
        }
        self.text(" { ");
        for (index, field) in class.fields.iter().enumerate() {
            if self.is_full() {
                return;
            }
            if index > 0 {
                self.text(", ");
            }
            self.text(field);
            self.text(": ");
            let value = self.m.field(instance, index as u32);
            self.value(value.unwrap_or(Value::NIL), level);
        }
        self.text(" }");
    }

    fn function(&mut self, closure: Value<'p>) {
        let function = self
            .m
            .closure_function(closure)
            .and_then(|function| self.program.functions.get(usize::from(function)));
        let name = function.map_or("", |function| &function.name);
        self.formatted(format_args!("<fn {name}>"));
    }

    fn error(&mut self, error: Value<'p>) {
        let Some((kind, message, _)) = self.m.error_parts(error) else {
            return;
        };
        self.text(match ErrorKind::from_number(kind) {
            Some(ErrorKind::User) | None => "Error",
            Some(kind) => kind.name(),
        });
        self.text(": ");
        let message = self.m.text(message).unwrap_or_default();
        self.text(message);
    }
}
