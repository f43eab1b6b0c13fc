//! How programs become smaller.

use gcrucible_scenario::Plain;
use gcrucible_shrink::Search;
use gcrucible_trace::Refusal;

use super::program::{Act, Op, Plan, Program};
use super::subject::Knobs;

/// Drops operations, then what callbacks do, then makes numbers smaller.
pub(crate) fn reduce(search: &mut Search<'_, '_, Plain<Program>>) -> Result<(), Refusal> {
    let mut scenario = search.best().clone();
    scenario.body.knobs = Knobs::default();
    search.propose(scenario)?;
    search.drop_items(ops, set_ops)?;
    search.simplify_items(ops, set_ops, simpler)?;
    drop_pairs(search)
}

fn ops(scenario: &Plain<Program>) -> Vec<Op> {
    scenario.body.ops.clone()
}

fn set_ops(scenario: &mut Plain<Program>, ops: Vec<Op>) {
    scenario.body.ops = ops;
}

/// Drops two operations that need one another, once there are few.
fn drop_pairs(search: &mut Search<'_, '_, Plain<Program>>) -> Result<(), Refusal> {
    const FEW: usize = 24;
    let mut first = 0;
    while first < search.best().body.ops.len() && search.best().body.ops.len() <= FEW {
        let mut second = first + 1;
        while second < search.best().body.ops.len() {
            let mut scenario = search.best().clone();
            scenario.body.ops.remove(second);
            scenario.body.ops.remove(first);
            if !search.propose(scenario)? {
                second += 1;
            }
        }
        first += 1;
    }
    Ok(())
}

/// Simpler operations in place of one, the simplest first.
fn simpler(op: &Op) -> Vec<Op> {
    match op {
        // What matters may be only that the root goes that was there.
        Op::Clone { to, .. } | Op::Load { to, .. } | Op::Upgrade { to, .. } => {
            vec![Op::Drop { at: *to }]
        }
        Op::Alloc { to, fields, plan } => {
            let mut simpler = Vec::new();
            let mut with = |fields: u8, plan: Plan| {
                simpler.push(Op::Alloc {
                    to: *to,
                    fields,
                    plan,
                });
            };
            if !plan.is_empty() {
                with(*fields, Plan::default());
            }
            for plan in simpler_plans(plan) {
                with(*fields, plan);
            }
            for fewer in [0, 1, fields / 2, fields.saturating_sub(1)] {
                if fewer < *fields {
                    with(fewer, plan.clone());
                }
            }
            simpler
        }
        Op::Chain { to, length } if *length > 1 => [1, length / 2, length - 1]
            .map(|length| Op::Chain { to: *to, length })
            .to_vec(),
        Op::Fail { count } if *count > 1 => vec![Op::Fail { count: 1 }],
        Op::DropElsewhere { at } => vec![Op::Drop { at: *at }],
        Op::Store { at, field, from } if *field > 0 => vec![Op::Store {
            at: *at,
            field: 0,
            from: *from,
        }],
        _ => Vec::new(),
    }
}

/// The plan with one act less, or with a simpler one.
fn simpler_plans(plan: &Plan) -> Vec<Plan> {
    type Part = fn(&mut Plan) -> &mut Vec<Act>;
    let parts: [Part; 3] = [
        |plan| &mut plan.on_drop,
        |plan| &mut plan.on_finalize,
        |plan| &mut plan.on_trace,
    ];
    let mut plans = Vec::new();
    for part in parts {
        let acts = part(&mut plan.clone()).clone();
        for (at, act) in acts.iter().enumerate() {
            let mut fewer = plan.clone();
            part(&mut fewer).remove(at);
            plans.push(fewer);
            if let Act::Use(op) = act {
                for op in simpler(op) {
                    let mut other = plan.clone();
                    part(&mut other)[at] = Act::Use(op);
                    plans.push(other);
                }
            }
        }
    }
    plans
}
