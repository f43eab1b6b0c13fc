//! Passes over heap programs.

use gcrucible_heap::{CollectMode, CollectionKind};

use super::Search;
use crate::scenario::{Body, HeapOp, HeapOps, Scenario};
use gcrucible_trace::Refusal;

/// Places at which a single collection is tried.
const SINGLE_PLACES_MAX: usize = 64;

pub(super) fn shrink_heap_ops(search: &mut Search<'_, '_>) -> Result<(), Refusal> {
    search.drop_items(ops, set_ops)?;
    write_collections_out(search)?;
    shrink_counts(search)?;
    search.simplify_items(ops, set_ops, simpler)
}

/// Replaces a mode that collects by operations that do, which can be dropped one by one.
fn write_collections_out(search: &mut Search<'_, '_>) -> Result<(), Refusal> {
    if matches!(
        search.best().debug.collect,
        CollectMode::Natural | CollectMode::Never
    ) {
        return Ok(());
    }
    for kind in [CollectionKind::Minor, CollectionKind::Major] {
        for collect in [CollectMode::Never, CollectMode::Natural] {
            let mut scenario = search.best().clone();
            scenario.debug.collect = collect;
            let written = ops(&scenario)
                .into_iter()
                .flat_map(|op| [op, HeapOp::Collect(kind)]);
            let written = written.collect();
            set_ops(&mut scenario, written);
            if search.propose(scenario)? {
                return search.drop_items(ops, set_ops);
            }
        }
    }
    write_one_collection_out(search)
}

/// Replaces a mode that collects by one operation that does, at any place: where several
/// collections would spoil the failure.
fn write_one_collection_out(search: &mut Search<'_, '_>) -> Result<(), Refusal> {
    for at in 0..=ops(search.best()).len().min(SINGLE_PLACES_MAX) {
        for kind in [CollectionKind::Minor, CollectionKind::Major] {
            let mut scenario = search.best().clone();
            scenario.debug.collect = CollectMode::Natural;
            let mut written = ops(&scenario);
            written.insert(at, HeapOp::Collect(kind));
            set_ops(&mut scenario, written);
            if search.propose(scenario)? {
                return search.drop_items(ops, set_ops);
            }
        }
    }
    Ok(())
}

/// Fewer holders and registers.
fn shrink_counts(search: &mut Search<'_, '_>) -> Result<(), Refusal> {
    let set_holders: fn(&mut HeapOps, u8) = |body, count| body.holders = count;
    let set_registers: fn(&mut HeapOps, u8) = |body, count| body.registers = count;
    for (get, set) in [
        (
            (|body: &HeapOps| body.holders) as fn(&HeapOps) -> u8,
            set_holders,
        ),
        (|body: &HeapOps| body.registers, set_registers),
    ] {
        let now = body(search.best()).map_or(1, get);
        for fewer in [1, now / 2, now.saturating_sub(1)] {
            let mut scenario = search.best().clone();
            if let Body::HeapOps(body) = &mut scenario.body
                && (1..get(body)).contains(&fewer)
            {
                set(body, fewer);
                if search.propose(scenario)? {
                    break;
                }
            }
        }
    }
    Ok(())
}

fn body(scenario: &Scenario) -> Option<&HeapOps> {
    match &scenario.body {
        Body::HeapOps(body) => Some(body),
        Body::Programs(_) => None,
    }
}

fn ops(scenario: &Scenario) -> Vec<HeapOp> {
    body(scenario)
        .map(|body| body.ops.clone())
        .unwrap_or_default()
}

fn set_ops(scenario: &mut Scenario, ops: Vec<HeapOp>) {
    if let Body::HeapOps(body) = &mut scenario.body {
        body.ops = ops;
    }
}

/// The operation with one operand smaller, for each operand; a major collection as a minor
/// one.
fn simpler(op: &HeapOp) -> Vec<HeapOp> {
    if let HeapOp::Collect(kind) = op {
        return match kind {
            CollectionKind::Major => vec![HeapOp::Collect(CollectionKind::Minor)],
            CollectionKind::Minor => Vec::new(),
        };
    }
    let operands = operands(op);
    let mut simpler = Vec::new();
    for (at, &operand) in operands.iter().enumerate() {
        let mut smaller = [0, operand / 2, operand - operand.signum()].to_vec();
        smaller.dedup();
        for value in smaller.into_iter().filter(|value| *value != operand) {
            let mut changed = operands.clone();
            changed[at] = value;
            simpler.extend(with_operands(op, &changed));
        }
    }
    simpler
}

macro_rules! by_operands {
    ($($variant:ident($($operand:ident),+);)*) => {
        fn operands(op: &HeapOp) -> Vec<i32> {
            match *op {
                $(HeapOp::$variant($($operand),+) => vec![$(i32::from($operand)),+],)*
                HeapOp::Collect(_) => Vec::new(),
            }
        }

        /// The same operation with other operands; `None` if they do not fit.
        fn with_operands(op: &HeapOp, operands: &[i32]) -> Option<HeapOp> {
            match op {
                $(HeapOp::$variant(..) => {
                    let mut operands = operands.iter();
                    Some(HeapOp::$variant($({
                        let $operand = *operands.next()?;
                        $operand.try_into().ok()?
                    }),+))
                })*
                HeapOp::Collect(_) => None,
            }
        }
    };
}

by_operands! {
    SwitchHolder(a);
    Immediate(a, b);
    BigInt(a, b);
    String(a, b);
    Array(a, b);
    Map(a);
    Instance(a, b);
    LargeInstance(a, b);
    Enum(a, b, c);
    Cell(a, b);
    Closure(a, b, c);
    Bound(a, b, c);
    Iterator(a, b);
    Next(a, b);
    Error(a, b);
    Unscheduled(a, b, c);
    FutureCreate(a);
    FutureComplete(a, b);
    ArrayOf(a, b, c);
    Intern(a, b);
    Channel(a, b);
    Send(a, b);
    Receive(a, b);
    Close(a);
    Mutex(a);
    Acquire(a);
    Release(a);
    Stream(a, b);
    Take(a);
    End(a);
    Weak(a, b);
    Target(a, b);
    Finalizer(a, b);
    Finalize(a);
    Copy(a, b);
    Clear(a);
    Load(a, b, c);
    StoreField(a, b, c);
    StoreElement(a, b, c);
    Push(a, b);
    Insert(a, b, c);
    Remove(a, b);
    Extend(a, b);
    Fill(a, b);
    Reverse(a);
    Slice(a, b, c);
    RemoveAll(a);
    MapSetMany(a, b, c);
    MapSet(a, b, c);
    MapGet(a, b, c);
    MapRemove(a, b);
    DeepCopy(a, b);
    DeepEquals(a, b);
    Protect(a);
    Unprotect(a);
    Reprotect(a, b);
    ProtectCopy(a);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simpler_operations_have_smaller_operands() {
        let op = HeapOp::Immediate(1, -9);
        let simpler = simpler(&op);
        assert!(simpler.contains(&HeapOp::Immediate(0, -9)));
        assert!(simpler.contains(&HeapOp::Immediate(1, 0)));
        assert!(simpler.contains(&HeapOp::Immediate(1, -8)));
        for candidate in &simpler {
            let sum = |op: &HeapOp| operands(op).iter().map(|n| n.abs()).sum::<i32>();
            assert!(sum(candidate) < sum(&op), "{candidate:?}");
        }
        assert!(super::simpler(&HeapOp::Clear(0)).is_empty());
    }
}
