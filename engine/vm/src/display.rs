//! Values as text, as `print`, `str` and interpolation show them, in steps if they are large.

use std::fmt::Write as _;

use gcrucible_bytecode::{Class, ErrorKind, Program, Variant};
use gcrucible_heap::{Checks, Kind, Mutator, RootRight, Slot, Value};

use crate::roots::ROOTS;

/// Levels of containers that are shown; the outermost is level 1.
const LEVELS_SHOWN: u32 = 3;

/// Units of work for a value that is shown.
const UNITS_PER_VALUE: u32 = 6;

/// Bytes of a text inside of a container that are shown in one go: each is looked at whether it
/// must be escaped.
const CHUNK: usize = 1024;
const UNITS_PER_CHUNK: u32 = 512;

/// Bytes of a text for people, at which it is given up.
const SHOWN_MAX: usize = 1 << 20;

/// The display text of a value; no more than about a mebibyte of it, for shared parts show
/// again and again.
pub fn display<'p, C: Checks>(m: &Mutator<'p, C>, program: &Program, value: Value<'p>) -> String {
    let mut text = String::new();
    write_display(m, program, value, &mut text, SHOWN_MAX);
    text
}

/// The same text, put together in steps.
/// Between two steps it has roots, so it takes the right to have some.
#[derive(Debug)]
pub struct Showing(Displaying);

impl Showing {
    /// Begins with nothing.
    pub fn new(_: RootRight) -> Self {
        Showing(Displaying::default())
    }

    /// Passes each of its roots on. They must be roots between two steps.
    pub fn roots(&self, _: RootRight, root: &mut dyn FnMut(&Slot)) {
        self.0.roots(root);
    }

    /// Begins with a value.
    pub fn begin<'p, C: Checks>(
        &mut self,
        m: &Mutator<'p, C>,
        program: &Program,
        value: Value<'p>,
    ) {
        self.0.begin(m, program, value);
    }

    /// Goes on with about so many units of work; the text, once that is whole.
    pub fn step<'p, C: Checks>(
        &mut self,
        m: &Mutator<'p, C>,
        program: &Program,
        units: &mut u32,
    ) -> Option<String> {
        let is_done = self.0.step(m, program, SHOWN_MAX, units);
        is_done.then(|| std::mem::take(&mut self.0.out))
    }
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
    let mut displaying = Displaying {
        out: std::mem::take(out),
        most: Some(most),
        ..Displaying::default()
    };
    displaying.begin(m, program, value);
    let mut units = u32::MAX;
    while !displaying.step(m, program, most, &mut units) {
        units = u32::MAX;
    }
    *out = displaying.out;
}

/// The text of a value in the making, which may take several steps. What other machines change
/// between them is shown or not, as a loop would see it.
#[derive(Debug, Default)]
pub(crate) struct Displaying {
    /// The text so far.
    pub(crate) out: String,
    /// How many values were begun.
    pub(crate) begun: u32,
    /// What is shown in part, outermost first.
    open: Vec<Open>,
    /// Of a text that is longer than this, no more is shown than it takes to tell.
    most: Option<usize>,
}

/// A container, or a text in one, that is shown in part.
#[derive(Debug)]
struct Open {
    value: Slot,
    what: What,
    /// The next part.
    position: u64,
    is_first: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Array,
    Map,
    Instance,
    Variant,
    /// The value of an entry whose key is shown.
    MapValue,
    Text,
}

impl Displaying {
    /// Passes each of its roots on.
    pub(crate) fn roots(&self, root: &mut dyn FnMut(&Slot)) {
        for open in &self.open {
            root(&open.value);
        }
    }

    /// Begins to show one more value.
    pub(crate) fn begin<'p, C: Checks>(
        &mut self,
        m: &Mutator<'p, C>,
        program: &Program,
        value: Value<'p>,
    ) {
        self.begun += 1;
        Display {
            m,
            program,
            to: self,
        }
        .value(value);
    }

    /// Goes on with about so many units of work, and takes what it did from `units`. Whether it
    /// is done with what was begun, or has given up beyond `most` bytes.
    pub(crate) fn step<'p, C: Checks>(
        &mut self,
        m: &Mutator<'p, C>,
        program: &Program,
        most: usize,
        units: &mut u32,
    ) -> bool {
        while !self.open.is_empty() {
            if self.out.len() > most {
                self.open.clear();
                break;
            }
            if *units == 0 {
                return false;
            }
            let before = self.out.len();
            let is_chunk = self.open.last().is_some_and(|open| open.what == What::Text);
            let mut display = Display {
                m,
                program,
                to: self,
            };
            display.part();
            let bytes = (self.out.len() - before) / 64;
            let fixed = if is_chunk {
                UNITS_PER_CHUNK
            } else {
                UNITS_PER_VALUE
            };
            *units = units.saturating_sub(fixed + u32::try_from(bytes).unwrap_or(u32::MAX));
        }
        true
    }
}

struct Display<'a, 'p, C: Checks> {
    m: &'a Mutator<'p, C>,
    program: &'a Program,
    to: &'a mut Displaying,
}

