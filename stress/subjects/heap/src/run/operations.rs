//! Each operation, on the model and on the heap.

use std::rc::Rc;

use super::Run;
use super::held::Held;
use crate::caps::Caps;
use crate::model::Id;
use crate::probe::{self, Look, Probe};
use crate::program::{Op, Plan};
use crate::subject::{Collect, HeapSubject, Node};

impl<H: HeapSubject> Run<H> {
    /// Does one operation, or skips it.
    pub(super) fn operate(self: &Rc<Self>, op: &Op) {
        if !self.may(op) || self.uses_what_is_busy(op) {
            return;
        }
        self.say(|| op.to_string());
        self.count(|counters| counters.operations += 1);
        let allocates = matches!(op, Op::Alloc { .. } | Op::Chain { .. });
        if allocates && self.knobs.collects_always && self.depth.get() == 0 {
            self.collect(Collect::Full);
        }
        match *op {
            Op::Alloc {
                to,
                fields,
                ref plan,
            } => self.alloc(to, usize::from(fields), plan),
            Op::Chain { to, length } => self.chain(to, usize::from(length) * 64),
            Op::Clone { from, to } => self.clone_root(from, to),
            Op::Drop { at } => self.drop_root(at, |heap, root| heap.unroot(root)),
            Op::DropElsewhere { at } => {
                self.drop_root(at, |heap, root| heap.unroot_elsewhere(root));
                for look in probe::dropped_elsewhere(self.number.get()) {
                    self.node_drops(look, None);
                }
            }
            Op::Load { at, field, to } => self.load(at, field, to),
            Op::Store { at, field, from } => self.store(at, field, Some(from)),
            Op::Clear { at, field } => self.store(at, field, None),
            Op::Downgrade { from, to } => {
                if let Some(root) = self.root(from) {
                    let weak = self.heap().downgrade(&root.it);
                    self.put_weak(to, Some((root.node, weak)));
                }
            }
            Op::Upgrade { from, to } => self.upgrade(from, to),
            Op::CloneWeak { from, to } => {
                if let Some(weak) = self.weak(from) {
                    let clone = self.heap().clone_weak(&weak.it);
                    self.put_weak(to, Some((weak.node, clone)));
                }
            }
            Op::DropWeak { at } => self.put_weak(at, None),
            Op::StoreWeak { at, from } => self.store_weak(at, from),
            Op::LoadWeak { at, to } => self.load_weak(at, to),
            Op::Ephemeron { key, value } => {
                if let Some((key, value)) = self.root(key).zip(self.root(value)) {
                    self.model.borrow_mut().ephemeron(key.node, value.node);
                    self.heap().ephemeron(&key.it, &value.it);
                }
            }
            Op::Same { one, other } => self.same(one, other),
            Op::Collect(how) => self.collect(how),
            Op::Fail { count } => {
                self.failures_due.set(count.into());
                self.heap().fail_allocations(count.into());
            }
            Op::Stranger { at } => self.stranger(at),
        }
    }

    /// Whether the operation would write to a place that one under way reads.
    fn uses_what_is_busy(&self, op: &Op) -> bool {
        match *op {
            Op::Alloc { to, .. }
            | Op::Chain { to, .. }
            | Op::Clone { to, .. }
            | Op::Load { to, .. }
            | Op::Upgrade { to, .. } => self.is_busy(to),
            Op::Drop { at } | Op::DropElsewhere { at } => self.is_busy(at),
            Op::Downgrade { to, .. } | Op::CloneWeak { to, .. } | Op::LoadWeak { to, .. } => {
                self.is_weak_busy(to)
            }
            Op::DropWeak { at } => self.is_weak_busy(at),
            _ => false,
        }
    }

    fn new_node(self: &Rc<Self>, fields: usize, plan: &Plan) -> Option<(Id, H::Ref)> {
        let id = self.model.borrow_mut().alloc(fields);
        let plan = (!plan.is_empty()).then(|| Rc::new(plan.clone()));
        self.plans.borrow_mut().push(plan);
        let probe = Probe::new(self.number.get(), id);
        let around = self.unborn.replace(Some(id));
        let allocated = self.heap().alloc(Node { probe, fields });
        self.unborn.set(around);
        if let Ok(root) = allocated {
            self.check(id, &root);
            return Some((id, root));
        }
        let mut model = self.model.borrow_mut();
        model.node_mut(id).rooted = 0;
        model.drop_node(id);
        drop(model);
        match self.failures_due.get() {
            0 => self.fail(
                "heap_keeps_its_contract",
                "alloc_fails",
                "the heap says that there is no memory, and nobody asked for that",
            ),
            due => {
                self.failures_due.set(due - 1);
                self.count(|counters| counters.faults += 1);
            }
        }
        None
    }

