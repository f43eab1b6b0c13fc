//! The host's part: calls, and what races with them.

use gcrucible_heap::CollectionKind;

use super::interrupts::SIGNALS;
use super::versions::Versions;
use crate::generator::aims::Aims;
use crate::generator::swarm::{Feature, Swarm};
use crate::generator::{Focus, features};
use crate::scenario::program::Name;
use crate::scenario::{Header, HostEvent};
use gcrucible_trace::choices::Choices;

/// A function that the host can call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::generator) struct EntryPoint {
    /// Its name.
    pub(in crate::generator) name: Name,
    /// Number of its parameters.
    pub(in crate::generator) params: usize,
}

/// The id of the last call, which reads back what all others left.
pub(in crate::generator) const READ_BACK_CALL: u32 = 99;

/// What a host script is to have.
#[derive(Clone, Copy, Debug)]
pub(in crate::generator) struct Wanted {
    pub(in crate::generator) swarm: Swarm,
    pub(in crate::generator) focus: Focus,
    /// What the scenario is made to have.
    pub(in crate::generator) aims: Aims,
}

/// Draws a host script of `calls` calls of `entries`, ending with one of `read_back`.
pub(in crate::generator) fn host_script<C: Choices>(
    c: &mut C,
    Wanted { swarm, focus, aims }: Wanted,
    versions: &Versions,
    entries: &[EntryPoint],
    read_back: Option<EntryPoint>,
    calls: u32,
) -> Vec<HostEvent> {
    let mut script = Script {
        c,
        swarm,
        focus,
        versions,
        events: Vec::with_capacity(16),
        ids: Vec::new(),
        forks: Vec::new(),
        requests: Vec::new(),
    };
    // What the program is made to have is in the first entry: it is called first.
    let is_aimed = aims.iter().next().is_some();
    for at in 0..calls {
        script.between();
        script.forks();
        script.call(if is_aimed && at == 0 {
            &entries[..1]
        } else {
            entries
        });
    }
    script.between();
    for feature in aims.iter() {
        if !features::in_host_script(&script.events).has(feature) {
            script.on_purpose(feature, entries);
        }
    }
    script.end(read_back);
    script.events
}

struct Script<'a, C> {
    c: &'a mut C,
    swarm: Swarm,
    focus: Focus,
    versions: &'a Versions,
    events: Vec<HostEvent>,
    /// Ids given to calls so far.
    ids: Vec<u32>,
    /// Forks that it has, as far as none was refused.
    forks: Vec<u32>,
    /// Calls of requests whose clients are there, as far as none was refused.
    requests: Vec<u32>,
}

