//! Display texts.

use std::fmt::Write;

use gcrucible_bytecode::ErrorKind;

use super::model::Model;
use super::value::{Object, Value};

/// Containers nested deeper than this show only what they are.
const LEVELS: usize = 3;

impl Model<'_> {
    /// The display text of a value: what `str` gives and `print` prints.
    pub fn display(&self, value: Value) -> String {
        match self.store.text(value) {
            Some(text) => text.to_string(),
            None => {
                let mut out = String::new();
                self.write(value, 0, &mut out);
                out
            }
        }
    }

    /// Appends a value that stands inside `level` containers.
    fn write(&self, value: Value, level: usize, out: &mut String) {
        match value {
            Value::Nil => out.push_str("nil"),
            Value::Bool(bool) => put(out, bool),
            Value::Int(int) => put(out, int),
            Value::Float(float) => out.push_str(&format!("{float:?}")),
            Value::Object(id) => self.write_object(self.store.get(id), level, out),
        }
    }

    fn write_object(&self, object: &Object, level: usize, out: &mut String) {
        match object {
            Object::String(text) => out.push_str(&format!("{text:?}")),
            Object::Array(_) if level >= LEVELS => out.push_str("[...]"),
            Object::Array(elements) => {
                out.push('[');
                for (at, &element) in elements.iter().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    self.write(element, level + 1, out);
                }
                out.push(']');
            }
            Object::Map(_) if level >= LEVELS => out.push_str("{...}"),
            Object::Map(map) => {
                out.push('{');
                for (at, (key, value)) in map.iter().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    self.write(key, level + 1, out);
                    out.push_str(": ");
                    self.write(value, level + 1, out);
                }
                out.push('}');
            }
            Object::Range(from, to) => {
                put(out, from);
                out.push_str("..");
                put(out, to);
            }
            Object::Instance(class, fields) => {
                let class = &self.loaded.program.classes[usize::from(*class)];
                out.push_str(&class.name);
                if level >= LEVELS {
                    out.push_str(" {...}");
                    return;
                }
                out.push_str(" { ");
                for (at, (name, &value)) in class.fields.iter().zip(fields).enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    out.push_str(name);
                    out.push_str(": ");
                    self.write(value, level + 1, out);
                }
                out.push_str(" }");
            }
            Object::Closure(function, _) | Object::Bound(function, _) => {
                let name = &self.loaded.program.functions[usize::from(*function)].name;
                out.push_str(&format!("<fn {name}>"));
            }
            Object::Error { kind, message, .. } => {
                let kind = if *kind == ErrorKind::User {
                    "Error"
                } else {
                    kind.name()
                };
                let message = self.store.text(*message).map_or("", |text| text);
                out.push_str(&format!("{kind}: {message}"));
            }
            Object::Variant(variant, payload) => {
                let variant = &self.loaded.program.variants[usize::from(*variant)];
                let of = &self.loaded.program.enums[usize::from(variant.of)];
                out.push_str(&format!("{}.{}", of.name, variant.name));
                if payload.is_empty() {
                    return;
                }
                if level >= LEVELS {
                    out.push_str("(...)");
                    return;
                }
                out.push('(');
                for (at, &part) in payload.iter().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    self.write(part, level + 1, out);
                }
                out.push(')');
            }
            Object::Channel(_) => out.push_str("<channel>"),
            Object::Mutex(_) => out.push_str("<mutex>"),
            Object::Stream { .. } => out.push_str("<stream>"),
            Object::Weak { .. } => out.push_str("<weak>"),
            Object::Future(_) => out.push_str("<future>"),
            Object::Iterator(..) | Object::Cell(_) => out.push_str("<iterator>"),
        }
    }
}

fn put(out: &mut String, value: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{value}");
}
