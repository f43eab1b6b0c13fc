//! The right to make roots, which the engine claims once.
#![allow(unsafe_code, reason = "the collector believes what a provider says")]

use gcrucible_heap::RootRight;

/// The right of this crate.
// SAFETY: rule 1: each provider of the crate (calls, the registry, conversions under way) passes
// all its slots on, as its own comment says. Two slots that none knows are there for seeded bugs
// alone, which are that very omission, and no build without the switches fills them. Rule 2: an
// engine has one heap. Rule 3: who copies a slot has a permit, as what is around it shows; again but
// for what a seeded bug copies. Rule 4: all that hands slots out is private to the crate.
pub(crate) const ROOTS: RootRight = unsafe { RootRight::claim() };
