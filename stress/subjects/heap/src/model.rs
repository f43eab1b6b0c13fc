//! The graph as it ought to be: what refers to what, what is rooted, what was dropped.

use std::collections::BTreeMap;

/// The number of a node, in order of allocation.
pub(crate) type Id = u32;

/// One node.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModelNode {
    /// What its fields refer to.
    pub fields: Vec<Option<Id>>,
    /// What its weak field refers to.
    pub weak: Option<Id>,
    /// How many roots refer to it.
    pub rooted: u32,
    /// It was finalized.
    pub is_finalized: bool,
    /// It was dropped.
    pub is_dropped: bool,
    /// It could not be reached when a finalizer made something reachable again: weak references to
    /// it may be dead from then on.
    pub was_garbage: bool,
}

/// All nodes of a run.
#[derive(Debug, Default)]
pub(crate) struct Model {
    nodes: Vec<ModelNode>,
    /// Values by key.
    ephemerons: BTreeMap<Id, Vec<Id>>,
    /// What can be reached, by node; right unless `is_stale`.
    reached: Vec<bool>,
    work: Vec<Id>,
    is_stale: bool,
}

impl Model {
    /// A node more, with one root.
    pub(crate) fn alloc(&mut self, fields: usize) -> Id {
        self.is_stale = true;
        self.nodes.push(ModelNode {
            fields: vec![None; fields],
            rooted: 1,
            ..ModelNode::default()
        });
        self.nodes.len() as Id - 1
    }

    /// A node.
    pub(crate) fn node(&self, id: Id) -> Option<&ModelNode> {
        self.nodes.get(id as usize)
    }

    /// A node, to be changed.
    ///
    /// # Panics
    /// If there is none: the caller knows it from the model itself.
    pub(crate) fn node_mut(&mut self, id: Id) -> &mut ModelNode {
        self.is_stale = true;
        &mut self.nodes[id as usize]
    }

    /// The node was dropped, which nobody does to what can be reached.
    pub(crate) fn drop_node(&mut self, id: Id) {
        self.nodes[id as usize].is_dropped = true;
    }

    /// Keeps `value` reachable while `key` is.
    pub(crate) fn ephemeron(&mut self, key: Id, value: Id) {
        self.is_stale = true;
        self.ephemerons.entry(key).or_default().push(value);
    }

    /// Whether roots keep the node alive.
    pub(crate) fn is_reachable(&mut self, id: Id) -> bool {
        if self.is_stale {
            let roots =
                (0..self.nodes.len() as Id).filter(|id| self.nodes[*id as usize].rooted > 0);
            self.work.clear();
            self.work.extend(roots);
            self.mark();
            self.is_stale = false;
        }
        self.reached.get(id as usize).copied().unwrap_or(false)
    }

    /// Whether `to` is `from`, or can be reached from it.
    pub(crate) fn leads_to(&mut self, from: Id, to: Id) -> bool {
        self.is_stale = true;
        self.work.clear();
        self.work.push(from);
        self.mark();
        self.reached[to as usize]
    }

    fn mark(&mut self) {
        self.reached.clear();
        self.reached.resize(self.nodes.len(), false);
        while let Some(id) = self.work.pop() {
            if std::mem::replace(&mut self.reached[id as usize], true) {
                continue;
            }
            self.work
                .extend(self.nodes[id as usize].fields.iter().flatten());
            self.work
                .extend(self.ephemerons.get(&id).into_iter().flatten());
        }
    }

    /// A finalizer is about to make something reachable again.
    pub(crate) fn resurrect(&mut self) {
        for id in self.garbage() {
            self.nodes[id as usize].was_garbage = true;
        }
    }

    /// Nodes that cannot be reached, and were not dropped.
    pub(crate) fn garbage(&mut self) -> Vec<Id> {
        let all = 0..self.nodes.len() as Id;
        all.filter(|&id| !self.nodes[id as usize].is_dropped && !self.is_reachable(id))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_without_a_root_is_garbage_and_an_ephemeron_lives_with_its_key() {
        let mut model = Model::default();
        let (a, b, c) = (model.alloc(1), model.alloc(1), model.alloc(1));
        model.node_mut(a).fields[0] = Some(b);
        model.node_mut(b).fields[0] = Some(a);
        model.ephemeron(a, c);
        model.node_mut(b).rooted = 0;
        model.node_mut(c).rooted = 0;
        assert!(model.garbage().is_empty());
        assert!(model.leads_to(b, c));
        assert!(!model.leads_to(c, b));
        model.node_mut(a).rooted = 0;
        assert_eq!(model.garbage(), [a, b, c]);
    }
}
