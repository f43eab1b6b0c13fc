//! What scenarios of each lane may have, and what they never have.

use gcrucible_trace::{EventKind, FeatureSet, FeatureTable};

use crate::generator::swarm::Feature;
use crate::scenario::HeapOp;

const fn set(features: &[Feature]) -> FeatureSet {
    let mut set = FeatureSet::NONE;
    let mut at = 0;
    while at < features.len() {
        set = set.with(features[at] as usize);
        at += 1;
    }
    set
}

/// Those of lanes in which operations go straight to the heap: each kind of operation.
pub(super) const OF_HEAP_OPS: FeatureTable = FeatureTable {
    names: HeapOp::KINDS,
    rules: &[],
};

/// Those of lanes whose host has one version of the program.
pub(super) const OF_PROGRAMS: FeatureTable = FeatureTable {
    names: Feature::NAMES,
    rules: &[(
        "the lane: its host neither forks nor reloads",
        set(&Feature::OF_VERSIONS),
        FeatureSet::ALL,
    )],
};

/// Those of lanes whose host forks and reloads.
pub(super) const OF_VERSIONS: FeatureTable = FeatureTable {
    names: Feature::NAMES,
    rules: &[],
};

/// The features that bring about an event of a program.
pub(super) fn behind(event: EventKind) -> FeatureSet {
    set(match event {
        EventKind::Spawn => &[Feature::NestedTasks, Feature::TasksAtInit],
        EventKind::Await => &[Feature::AwaitInside, Feature::SharedFutures],
        EventKind::Complete => &[Feature::SharedFutures, Feature::Squads],
        EventKind::Fail | EventKind::Throw => &[Feature::Throw],
        EventKind::Cancel => &[Feature::Cancel, Feature::HostCancel],
        EventKind::Deadline => &[Feature::Deadlines],
        EventKind::Interrupt => &[Feature::Interrupts],
        EventKind::Minor | EventKind::Major | EventKind::Promote => {
            &[Feature::Collect, Feature::HostCollect]
        }
        EventKind::BarrierHit => &[Feature::Arrays, Feature::SharedCells],
        EventKind::TlabRefill => &[Feature::Loops],
        EventKind::ReloadBegin | EventKind::ReloadSwap | EventKind::ReloadFail => {
            &[Feature::Reloads]
        }
        EventKind::Fork | EventKind::ForkDrop => &[Feature::Forks],
        EventKind::Protect | EventKind::Unprotect => &[Feature::HostProtect],
        EventKind::CallBegin => &[Feature::HostIds, Feature::HostJoin],
        EventKind::CallEnd => &[Feature::HostJoin],
        EventKind::CallDrop => &[Feature::HostDrop],
        EventKind::ChannelSend | EventKind::ChannelReceive => &[Feature::Channels],
        EventKind::StreamNext => &[Feature::Streams],
        EventKind::GuardAcquire | EventKind::GuardRelease => &[Feature::Guards],
        EventKind::Catch => &[Feature::Catch],
    })
}
