//! The order of dependent steps, as one number.
//!
//! Each step gets a hash of its actor, of what it touched, and of the hashes of the steps
//! that it depends on; the sum over all steps of a run does not depend on the order in which
//! independent ones came. So two prefixes with the same sum are two orders of the same
//! partial order, and have led to the same state. That is what CHESS keeps instead of states
//! (Musuvathi, Qadeer: "Partial-order reduction for context-bounded state exploration",
//! MSR-TR-2007-12). The hash has 128 bits: a collision, which would hide a schedule, is not to
//! be expected in any run that ends.

use rustc_hash::FxHashMap;

use super::touched::{Resource, Touched};

/// The partial order of the steps of one run so far.
#[derive(Clone, Debug, Default)]
pub(super) struct HappensBefore {
    resources: FxHashMap<Resource, Accesses>,
    /// Hash of each actor's last step.
    actors: FxHashMap<u32, u128>,
    sum: u128,
    /// Scratch.
    links: Vec<(Resource, bool)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Accesses {
    /// Hash of the last step that wrote it.
    write: u128,
    /// Sum of the hashes of those that read it since.
    reads: u128,
}

impl HappensBefore {
    /// Forgets all steps.
    pub(super) fn clear(&mut self) {
        self.resources.clear();
        self.actors.clear();
        self.sum = 0;
    }

    /// The number that stands for the partial order.
    pub(super) fn sum(&self) -> u128 {
        self.sum
    }

    /// Adds a step. Actors that it made ready, or not ready, count as written.
    pub(super) fn add(&mut self, actor: u32, touched: &Touched, changed: &[u32]) {
        let mut links = std::mem::take(&mut self.links);
        links.clear();
        links.push((Resource::World, false));
        links.push((Resource::Task(actor), false));
        links.extend(touched.reads.iter().map(|&resource| (resource, false)));
        links.extend(touched.writes.iter().map(|&resource| (resource, true)));
        links.extend(changed.iter().map(|&task| (Resource::Task(task), true)));
        // One entry for each resource, as a write if it is one at all.
        links.sort_unstable();
        links.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            earlier.1 |= is_same && later.1;
            is_same
        });
        let last = self.actors.entry(actor).or_default();
        let mut hash = join(u128::from(actor) + 1, *last);
        for &(resource, is_write) in &links {
            let accesses = self.resources.entry(resource).or_default();
            hash = join(hash, join(name(resource), accesses.write));
            if is_write {
                hash = join(hash, join(1, accesses.reads));
            }
        }
        *last = hash;
        for &(resource, is_write) in &links {
            let accesses = self.resources.entry(resource).or_default();
            if is_write {
                *accesses = Accesses {
                    write: hash,
                    reads: 0,
                };
            } else {
                accesses.reads = accesses.reads.wrapping_add(hash);
            }
        }
        self.sum = self.sum.wrapping_add(hash);
        self.links = links;
    }
}

/// A number for a resource.
fn name(resource: Resource) -> u128 {
    let (sort, which) = match resource {
        Resource::World => (0, 0),
        Resource::Task(task) => (1, u64::from(task)),
        Resource::Of { space, id } => (2 + u128::from(space), id),
    };
    u128::from(which) << 8 | sort
}

/// A hash of two numbers, in this order.
fn join(first: u128, second: u128) -> u128 {
    const STEP: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;
    const ODD: [u128; 2] = [
        0xDA94_2042_E4DD_58B5_94D0_49BB_1331_11EB,
        0xBF58_476D_1CE4_E5B9_2360_ED05_1FC6_5DA5,
    ];
    let mut x = first.wrapping_mul(STEP) ^ second;
    for odd in ODD {
        x = x.wrapping_add(STEP);
        x = (x ^ (x >> 67)).wrapping_mul(odd);
    }
    x ^ (x >> 61)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(id: u32) -> Resource {
        Resource::Of {
            space: 0,
            id: id.into(),
        }
    }

    fn reads(variable: u32) -> Touched {
        Touched {
            reads: vec![other(variable)],
            ..Touched::default()
        }
    }

    fn writes(variable: u32) -> Touched {
        Touched {
            writes: vec![other(variable)],
            ..Touched::default()
        }
    }

    fn sum(steps: &[(u32, Touched)]) -> u128 {
        let mut order = HappensBefore::default();
        for (actor, touched) in steps {
            order.add(*actor, touched, &[]);
        }
        order.sum()
    }

    #[test]
    fn independent_neighbours_may_change_places() {
        let (one, two) = ((1, writes(1)), (2, writes(2)));
        assert_eq!(
            sum(&[one.clone(), two.clone()]),
            sum(&[two.clone(), one.clone()])
        );
        let (one, two) = ((1, reads(1)), (2, reads(1)));
        assert_eq!(
            sum(&[one.clone(), two.clone()]),
            sum(&[two.clone(), one.clone()])
        );
        let readers = [(1, reads(5)), (2, reads(5)), (3, writes(5))];
        let swapped = [readers[1].clone(), readers[0].clone(), readers[2].clone()];
        assert_eq!(sum(&readers), sum(&swapped));
    }

    #[test]
    fn dependent_steps_keep_their_order() {
        let (one, two) = ((1, writes(1)), (2, reads(1)));
        assert_ne!(
            sum(&[one.clone(), two.clone()]),
            sum(&[two.clone(), one.clone()])
        );
        let world = (3, Touched::everything());
        assert_ne!(
            sum(&[one.clone(), world.clone()]),
            sum(&[world.clone(), one.clone()])
        );
        assert_ne!(
            sum(&[one.clone(), two.clone()]),
            sum(std::slice::from_ref(&one))
        );
        assert_ne!(
            sum(&[(1, reads(1)), (1, writes(1))]),
            sum(&[(1, writes(1)), (1, reads(1))])
        );
    }

    #[test]
    fn a_resource_that_is_read_and_written_is_written() {
        let both = Touched {
            reads: vec![other(1)],
            writes: vec![other(1)],
            ..Touched::default()
        };
        assert_ne!(
            sum(&[(1, both.clone()), (2, both.clone())]),
            sum(&[(2, both.clone()), (1, both)])
        );
    }
}
