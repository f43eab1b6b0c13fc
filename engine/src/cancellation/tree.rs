//! Which tasks a request reaches.
//!
//! The token of a task is the child of the token of the task that spawned it, unless it is
//! detached; that of a call is a root. A request reaches a token and all below it. When a task
//! ends, its children move up to its parent's token, as in `tokio_util`'s `CancellationToken`:
//! so a call's token reaches all that the call started, for as long as the call lasts.
//!
//! # Invariants
//! 1. Whatever is below a token whose cancellation was requested was requested, too.
//! 2. A node's children are those whose parent it is, and are all in the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gcrucible_platform::sync::Mutex;
use gcrucible_platform::{StopToken, planted};

use super::Token;

/// The tokens of all tasks that have not ended, by number.
#[derive(Debug, Default)]
pub(crate) struct TokenTree {
    nodes: Mutex<BTreeMap<u32, Node>>,
}

#[derive(Debug)]
struct Node {
    token: Arc<Token>,
    parent: Option<u32>,
    children: BTreeSet<u32>,
}

/// A token that a request reached.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) token: Arc<Token>,
    /// Whether its task has to be woken to see the request.
    pub(crate) is_news: bool,
    /// Those of its host operations, still to be fired.
    pub(crate) stops: Vec<StopToken>,
}

impl TokenTree {
    /// Adds a token, below that of the task which spawned the new one, if it has a parent. The
    /// child of a cancelled parent is born cancelled.
    pub(crate) fn link(
        self: &Arc<Self>,
        token: &Arc<Token>,
        parent: Option<u32>,
        now_ms: u64,
    ) -> Link {
        let mut nodes = self.nodes.lock();
        let mut parent = parent.filter(|parent| nodes.contains_key(parent));
        if planted!(B69, parent.is_some()) {
            parent = None;
        }
        if let Some(parent) = parent.and_then(|parent| nodes.get_mut(&parent)) {
            parent.children.insert(token.task());
            let is_answered = !parent.token.is_unanswered();
            if parent.token.is_requested() && !planted!(B207, is_answered) {
                // It runs nothing yet that had to be told.
                let _ = token.request(now_ms);
            }
        }
        let node = Node {
            token: Arc::clone(token),
            parent,
            children: BTreeSet::new(),
        };
        nodes.insert(token.task(), node);
        drop(nodes);
        Link {
            tree: Arc::clone(self),
            token: Arc::clone(token),
        }
    }

    /// Requests cancellation of a task and of all below it, which `is_timed` says of each
    /// whether it throws the error of its own time instead. Gives those that it reached, in
    /// order of their numbers: first the task itself, also if it was requested before, and then
    /// those for which it is the first request. Nobody, if the task has ended.
    pub(crate) fn request(
        &self,
        token: &Arc<Token>,
        now_ms: u64,
        is_timed: impl Fn(u32) -> bool,
    ) -> Vec<Reached> {
        let nodes = self.nodes.lock();
        if token.is_over() {
            return Vec::new();
        }
        let request = |token: &Arc<Token>| {
            let is_timed = is_timed(token.task());
            let stops = match is_timed {
                true => token.request_timed(now_ms),
                false => token.request(now_ms),
            };
            let is_first = stops.is_some();
            let stops = stops.unwrap_or_default();
            let reached = Reached {
                token: Arc::clone(token),
                is_news: is_first && !is_timed,
                stops,
            };
            (reached, is_first)
        };
        let (first, is_first) = request(token);
        let mut below = BTreeSet::new();
        let mut to_visit = vec![token.task()];
        // Below one that was requested before, all were (invariant 1).
        while let Some(node) = to_visit.pop().and_then(|task| nodes.get(&task))
            && is_first
        {
            to_visit.extend(&node.children);
            below.extend(&node.children);
        }
        let mut reached = vec![first];
        for task in below {
            let (one, is_first) = request(&nodes[&task].token);
            reached.extend(is_first.then_some(one));
        }
        reached
    }

    /// Number of tasks that have not ended; zero at rest.
    pub(crate) fn len(&self) -> usize {
        self.nodes.lock().len()
    }

    fn unlink(&self, token: &Arc<Token>) {
        let mut nodes = self.nodes.lock();
        token.set_over();
        let Some(node) = nodes.remove(&token.task()) else {
            return;
        };
        for child in &node.children {
            if let Some(child) = nodes.get_mut(child) {
                child.parent = node.parent;
            }
        }
        if let Some(parent) = node.parent.and_then(|parent| nodes.get_mut(&parent)) {
            parent.children.remove(&token.task());
            if !planted!(B206, !node.children.is_empty()) {
                parent.children.extend(node.children);
            }
        }
    }
}

/// A token's place in the tree. When it drops the task has ended, and its children move up.
#[derive(Debug)]
pub(crate) struct Link {
    tree: Arc<TokenTree>,
    token: Arc<Token>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tree.unlink(&self.token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token, and its place in the tree while its task has not ended.
    type Linked = (Arc<Token>, Option<Link>);

    fn tree_of<const N: usize>(parents: [Option<u32>; N]) -> (Arc<TokenTree>, [Linked; N]) {
        let tree = Arc::<TokenTree>::default();
        let mut number = 0;
        let linked = parents.map(|parent| {
            number += 1;
            let token = Arc::new(Token::new(number));
            let link = tree.link(&token, parent, 0);
            (token, Some(link))
        });
        (tree, linked)
    }

    fn reached(tree: &TokenTree, token: &Arc<Token>) -> Vec<u32> {
        let reached = tree.request(token, 0, |_| false);
        reached.iter().map(|reached| reached.token.task()).collect()
    }

    #[test]
    fn a_request_reaches_what_is_below_and_nobody_else() {
        let (tree, tokens) = tree_of([None, Some(1), Some(1), Some(2), None, Some(4)]);
        assert_eq!(reached(&tree, &tokens[1].0), [2, 4, 6]);
        assert!(!tokens[2].0.is_requested());
        assert_eq!(reached(&tree, &tokens[0].0), [1, 3]);
        assert!(!tokens[4].0.is_requested());
    }

    #[test]
    fn the_children_of_one_that_has_ended_move_up() {
        let (tree, mut tokens) = tree_of([None, Some(1), Some(2)]);
        tokens[1].1 = None;
        assert_eq!(reached(&tree, &tokens[1].0), [0; 0]);
        assert_eq!(reached(&tree, &tokens[0].0), [1, 3]);
        drop(tokens);
        assert_eq!(tree.len(), 0);
    }

    #[test]
    fn asked_again_only_the_task_itself_is_told() {
        let (tree, tokens) = tree_of([None, Some(1)]);
        assert_eq!(reached(&tree, &tokens[0].0), [1, 2]);
        assert_eq!(reached(&tree, &tokens[0].0), [1]);
    }

    #[test]
    fn the_child_of_a_cancelled_parent_is_born_cancelled() {
        let (tree, tokens) = tree_of([None]);
        assert_eq!(reached(&tree, &tokens[0].0), [1]);
        let child = Arc::new(Token::new(2));
        let _link = tree.link(&child, Some(1), 0);
        assert!(child.is_requested());
    }
}
