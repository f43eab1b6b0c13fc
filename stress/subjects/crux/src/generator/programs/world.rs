//! What a generated module declares, as the bodies that use it see it.

use crate::generator::aims::Aims;
use crate::generator::swarm::Swarm;
use crate::scenario::program::{Name, Stem};

/// What the generator knows of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::generator) enum Kind {
    Int,
    Text,
    /// An array of anything.
    List,
    /// A map of anything.
    Dict,
    /// An instance of that class.
    Object(u8),
    /// A closure with one parameter.
    Closure,
    /// A future of anything.
    Future,
    Channel,
    Mutex,
    Stream,
    Any,
}

/// A class and what its fields hold.
#[derive(Clone, Debug)]
pub(in crate::generator) struct ClassInfo {
    pub(in crate::generator) name: Name,
    pub(in crate::generator) fields: Vec<(Name, Kind)>,
    /// Methods with one parameter.
    pub(in crate::generator) methods: Vec<Name>,
    /// The field that counts how many elements an instance still has, if a loop can go over
    /// it.
    pub(in crate::generator) counter: Option<Name>,
}

/// A global and what it holds.
#[derive(Clone, Copy, Debug)]
pub(in crate::generator) struct GlobalInfo {
    pub(in crate::generator) name: Name,
    pub(in crate::generator) kind: Kind,
    /// Elements of a list that are always there.
    pub(in crate::generator) elements: u8,
    /// Whether its elements may be removed.
    pub(in crate::generator) shrinks: bool,
    /// Whether another module declares it: it cannot be assigned then.
    pub(in crate::generator) is_imported: bool,
}

/// A function that can be called or spawned.
#[derive(Clone, Debug)]
pub(in crate::generator) struct Signature {
    pub(in crate::generator) name: Name,
    pub(in crate::generator) params: Vec<Kind>,
    pub(in crate::generator) returns: Kind,
    /// Statements that a call executes, about, those of tasks it starts included.
    pub(in crate::generator) cost: i32,
    /// Tasks that a call starts, at most.
    pub(in crate::generator) tasks: i32,
}

/// All that bodies can refer to. It grows while the module is made: what is declared
/// later refers to what is declared earlier, so that calls never go round in circles.
#[derive(Clone, Debug)]
pub(in crate::generator) struct World {
    pub(in crate::generator) swarm: Swarm,
    pub(in crate::generator) classes: Vec<ClassInfo>,
    /// Enums, their variants, and how many values each of these holds.
    pub(in crate::generator) enums: Vec<(Name, Vec<(Name, u8)>)>,
    pub(in crate::generator) globals: Vec<GlobalInfo>,
    /// A global array of futures, which only grows.
    pub(in crate::generator) shared_futures: Option<Name>,
    pub(in crate::generator) helpers: Vec<Signature>,
    /// Functions that call themselves as often as their first argument says.
    pub(in crate::generator) recursive: Vec<Signature>,
    pub(in crate::generator) workers: Vec<Signature>,
    /// How strongly each topic is preferred in this scenario.
    pub(in crate::generator) topics: [u32; crate::generator::topics::Topic::COUNT],
    /// What the scenario is made to have.
    pub(in crate::generator) aims: Aims,
    /// Uses of `deep_copy` left; they are costly.
    pub(in crate::generator) copies_left: u8,
    names: [u16; 32],
}

impl World {
    pub(in crate::generator) fn new(
        swarm: Swarm,
        topics: [u32; crate::generator::topics::Topic::COUNT],
        aims: Aims,
    ) -> Self {
        World {
            swarm,
            classes: Vec::new(),
            enums: Vec::new(),
            globals: Vec::new(),
            shared_futures: None,
            helpers: Vec::new(),
            recursive: Vec::new(),
            workers: Vec::new(),
            topics,
            aims,
            copies_left: 2,
            names: [0; 32],
        }
    }

    /// A name that nothing else has.
    pub(in crate::generator) fn fresh(&mut self, stem: Stem) -> Name {
        let number = &mut self.names[stem as usize];
        *number += 1;
        Name::new(stem, *number)
    }
    /// The number that the next name of a stem will have.
    pub(in crate::generator) fn peek(&self, stem: Stem) -> u16 {
        self.names[stem as usize] + 1
    }
}
