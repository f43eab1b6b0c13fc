//! Published crates under test: each is a lane by the name that `foreign.ron` gives it. The same source
//! is built three times, against versions with the bugs (`bad`, and `older` where two versions of one crate do not go
//! together) and against versions without them (`good`).
//!
//! Adapters and worlds are written for the shape of an interface, not for a bug: none of them knows one.
#![cfg_attr(
    feature = "older",
    allow(dead_code, reason = "it tests fewer crates, which need fewer shapes")
)]

mod heaps;
mod worlds;

use std::process::ExitCode;

use gcrucible_futures_subject::{FuturesLane, NamedWorld};
use gcrucible_heap_subject::{HeapLane, HeapSubject};
use gcrucible_quarantine::Quarantine;
use gcrucible_scenario::Lane;
use gcrucible_subject::{AnySubject, Build, NoBugs, Subjects};

#[global_allocator]
static GLOBAL: Quarantine = Quarantine;

/// Lanes in their order.
#[derive(Default)]
struct List(Vec<&'static dyn AnySubject>);

impl List {
    fn order(&self) -> u16 {
        Lane::EXTRA + self.0.len() as u16
    }

    fn heap<H: HeapSubject>(&mut self) {
        let lane: HeapLane<H> = HeapLane::new(self.order());
        self.0.push(Box::leak(Box::new(lane)));
    }

    fn worlds(&mut self, worlds: &[NamedWorld]) {
        for &(name, make) in worlds {
            let lane = FuturesLane::new(self.order(), name, make);
            self.0.push(Box::leak(Box::new(lane)));
        }
    }
}

fn main() -> ExitCode {
    let mut list = List::default();
    heaps::all(&mut list);
    list.worlds(worlds::ALL);
    list.worlds(worlds::OF_OLDER);
    let build = Box::leak(Box::new(Build {
        version: env!("CARGO_PKG_VERSION"),
        ..Build::default()
    }));
    gcrucible_command::main(Subjects::new(
        Box::leak(list.0.into_boxed_slice()),
        &NoBugs,
        build,
    ))
}
