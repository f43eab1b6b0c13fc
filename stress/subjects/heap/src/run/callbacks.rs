//! What happens when the heap calls back: nodes that drop, are finalized, are traced.

use std::any::Any;
use std::panic::resume_unwind;
use std::rc::Rc;

use super::operations::describe;
use super::{DEPTH_MAX, PlannedPanic, Run};
use crate::caps::Caps;
use crate::model::Id;
use crate::probe::{Listener, Look};
use crate::program::{Act, Plan};
use crate::subject::{HeapSubject, Inside};

impl<H: HeapSubject> Listener for Run<H> {
    fn dropped(&self, look: Look) {
        self.note_drop(look);
    }

    fn as_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

impl<H: HeapSubject> Run<H> {
    /// A node drops, and can still see its fields if `node` is given.
    pub(crate) fn node_drops(self: &Rc<Self>, look: Look, node: Option<&dyn Inside<H>>) {
        let Some(id) = self.note_drop(look) else {
            return;
        };
        let plan = self.plan(id);
        if let (Some(plan), Some(node)) = (plan, node) {
            self.act(id, &plan, |plan| &plan.on_drop, node);
        }
    }

    /// Judges a drop; the node, if it is one that may drop.
    fn note_drop(&self, look: Look) -> Option<Id> {
        self.say(|| format!("{} drops", describe(look)));
        let Look::Live(id) = look else {
            self.fail(
                "nodes_drop_once",
                "double_drop",
                &format!("the heap drops {}", describe(look)),
            );
            return None;
        };
        let (is_reachable, is_dropped) = self.state(id);
        if self.unborn.get() == Some(id) && !is_dropped {
            self.model.borrow_mut().drop_node(id);
            return None;
        }
        self.observe(u64::from(id) << 8 | 1);
        if is_dropped {
            self.fail(
                "nodes_drop_once",
                "double_drop",
                &format!("node {id} drops a second time"),
            );
            return None;
        }
        if is_reachable {
            self.fail(
                "reachable_nodes_live",
                "dropped_while_reachable",
                &format!("node {id} drops, though it can be reached"),
            );
        }
        self.model.borrow_mut().drop_node(id);
        self.count(|counters| counters.drops += 1);
        Some(id)
    }

    /// A node is finalized.
    pub(crate) fn node_is_finalized(self: &Rc<Self>, look: Look, node: &dyn Inside<H>) {
        self.say(|| format!("{} is finalized", describe(look)));
        let id = self.must_live(look, "finalized");
        let Some(id) = id else { return };
        self.count(|counters| counters.finalizers_queued += 1);
        self.model.borrow_mut().node_mut(id).is_finalized = true;
        if let Some(plan) = self.plan(id) {
            self.act(id, &plan, |plan| &plan.on_finalize, node);
        }
    }

    /// A node is traced.
    pub(crate) fn node_is_traced(self: &Rc<Self>, look: Look, node: &dyn Inside<H>) {
        let Some(id) = self.must_live(look, "traced") else {
            return;
        };
        if let Some(plan) = self.plan(id) {
            self.act(id, &plan, |plan| &plan.on_trace, node);
        }
    }

    /// Nothing but a drop happens to a node that was dropped.
    fn must_live(&self, look: Look, what: &str) -> Option<Id> {
        match look {
            Look::Live(id) if !self.state(id).1 => Some(id),
            look => {
                self.fail(
                    "reachable_nodes_live",
                    &format!("{what}_after_drop"),
                    &format!("{} is {what} after it was dropped", describe(look)),
                );
                None
            }
        }
    }

    fn plan(&self, id: Id) -> Option<Rc<Plan>> {
        self.plans.borrow().get(id as usize)?.clone()
    }

    /// Does what a node has planned, unless the run is at its end or has failed.
    fn act(
        self: &Rc<Self>,
        id: Id,
        plan: &Plan,
        of: impl Fn(&Plan) -> &Vec<Act>,
        node: &dyn Inside<H>,
    ) {
        let depth = self.depth.get();
        if !self.acts.get() || self.is_over() || depth >= DEPTH_MAX {
            return;
        }
        self.depth.set(depth + 1);
        for act in of(plan) {
            if self.is_over() {
                break;
            }
            match act {
                Act::Look(field) => self.look_inside(id, *field, node),
                Act::Take { field, to } => self.take_inside(id, *field, *to, node),
                Act::Use(op) => self.operate(op),
                Act::Panic => {
                    // A panic while another one unwinds would end the process.
                    if !std::thread::panicking() && !self.has_panicked.replace(true) {
                        self.say(|| format!("node {id} panics"));
                        self.depth.set(depth);
                        resume_unwind(Box::new(PlannedPanic));
                    }
                }
            }
        }
        self.depth.set(depth);
    }

    /// The field of a node in one of its callbacks, if it has fields.
    fn field_of(&self, id: Id, field: u8) -> Option<usize> {
        let fields = self.model.borrow().node(id)?.fields.len();
        (fields > 0).then(|| usize::from(field) % fields)
    }

    fn look_inside(self: &Rc<Self>, id: Id, field: u8, node: &dyn Inside<H>) {
        let Some(field) = self.field_of(id, field) else {
            return;
        };
        self.say(|| format!("node {id} looks at its field {field}"));
        let look = node.look(field);
        self.say(|| format!("it sees {}", look.map_or("nothing".to_owned(), describe)));
        let Some(look) = look else { return };
        let is_wrong = match look {
            // Itself it may see, whatever is happening to it.
            Look::Live(seen) => seen != id && self.state(seen).1,
            Look::Dropped(_) | Look::Garbage => true,
        };
        if is_wrong {
            self.fail(
                "reachable_nodes_live",
                "callback_sees_dropped",
                &format!(
                    "node {id} sees {} in its field {field}, after that was dropped",
                    describe(look)
                ),
            );
        }
    }

    fn take_inside(self: &Rc<Self>, id: Id, field: u8, to: u8, node: &dyn Inside<H>) {
        let may = H::CAPS.has(Caps::RESURRECTION) || H::CAPS.has(Caps::DROP_TAKES);
        let Some(field) = self.field_of(id, field).filter(|_| may) else {
            return;
        };
        if self.is_busy(to) {
            return;
        }
        let Some(root) = node.take(field) else { return };
        match (self.look(&root), self.field(id, field)) {
            (Look::Live(seen), Some(expected)) if seen == expected && !self.state(seen).1 => {
                self.say(|| format!("node {id} makes a root of node {seen}"));
                self.count(|counters| counters.zombies += 1);
                self.model.borrow_mut().resurrect();
                self.model.borrow_mut().node_mut(seen).rooted += 1;
                self.put(to, Some((seen, root)));
            }
            (look, _) => {
                self.fail(
                    "reachable_nodes_live",
                    "callback_takes_dropped",
                    &format!(
                        "node {id} takes {} out of its field {field}",
                        describe(look)
                    ),
                );
                std::mem::forget(root);
            }
        }
    }
}