impl<C: Choices> Script<'_, C> {
    fn sometimes(&mut self, feature: Feature, of: u32) -> bool {
        self.swarm.has(feature) && self.c.chance(1, of)
    }

    /// Does what the scenario is made to have; nothing for what the host does not do.
    fn on_purpose(&mut self, feature: Feature, entries: &[EntryPoint]) {
        let call = self.some_id();
        let event = match feature {
            Feature::HostCancel => HostEvent::CancelCall { call },
            Feature::HostDrop => HostEvent::DropCall { call },
            Feature::HostProtect => {
                self.events.push(HostEvent::JoinCall { call });
                return self.protect(call);
            }
            Feature::HostCollect => HostEvent::Collect { kind: self.kind() },
            Feature::HostTime => HostEvent::AdvanceTime {
                ms: self.c.within(1, 5),
            },
            Feature::HostJoin => {
                self.events.push(HostEvent::JoinCall { call });
                return self.call(entries);
            }
            Feature::HostIds => return self.call_again(entries),
            Feature::Forks => {
                let fork = (1..).find(|fork| !self.forks.contains(fork)).unwrap_or(1);
                self.forks.push(fork);
                self.events.push(HostEvent::Fork { fork });
                return self.call(entries);
            }
            Feature::Requests | Feature::Disconnects => {
                let Some(&entry) = entries.first() else {
                    return;
                };
                let call = self.ids.len() as u32 + 1;
                self.request(call, &entry.name.to_string(), &vec![1; entry.params]);
                match feature {
                    Feature::Disconnects => HostEvent::Disconnect { call },
                    _ => return,
                }
            }
            Feature::Reloads => {
                let count = self.versions.sources.len() as u32;
                if count == 0 {
                    return;
                }
                let version = self.c.below(count);
                let forced = self.c.chance(1, 3);
                self.events.push(HostEvent::Reload { version, forced });
                HostEvent::Tick
            }
            Feature::Preloads => return self.versions.preload(self.c, &mut self.events),
            _ => return,
        };
        self.events.push(event);
    }

    /// A call with an id that another one has, or had.
    fn call_again(&mut self, entries: &[EntryPoint]) {
        let taken = self.ids.len();
        let (Some(&entry), true) = (entries.first(), taken > 0) else {
            return;
        };
        let call = self.ids[self.c.below(taken as u32) as usize];
        if self.c.chance(1, 2) {
            self.events.push(HostEvent::JoinCall { call });
        }
        self.events.push(HostEvent::Call {
            call,
            function: entry.name.to_string(),
            args: vec![1; entry.params],
        });
    }

    /// An id of some call: one that was made, or, rarely, one that was not.
    fn some_id(&mut self) -> u32 {
        let next = self.ids.len() as u32 + 1;
        match self.c.chance(1, 12) || self.ids.is_empty() {
            true => next,
            false => self.ids[self.c.below(self.ids.len() as u32) as usize],
        }
    }

    fn call(&mut self, entries: &[EntryPoint]) {
        let Some(&entry) = entries.get(self.c.below(entries.len() as u32) as usize) else {
            return;
        };
        let repeats = !self.ids.is_empty() && self.sometimes(Feature::HostIds, 4);
        let call = if repeats {
            self.some_id()
        } else {
            self.ids.len() as u32 + 1
        };
        if repeats && self.c.chance(1, 2) {
            // The id is free again then; else it may still be taken.
            self.events.push(HostEvent::JoinCall { call });
        }
        let args: Vec<i64> = (0..entry.params)
            .map(|_| i64::from(self.c.below(4)))
            .collect();
        let function = entry.name.to_string();
        if self.is_served() && self.c.chance(2, 5) {
            self.request(call, &function, &args);
            if self.c.chance(1, 4) {
                self.events.push(HostEvent::Disconnect { call });
            } else if self.c.chance(1, 10) {
                // More than may be under way at once.
                for _ in 0..3 {
                    let call = self.ids.len() as u32 + 1;
                    self.request(call, &function, &args);
                }
            }
            return;
        }
        let event = match self.some_fork() {
            Some(fork) => HostEvent::CallInFork {
                fork,
                call,
                function,
                args,
            },
            None => HostEvent::Call {
                call,
                function,
                args,
            },
        };
        self.events.push(event);
        if !self.ids.contains(&call) {
            self.ids.push(call);
        }
    }

    fn request(&mut self, call: u32, function: &str, args: &[i64]) {
        let header = self.header();
        let panics = self.c.chance(1, 6);
        self.events.push(HostEvent::Request {
            call,
            function: function.to_owned(),
            args: args.to_vec(),
            header,
            panics,
        });
        self.ids.retain(|&id| id != call);
        self.ids.push(call);
        self.requests.push(call);
    }

    /// Whether programs of this lane are forked and serve requests.
    fn is_served(&self) -> bool {
        self.focus.forks()
    }

    /// What a client calls its request.
    fn header(&mut self) -> Header {
        let text = |text: &str, times| Header::Text {
            text: text.to_owned(),
            times,
        };
        match self.c.below(8) {
            0 | 1 => Header::Absent,
            2 | 3 => text("a request", 1),
            4 => text("x", self.c.within(60, 70)),
            // No cut by bytes is between two characters.
            5 => text("\u{20ac}", self.c.within(20, 90)),
            6 => text("", 1),
            _ => Header::NotText {
                behind: self.c.below(2) * 80,
                control: self.c.chance(1, 2),
            },
        }
    }

    /// The fork that the next call is in, if it is in one.
    fn some_fork(&mut self) -> Option<u32> {
        if self.forks.is_empty() || self.c.chance(1, 4) {
            return None;
        }
        Some(self.forks[self.c.below(self.forks.len() as u32) as usize])
    }

    /// Forks the program, or drops a fork.
    fn forks(&mut self) {
        if !self.is_served() || (self.focus == Focus::Reload && self.c.chance(1, 2)) {
            return;
        }
        for _ in 0..self.c.within(1, 2) {
            match self.c.below(4) {
                0 => {}
                1 if !self.forks.is_empty() => {
                    let at = self.c.below(self.forks.len() as u32) as usize;
                    let fork = self.forks.swap_remove(at);
                    self.events.push(HostEvent::DropFork { fork });
                }
                _ => {
                    // A number is given out again when its fork has been dropped.
                    let fork = (1..).find(|fork| !self.forks.contains(fork)).unwrap_or(1);
                    self.forks.push(fork);
                    self.events.push(HostEvent::Fork { fork });
                }
            }
        }
    }

    /// Lets a client go away.
    fn disconnects(&mut self) {
        if !self.requests.is_empty() && self.c.chance(1, 3) {
            let at = self.c.below(self.requests.len() as u32) as usize;
            let call = self.requests.swap_remove(at);
            if self.c.chance(1, 3) {
                // It has its answer then.
                self.events.push(HostEvent::JoinCall { call });
            }
            self.events.push(HostEvent::Disconnect { call });
        }
    }

    /// What happens between two calls.
    fn between(&mut self) {
        self.versions.events(self.c, &mut self.events);
        self.between_in_one_version();
        self.disconnects();
        if self.has_more_of_versions() {
            self.versions.events(self.c, &mut self.events);
        }
    }

    /// Draws nothing in a lane without versions.
    fn has_more_of_versions(&mut self) -> bool {
        !self.versions.sources.is_empty() && self.c.chance(1, 2)
    }

    fn between_in_one_version(&mut self) {
        let (events, times) = match self.focus {
            Focus::Everything | Focus::Reload | Focus::Serve => (4, 1),
            Focus::Cancellation => (6, 3),
        };
        for _ in 0..self.c.below(events) {
            let has = |feature| u32::from(self.swarm.has(feature));
            let cancels_futures = u32::from(self.focus == Focus::Cancellation);
            let weights = [
                4 * times * has(Feature::HostCancel),
                2 * times * has(Feature::HostDrop),
                2 * has(Feature::HostProtect),
                2 * has(Feature::HostProtect),
                3 * has(Feature::HostCollect),
                2 * has(Feature::HostTime),
                3 * has(Feature::HostJoin),
                3 * times * has(Feature::Interrupts),
                4 * times * cancels_futures * has(Feature::HostCancel),
            ];
            if weights == [0; 9] {
                return;
            }
            let choice = self.c.weighted(&weights);
            let call = self.some_id();
            let event = match choice {
                0 => HostEvent::CancelCall { call },
                1 => HostEvent::DropCall { call },
                2 => HostEvent::Protect { call },
                3 => HostEvent::Unprotect { call },
                4 => HostEvent::Collect { kind: self.kind() },
                5 => HostEvent::AdvanceTime {
                    ms: self.c.within(1, 5),
                },
                6 => HostEvent::JoinCall { call },
                7 => HostEvent::Interrupt {
                    call,
                    signal: SIGNALS[self.c.below(2) as usize].to_owned(),
                },
                _ => HostEvent::CancelFuture {
                    future: u64::from(self.c.within(1, 8)),
                },
            };
            let is_signal = matches!(event, HostEvent::Interrupt { .. });
            self.events.push(event);
            if is_signal && self.is_served() && self.c.chance(1, 2) {
                self.of_versions_or_forks();
            }
        }
    }

    fn kind(&mut self) -> CollectionKind {
        match self.c.chance(1, 2) {
            true => CollectionKind::Minor,
            false => CollectionKind::Major,
        }
    }

    /// Protects the result of a call that ended, and perhaps forgets the one or the other.
    fn protect(&mut self, call: u32) {
        self.events.push(HostEvent::Protect { call });
        let unprotects = self.c.chance(1, 2);
        let drops = self.sometimes(Feature::HostDrop, 2);
        let mut then = Vec::new();
        if self.is_served() && self.c.chance(1, 2) {
            self.of_versions_or_forks();
        }
        if unprotects {
            then.push(HostEvent::Unprotect { call });
        }
        if drops {
            let first = self.c.chance(1, 2);
            let at = if first { 0 } else { then.len() };
            then.insert(at, HostEvent::DropCall { call });
        }
        self.events.append(&mut then);
    }

    /// Something that happens to all realms.
    fn of_versions_or_forks(&mut self) {
        match self.versions.sources.len() as u32 {
            count if count > 0 && self.c.chance(2, 3) => {
                let version = self.c.below(count);
                let forced = self.c.chance(1, 3);
                match self.c.below(3) {
                    0 => self.events.push(HostEvent::Tick),
                    _ => self.events.push(HostEvent::Reload { version, forced }),
                }
            }
            _ => self.forks(),
        }
    }

    /// Waits for all calls, reads back.
    fn end(&mut self, read_back: Option<EntryPoint>) {
        for at in 0..self.ids.len() {
            self.events.push(HostEvent::JoinCall { call: self.ids[at] });
            if self.sometimes(Feature::HostProtect, 3) {
                self.protect(self.ids[at]);
            }
        }
        self.versions.last_events(self.c, &mut self.events);
        if self.sometimes(Feature::HostCollect, 2) {
            let kind = self.kind();
            self.events.push(HostEvent::Collect { kind });
        }
        if let Some(EntryPoint { name, .. }) = read_back {
            for fork in std::mem::take(&mut self.forks) {
                let call = READ_BACK_CALL + fork;
                self.events.push(HostEvent::CallInFork {
                    fork,
                    call,
                    function: name.to_string(),
                    args: vec![],
                });
                self.events.push(HostEvent::JoinCall { call });
                if self.c.chance(1, 2) {
                    self.events.push(HostEvent::DropFork { fork });
                }
            }
            let call = READ_BACK_CALL;
            self.events.push(HostEvent::Call {
                call,
                function: name.to_string(),
                args: vec![],
            });
            self.events.push(HostEvent::JoinCall { call });
        }
    }
}
