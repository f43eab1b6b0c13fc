//! Draws the heap of a scenario: its sizes and its debug modes.
//!
//! About a third of all scenarios is costly (see [`is_costly`](crate::scenario::is_costly)); the rest is cheap, so that
//! many of them run.

use gcrucible_heap::{
    CollectMode, HeapConfig, HeapDebug, KindMode, PromoteMode, VerifyLevel, VerifyWhen,
};

use crate::scenario::Fault;
use gcrucible_trace::choices::Choices;

/// Draws sizes and modes; `fixed` modes take the place of drawn ones. As many choices are
/// taken with them as without, so that what is drawn afterwards stays the same.
///
/// # Panics
/// If these are no modes of the heap; whoever lets people choose them reads them first.
pub fn draw_heap<C: Choices>(c: &mut C, fixed: Option<&str>) -> (HeapConfig, HeapDebug) {
    let config = draw_config(c);
    let drawn = HeapDebug {
        steps: steps_of(&config),
        ..draw_debug(c)
    };
    let fixed = fixed.map(|modes| modes.parse().expect("modes were read before"));
    (config, fixed.unwrap_or(drawn))
}

/// How small the steps of built-ins are: in one of four scenarios so small that nothing is done
/// in one go. It follows from the sizes, so that what is drawn is the same with it as without.
fn steps_of(config: &HeapConfig) -> Option<u32> {
    let sizes = [config.block_bytes, config.nursery_bytes, config.tlab_bytes];
    let sum: u32 = sizes.iter().map(|size| size.trailing_zeros()).sum();
    (sum % 4 == 1)
        .then(|| [1, 3, 10, 60][(sum as usize / 8 + config.tlab_bytes as usize / 128) % 4])
}

/// Draws which allocations fail: mostly none, else one, early or late. Most programs make
/// dozens of allocations.
pub fn draw_faults<C: Choices>(c: &mut C) -> Vec<Fault> {
    if !c.chance(1, 24) {
        return Vec::new();
    }
    let most = [12, 60, 300][c.weighted(&[3, 2, 1])];
    vec![Fault::OutOfMemory { at: c.below(most) }]
}

fn draw_config<C: Choices>(c: &mut C) -> HeapConfig {
    let block_bytes = 512 << c.below(4);
    HeapConfig {
        block_bytes,
        card_bytes: (64 << c.below(4)).min(block_bytes),
        nursery_bytes: 1024 << c.below(5),
        tlab_bytes: 128 << c.below(4),
        // In a small heap memory runs out at places that nobody thought of.
        limit_bytes: match c.chance(1, 6) {
            true => (256 << 10) << c.below(3),
            false => HeapConfig::tiny().limit_bytes,
        },
    }
}

fn draw_debug<C: Choices>(c: &mut C) -> HeapDebug {
    let zombie = c.chance(1, 4);
    let mut debug = HeapDebug {
        collect: draw_collect(c),
        kind: [KindMode::Natural, KindMode::Minor, KindMode::Alternate][c.weighted(&[5, 3, 2])],
        promote: [
            PromoteMode::Natural,
            PromoteMode::Always,
            PromoteMode::Never,
        ][c.weighted(&[6, 3, 1])],
        zombie,
        scribble: c.chance(1, 4),
        quarantine: if c.chance(1, 4) {
            c.within(1, 3) as u16
        } else {
            0
        },
        tags: c.chance(1, 4),
        verify: [VerifyLevel::Off, VerifyLevel::Quick][c.weighted(&[3, 2])],
        verify_when: [VerifyWhen::Both, VerifyWhen::Before, VerifyWhen::After]
            [c.weighted(&[6, 1, 1])],
        exhausted: None,
        steps: None,
        poison_dead: false,
        fail: Vec::new(),
    };
    if zombie {
        // Without these, zombies would be overwritten before anybody meets them.
        debug.quarantine = debug.quarantine.max(1);
        debug.tags = true;
    }
    match c.weighted(&[63, 13, 12, 12]) {
        0 => {}
        1 => debug.collect = CollectMode::EverySafepoint,
        2 => debug.kind = KindMode::Major,
        _ => debug.verify = VerifyLevel::Full,
    }
    if c.chance(1, 8) {
        debug.exhausted = Some(c.below(24));
    }
    debug.poison_dead = c.chance(1, 6);
    debug
}

fn draw_collect<C: Choices>(c: &mut C) -> CollectMode {
    match c.weighted(&[5, 7, 2, 6, 3, 1]) {
        0 => CollectMode::Natural,
        1 => CollectMode::EveryAllocations(c.within(1, 24)),
        2 => CollectMode::Continuous,
        3 => CollectMode::Seeded {
            seed: u64::from(c.below(1 << 16)),
            per_mille: [20, 60, 150, 400][c.below(4) as usize],
        },
        4 => {
            let mut at = 0;
            let points = (0..c.within(1, 4)).map(|_| {
                at += u64::from(c.within(1, 40));
                at
            });
            CollectMode::At(points.collect())
        }
        _ => CollectMode::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::is_costly;
    use gcrucible_trace::choices::SeededChoices;

    #[test]
    fn at_least_a_quarter_is_costly_and_all_can_be_written() {
        let mut c = SeededChoices::new(1);
        let mut costly = 0;
        for _ in 0..1000 {
            let (config, debug) = draw_heap(&mut c, None);
            costly += usize::from(is_costly(&debug));
            assert_eq!(debug.to_string().parse(), Ok(debug));
            assert!(config.card_bytes <= config.block_bytes);
        }
        assert!((250..500).contains(&costly), "{costly} of 1000");
    }

    #[test]
    fn fixed_modes_leave_what_follows_alone() {
        for seed in 0..20 {
            let (mut a, mut b) = (SeededChoices::new(seed), SeededChoices::new(seed));
            draw_heap(&mut a, None);
            let (_, debug) = draw_heap(&mut b, Some("natural"));
            assert_eq!(debug, HeapDebug::default());
            assert_eq!(a.bits(), b.bits());
        }
    }
}