impl<'p, C: Checks> Display<'_, 'p, C> {
    fn text(&mut self, text: &str) {
        let left = match self.to.most {
            // A character more than there is room for.
            Some(most) => (most + 4).saturating_sub(self.to.out.len()),
            None => text.len(),
        };
        let text = &text[..text.floor_char_boundary(left)];
        self.m.make_way(text.len());
        self.to.out.push_str(text);
    }

    fn formatted(&mut self, text: std::fmt::Arguments<'_>) {
        self.to
            .out
            .write_fmt(text)
            .expect("writing to a string cannot fail");
    }

    fn open(&mut self, value: Value<'p>, what: What) {
        let slot = Slot::nil(ROOTS);
        self.m.store(&slot, value);
        self.to.open.push(Open {
            value: slot,
            what,
            position: 0,
            is_first: true,
        });
    }

    /// How many containers are open.
    fn levels(&self) -> u32 {
        let is_level = |open: &&Open| !matches!(open.what, What::Text | What::MapValue);
        self.to.open.iter().filter(is_level).count() as u32
    }

    /// Shows a value, or begins to.
    fn value(&mut self, value: Value<'p>) {
        if let Some(int) = self.m.as_int(value) {
            return self.formatted(format_args!("{int}"));
        }
        if let Some(float) = value.as_float() {
            return self.formatted(format_args!("{float:?}"));
        }
        if let Some(bool) = value.as_bool() {
            return self.formatted(format_args!("{bool}"));
        }
        let is_hidden = self.levels() >= LEVELS_SHOWN;
        match self.m.kind(value) {
            Some(Kind::String) => self.string(value),
            Some(Kind::Array) if is_hidden => self.text("[...]"),
            Some(Kind::Array) => {
                self.text("[");
                self.open(value, What::Array);
            }
            Some(Kind::Map) if is_hidden => self.text("{...}"),
            Some(Kind::Map) => {
                self.text("{");
                self.open(value, What::Map);
            }
            Some(Kind::Instance) => self.instance(value, is_hidden),
            Some(Kind::Enum) => self.variant(value, is_hidden),
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

    fn string(&mut self, string: Value<'p>) {
        let text = self.m.text(string).unwrap_or_default();
        if self.to.open.is_empty() {
            self.text(text);
        } else if text.len() <= CHUNK {
            self.formatted(format_args!("{text:?}"));
        } else {
            self.text("\"");
            self.open(string, What::Text);
        }
    }

    /// Shows the next part of what is open innermost, or its end.
    fn part(&mut self) {
        let Some(open) = self.to.open.last_mut() else {
            return;
        };
        let value = self.m.load_root(&open.value);
        let (position, what) = (open.position, open.what);
        let is_first = std::mem::replace(&mut open.is_first, false);
        open.position += 1;
        let in_map = position;
        // Only the places in maps go beyond 32 bits.
        let position = position as u32;
        match what {
            What::Array => match self.m.array_get(value, position) {
                Some(element) => self.element(element, is_first),
                None => self.close("]"),
            },
            What::Map => match self.m.map_next(value, in_map) {
                Some((next, key, value)) => {
                    open.position = next;
                    if !is_first {
                        self.text(", ");
                    }
                    self.open(value, What::MapValue);
                    self.value(key);
                }
                None => self.close("}"),
            },
            What::MapValue => {
                self.to.open.pop();
                self.text(": ");
                self.value(value);
            }
            What::Instance => self.field(value, position, is_first),
            What::Variant => {
                let arity = self
                    .variant_of(value)
                    .map_or(0, |(_, variant)| variant.arity);
                if position < u32::from(arity) {
                    let part = self.m.enum_payload(value, position);
                    self.element(part.unwrap_or(Value::NIL), is_first);
                } else {
                    self.close(")");
                }
            }
            What::Text => self.chunk(value, position),
        }
    }

    fn element(&mut self, element: Value<'p>, is_first: bool) {
        if !is_first {
            self.text(", ");
        }
        self.value(element);
    }

    fn close(&mut self, end: &str) {
        self.to.open.pop();
        self.text(end);
    }

    /// The next piece of a long text, escaped as the whole would be.
    fn chunk(&mut self, string: Value<'p>, from: u32) {
        let text = self.m.text(string).unwrap_or_default();
        let from = from as usize;
        let end = text.floor_char_boundary(from + CHUNK);
        let escaped = format!("{:?}", text.get(from..end).unwrap_or_default());
        self.text(&escaped[1..escaped.len() - 1]);
        match self.to.open.last_mut() {
            Some(open) if end < text.len() => open.position = end as u64,
            _ => self.close("\""),
        }
    }

    fn variant_of(&self, value: Value<'p>) -> Option<(&str, &Variant)> {
        let variant = self.m.shape(value).map(usize::from)?;
        let variant = self.program.variants.get(variant)?;
        let of = self.program.enums.get(usize::from(variant.of))?;
        Some((&of.name, variant))
    }

    fn variant(&mut self, value: Value<'p>, is_hidden: bool) {
        let Some((of, variant)) = self.variant_of(value) else {
            return self.text("<enum>");
        };
        let (name, arity) = (format!("{of}.{}", variant.name), variant.arity);
        self.text(&name);
        match arity {
            0 => {}
            _ if is_hidden => self.text("(...)"),
            _ => {
                self.text("(");
                self.open(value, What::Variant);
            }
        }
    }

    fn class_of(&self, instance: Value<'p>) -> Option<&Class> {
        let class = self.m.class(instance)?;
        self.program.classes.get(usize::from(class))
    }

    fn instance(&mut self, instance: Value<'p>, is_hidden: bool) {
        let Some(name) = self.class_of(instance).map(|class| class.name.clone()) else {
            return self.text("<instance>");
        };
        self.text(&name);
        if is_hidden {
            return self.text(" {...}");
        }
        self.text(" { ");
        self.open(instance, What::Instance);
    }

    fn field(&mut self, instance: Value<'p>, index: u32, is_first: bool) {
        let field = self.class_of(instance);
        let field = field.and_then(|class| class.fields.get(index as usize));
        let Some(name) = field.cloned() else {
            return self.close(" }");
        };
        if !is_first {
            self.text(", ");
        }
        self.text(&name);
        self.text(": ");
        let value = self.m.field(instance, index);
        self.value(value.unwrap_or(Value::NIL));
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