    fn alloc(self: &Rc<Self>, to: u8, fields: usize, plan: &Plan) {
        let most = if H::CAPS.has(Caps::ARRAYS) { 64 } else { 4 };
        let fields = fields.min(most).min(H::FIELDS_MAX);
        if let Some((id, root)) = self.new_node(fields, plan) {
            self.say(|| format!("it is node {id}"));
            self.put(to, Some((id, root)));
        }
    }

    fn chain(self: &Rc<Self>, to: u8, length: usize) {
        let mut head: Option<(Id, H::Ref)> = None;
        let held = Held::new(self);
        for _ in 0..length {
            let Some((id, root)) = self.new_node(1, &Plan::default()) else {
                break;
            };
            held.add(id);
            let Some((next, next_root)) = head.take() else {
                head = Some((id, root));
                continue;
            };
            self.model.borrow_mut().node_mut(id).fields[0] = Some(next);
            self.heap().set(&root, 0, Some(&next_root));
            self.model.borrow_mut().node_mut(next).rooted -= 1;
            held.forget(next);
            self.heap().unroot(next_root);
            head = Some((id, root));
        }
        held.forget_all();
        self.put(to, head);
    }

    fn clone_root(self: &Rc<Self>, from: u8, to: u8) {
        let Some(root) = self.root(from) else { return };
        let clone = self.heap().clone_root(&root.it);
        let id = root.node;
        drop(root);
        self.found(id, &clone);
        self.put(to, Some((id, clone)));
    }

    fn drop_root(self: &Rc<Self>, at: u8, give: impl FnOnce(&H, H::Ref)) {
        if let Some(root) = self.take(at) {
            self.unroot(root, give);
        }
    }

    fn load(self: &Rc<Self>, at: u8, field: u8, to: u8) {
        let Some((root, field)) = self.root_with_field(at, field) else {
            return;
        };
        let loaded = self.heap().get(&root.it, field);
        let expected = self.field(root.node, field);
        drop(root);
        match (loaded, expected) {
            (Some(loaded), Some(id)) => {
                self.found(id, &loaded);
                self.put(to, Some((id, loaded)));
            }
            (None, None) => self.put(to, None),
            (loaded, expected) => self.fail(
                "fields_hold_what_was_stored",
                "field",
                &format!(
                    "the field holds {}; expected {}",
                    loaded.map_or("nothing".to_owned(), |root| describe(self.look(&root))),
                    expected.map_or("nothing".to_owned(), |id| format!("node {id}"))
                ),
            ),
        }
    }

    fn store(self: &Rc<Self>, at: u8, field: u8, from: Option<u8>) {
        let Some((root, field)) = self.root_with_field(at, field) else {
            return;
        };
        let to = match from.map(|from| self.root(from)) {
            Some(None) => return,
            Some(Some(to)) => Some(to),
            None => None,
        };
        if let Some(to) = &to
            && !H::CAPS.has(Caps::CYCLES)
            && self.model.borrow_mut().leads_to(to.node, root.node)
        {
            return;
        }
        self.model.borrow_mut().node_mut(root.node).fields[field] = to.as_ref().map(|to| to.node);
        self.heap()
            .set(&root.it, field, to.as_ref().map(|to| &*to.it));
    }

    fn upgrade(self: &Rc<Self>, from: u8, to: u8) {
        let Some(weak) = self.weak(from) else { return };
        let upgraded = self.heap().upgrade(&weak.it);
        let id = weak.node;
        drop(weak);
        let (is_reachable, is_dropped) = self.state(id);
        self.observe(upgraded.is_some().into());
        match upgraded {
            Some(root) if is_dropped => {
                self.fail(
                    "weak_references_tell_the_truth",
                    "upgrade_of_dropped",
                    &format!("a weak reference is upgraded to node {id}, which was dropped"),
                );
                std::mem::forget(root);
            }
            Some(root) => {
                self.found(id, &root);
                self.put(to, Some((id, root)));
            }
            None if is_reachable && !self.was_garbage(id) => self.fail(
                "weak_references_tell_the_truth",
                "upgrade_refused",
                &format!("a weak reference to node {id} is not upgraded, though it is reachable"),
            ),
            None => {
                self.count(|counters| counters.weak_cleared += 1);
                self.put(to, None);
            }
        }
    }

    fn store_weak(self: &Rc<Self>, at: u8, from: u8) {
        let Some(root) = self.root(at) else { return };
        let weak = self.weak(from);
        self.model.borrow_mut().node_mut(root.node).weak = weak.as_ref().map(|weak| weak.node);
        self.heap()
            .set_weak(&root.it, weak.as_ref().map(|weak| &*weak.it));
    }

    fn load_weak(self: &Rc<Self>, at: u8, to: u8) {
        let Some(root) = self.root(at) else { return };
        let loaded = self.heap().get_weak(&root.it);
        let expected = self
            .model
            .borrow()
            .node(root.node)
            .and_then(|node| node.weak);
        drop(root);
        match (loaded, expected) {
            (Some(weak), Some(id)) => self.put_weak(to, Some((id, weak))),
            (None, None) => self.put_weak(to, None),
            (None, Some(id)) => self.fail(
                "fields_hold_what_was_stored",
                "weak_field",
                &format!("the weak field is empty; expected a weak reference to node {id}"),
            ),
            (Some(_), None) => self.fail(
                "fields_hold_what_was_stored",
                "weak_field",
                "the weak field holds something; expected nothing",
            ),
        }
    }

