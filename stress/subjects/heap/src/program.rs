//! Programs: operations on a heap as plain data. Every program can be run: places are taken
//! modulo how many there are, and an operation on an empty place does nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::subject::{Collect, Knobs};

/// Strong places.
pub(crate) const ROOTS: usize = 6;
/// Weak places.
pub(crate) const WEAKS: usize = 4;

/// A program with the settings of its heap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The heap's settings.
    #[serde(default)]
    pub knobs: Knobs,
    /// What is done, in order. At the end all roots are dropped and everything is collected.
    pub ops: Vec<Op>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the fields are places: `from` is read, `to` is written, `at` is the node"
)]
pub enum Op {
    /// Allocates a node with so many fields.
    Alloc { to: u8, fields: u8, plan: Plan },
    /// Allocates a list of `length` times 64 nodes, each in the first field of the one before.
    Chain { to: u8, length: u8 },
    /// Clones a root.
    Clone { from: u8, to: u8 },
    /// Drops a root.
    Drop { at: u8 },
    /// Drops a root on another thread.
    DropElsewhere { at: u8 },
    /// Reads a field.
    Load { at: u8, field: u8, to: u8 },
    /// Writes a field.
    Store { at: u8, field: u8, from: u8 },
    /// Empties a field.
    Clear { at: u8, field: u8 },
    /// Makes a weak reference.
    Downgrade { from: u8, to: u8 },
    /// Makes a root of a weak reference.
    Upgrade { from: u8, to: u8 },
    /// Clones a weak reference.
    CloneWeak { from: u8, to: u8 },
    /// Drops a weak reference.
    DropWeak { at: u8 },
    /// Stores a weak reference in a node.
    StoreWeak { at: u8, from: u8 },
    /// Reads the weak reference of a node.
    LoadWeak { at: u8, to: u8 },
    /// Keeps a value alive as long as a key.
    Ephemeron { key: u8, value: u8 },
    /// Compares two roots.
    Same { one: u8, other: u8 },
    /// Collects.
    Collect(Collect),
    /// Lets the next allocations fail.
    Fail { count: u8 },
    /// Shows a root to another heap.
    Stranger { at: u8 },
}

/// What a node does when something happens to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// When it is dropped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_drop: Vec<Act>,
    /// When it is finalized.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_finalize: Vec<Act>,
    /// When it is traced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_trace: Vec<Act>,
}

impl Plan {
    /// Whether it does nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many acts there are.
    pub fn len(&self) -> usize {
        self.on_drop.len() + self.on_finalize.len() + self.on_trace.len()
    }
}

/// What happens in a callback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// The node looks at a field of its own.
    Look(u8),
    /// The node makes a root of a field of its own.
    Take {
        /// The field.
        field: u8,
        /// The place of the root.
        to: u8,
    },
    /// The heap is used again.
    Use(Op),
    /// It panics.
    Panic,
}

impl Program {
    /// Operations, with those in callbacks.
    pub fn size(&self) -> usize {
        let acts = self.ops.iter().map(|op| match op {
            Op::Alloc { plan, .. } => plan.len(),
            _ => 0,
        });
        self.ops.len() + acts.sum::<usize>()
    }

    /// The program for people, a line for each operation.
    pub fn listing(&self) -> String {
        let mut out = String::new();
        if self.knobs != Knobs::default() {
            out.push_str(&format!("{:?}\n", self.knobs));
        }
        for op in &self.ops {
            out.push_str(&format!("  {op}\n"));
        }
        out.push_str("  drop all roots, collect everything\n");
        out
    }
}

impl Op {
    /// The name of the operation: a site of failures.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Alloc { .. } => "alloc",
            Op::Chain { .. } => "chain",
            Op::Clone { .. } => "clone",
            Op::Drop { .. } => "drop",
            Op::DropElsewhere { .. } => "drop_elsewhere",
            Op::Load { .. } => "load",
            Op::Store { .. } => "store",
            Op::Clear { .. } => "clear",
            Op::Downgrade { .. } => "downgrade",
            Op::Upgrade { .. } => "upgrade",
            Op::CloneWeak { .. } => "clone_weak",
            Op::DropWeak { .. } => "drop_weak",
            Op::StoreWeak { .. } => "store_weak",
            Op::LoadWeak { .. } => "load_weak",
            Op::Ephemeron { .. } => "ephemeron",
            Op::Same { .. } => "same",
            Op::Collect(_) => "collect",
            Op::Fail { .. } => "fail",
            Op::Stranger { .. } => "stranger",
        }
    }
}

/// Place number `index` of the roots.
fn r(index: u8) -> String {
    format!("r{}", usize::from(index) % ROOTS)
}

/// Place number `index` of the weak references.
fn w(index: u8) -> String {
    format!("w{}", usize::from(index) % WEAKS)
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Alloc { to, fields, plan } => {
                write!(f, "{} = alloc({fields} fields)", r(*to))?;
                let when = [
                    ("drop", &plan.on_drop),
                    ("finalize", &plan.on_finalize),
                    ("trace", &plan.on_trace),
                ];
                for (name, acts) in when.iter().filter(|(_, acts)| !acts.is_empty()) {
                    let acts: Vec<_> = acts.iter().map(ToString::to_string).collect();
                    write!(f, " on {name} {{ {} }}", acts.join("; "))?;
                }
                Ok(())
            }
            Op::Chain { to, length } => {
                write!(f, "{} = chain({})", r(*to), usize::from(*length) * 64)
            }
            Op::Clone { from, to } => write!(f, "{} = clone({})", r(*to), r(*from)),
            Op::Drop { at } => write!(f, "drop({})", r(*at)),
            Op::DropElsewhere { at } => write!(f, "on another thread: drop({})", r(*at)),
            Op::Load { at, field, to } => write!(f, "{} = {}.{field}", r(*to), r(*at)),
            Op::Store { at, field, from } => write!(f, "{}.{field} = {}", r(*at), r(*from)),
            Op::Clear { at, field } => write!(f, "{}.{field} = nothing", r(*at)),
            Op::Downgrade { from, to } => write!(f, "{} = downgrade({})", w(*to), r(*from)),
            Op::Upgrade { from, to } => write!(f, "{} = upgrade({})", r(*to), w(*from)),
            Op::CloneWeak { from, to } => write!(f, "{} = clone({})", w(*to), w(*from)),
            Op::DropWeak { at } => write!(f, "drop({})", w(*at)),
            Op::StoreWeak { at, from } => write!(f, "{}.weak = {}", r(*at), w(*from)),
            Op::LoadWeak { at, to } => write!(f, "{} = {}.weak", w(*to), r(*at)),
            Op::Ephemeron { key, value } => write!(f, "ephemeron({}, {})", r(*key), r(*value)),
            Op::Same { one, other } => write!(f, "same({}, {})", r(*one), r(*other)),
            Op::Collect(how) => write!(f, "collect({how:?})"),
            Op::Fail { count } => write!(f, "let {count} allocations fail"),
            Op::Stranger { at } => write!(f, "another heap is shown {}", r(*at)),
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Look(field) => write!(f, "look at self.{field}"),
            Act::Take { field, to } => write!(f, "{} = clone(self.{field})", r(*to)),
            Act::Use(op) => write!(f, "{op}"),
            Act::Panic => f.write_str("panic"),
        }
    }
}