    fn same(self: &Rc<Self>, one: u8, other: u8) {
        let Some((one, other)) = self.root(one).zip(self.root(other)) else {
            return;
        };
        let is_same = self.heap().same(&one.it, &other.it);
        self.observe(is_same.into());
        if !self.heap().same(&one.it, &one.it) {
            self.fail(
                "heap_keeps_its_contract",
                "same_is_not_reflexive",
                "`same` says that a root differs from itself",
            );
        } else if is_same != (one.node == other.node) {
            self.fail(
                "fields_hold_what_was_stored",
                "same",
                &format!(
                    "`same` says {is_same} of roots of node {} and node {}",
                    one.node, other.node
                ),
            );
        }
    }

    /// Collects, and looks at what is left.
    pub(super) fn collect(self: &Rc<Self>, how: Collect) {
        self.count(|counters| match how {
            Collect::Full => counters.collections_major += 1,
            Collect::Minor | Collect::Step => counters.collections_minor += 1,
        });
        // What becomes garbage meanwhile, because a callback lets it go, may stay for the next collection.
        let due = self.model.borrow_mut().garbage();
        self.heap().collect(how);
        if self.depth.get() > 0 {
            return;
        }
        for (_, root) in self.all_roots() {
            self.check(root.node, &root.it);
        }
        if how == Collect::Full && !H::CAPS.has(Caps::FINALIZERS) {
            self.check_for_garbage(|id| due.binary_search(&id).is_ok() && !self.was_garbage(id));
        }
        self.verify();
    }

    fn stranger(self: &Rc<Self>, at: u8) {
        let Some(root) = self.root(at) else { return };
        if self.stranger.borrow().is_none() {
            let heap = Rc::new(H::new(&self.knobs));
            *self.stranger.borrow_mut() = Some(heap);
        }
        let stranger = self.stranger.borrow().clone();
        if stranger.is_some_and(|stranger| stranger.accepts(&root.it)) {
            self.fail(
                "strangers_are_refused",
                "accepted",
                &format!(
                    "another heap takes the root of node {} for one of its own",
                    root.node
                ),
            );
        }
    }

    /// A root and a field that its node has.
    fn root_with_field(&self, at: u8, field: u8) -> Option<(super::places::Root<H>, usize)> {
        let root = self.root(at)?;
        let fields = self.model.borrow().node(root.node)?.fields.len();
        (fields > 0).then(|| (root, usize::from(field) % fields))
    }

    /// What the model has in a field.
    pub(super) fn field(&self, id: Id, field: usize) -> Option<Id> {
        let model = self.model.borrow();
        model.node(id).and_then(|node| *node.fields.get(field)?)
    }

    /// Whether a node is reachable, and whether it was dropped.
    pub(super) fn state(&self, id: Id) -> (bool, bool) {
        let mut model = self.model.borrow_mut();
        let is_dropped = model.node(id).is_some_and(|node| node.is_dropped);
        (model.is_reachable(id), is_dropped)
    }

    /// Whether weak references to a node may be dead though it is reachable.
    fn was_garbage(&self, id: Id) -> bool {
        let model = self.model.borrow();
        model.node(id).is_some_and(|node| node.was_garbage)
    }

    /// The heap handed out a new root of a node.
    pub(super) fn found(&self, id: Id, root: &H::Ref) {
        self.model.borrow_mut().node_mut(id).rooted += 1;
        self.check(id, root);
    }

    /// A root must be one of this node, which lives.
    pub(super) fn check(&self, id: Id, root: &H::Ref) {
        let look = self.look(root);
        if look == Look::Live(id) {
            self.observe(id.into());
            return;
        }
        let (check, what) = match look {
            Look::Live(_) => ("identity", "is another node"),
            Look::Dropped(_) => ("use_after_drop", "was dropped"),
            Look::Garbage => ("use_after_free", "is no node any more"),
        };
        self.fail(
            "reachable_nodes_live",
            check,
            &format!("a root of node {id} {what}: {}", describe(look)),
        );
    }

    /// The heap's own checker.
    pub(super) fn verify(&self) {
        self.count(|counters| counters.verifications += 1);
        if let Err(what) = self.heap().verify() {
            self.fail("the_heap_verifies", "verify", &what);
        }
    }
}

/// What a probe says, in words.
pub(super) fn describe(look: Look) -> String {
    match look {
        Look::Live(id) => format!("node {id}"),
        Look::Dropped(id) => format!("node {id}, dropped"),
        Look::Garbage => "memory that is no node".to_owned(),
    }
}
