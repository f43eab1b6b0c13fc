//! Versions: which one a call runs on, what a tick must find, what comes of a request.
//!
//! This is the same bookkeeping as the engine's, written from E-11 and semantics.md E: each
//! request and each tick says what events must come next.

use gcrucible_bytecode::Program;

use super::{Due, Judge, Verdict, failure};
use crate::executor::trace::{Asked, Callee, Outcome, TaskId, VersionFailure, VersionStep};

/// Milliseconds that a request waits for a pending top level before that is cancelled.
const PATIENCE_MS: u64 = 5000;

/// What is known of the versions.
pub(super) struct Versions<'p> {
    /// The programs that the scenario reloads to; none for those that do not compile.
    programs: &'p [Option<&'p Program>],
    /// Where the model has the version that new calls see.
    current: usize,
    /// The number that was given out last.
    last: u32,
    is_slot_full: bool,
    evaluation: Option<Evaluation>,
    deferred: Option<Deferred>,
    preload: Option<Preload>,
}

/// The top level that runs, or has ended since somebody looked.
#[derive(Clone, Copy)]
struct Evaluation {
    version: u32,
    /// Where its program is among those of the scenario; none for the first.
    program: Option<usize>,
    purpose: Purpose,
    /// Once it has begun: its task, and where the model has its version.
    begun: Option<(TaskId, usize)>,
    /// How it ended, if it has.
    end: Option<Result<(), VersionFailure>>,
    is_cancelled: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Entry,
    Override,
    Preload,
    Reload,
}

#[derive(Clone, Copy)]
struct Deferred {
    version: u32,
    program: usize,
    since: u64,
}

/// The preload that the host waits for.
#[derive(Clone, Copy)]
struct Preload {
    task: TaskId,
    end: Option<Result<(), VersionFailure>>,
}

impl<'p> Versions<'p> {
    pub(super) fn new(programs: &'p [Option<&'p Program>]) -> Self {
        Versions {
            programs,
            current: 0,
            last: 1,
            is_slot_full: false,
            evaluation: None,
            deferred: None,
            preload: None,
        }
    }
}

impl Judge<'_, '_> {
    /// Puts the version in place on which a call runs that starts now, in the realm of this
    /// number. Finalizers know theirs.
    pub(super) fn choose_version(&mut self, callee: &Callee, realm: u32) -> Verdict {
        match callee {
            Callee::ModuleInit => {
                let program = match self.versions.evaluation {
                    Some(Evaluation {
                        program: Some(program),
                        begun: None,
                        ..
                    }) => self.versions.programs.get(program).copied().flatten(),
                    _ => None,
                };
                let place = match program {
                    Some(program) => {
                        let place = self.model.load(program);
                        if self.realms.insert(realm, place).is_some() {
                            let message = format!("a new version is realm {realm}, as another");
                            return Err(failure("realm", "reload", message));
                        }
                        place
                    }
                    None => self.versions.current,
                };
                self.model.set_held(place, true);
                self.model.put_in_place(place);
            }
            Callee::Export { .. } => {
                let place = match self.forks.contains(&realm) {
                    true => self.version(realm)?,
                    false => self.versions.current,
                };
                self.model.put_in_place(place);
            }
            Callee::Finalizer { .. } => {}
        }
        Ok(())
    }

    /// A top level has begun, as this task.
    pub(super) fn evaluation_begun(&mut self, task: TaskId) {
        let place = self.model.task(task).map_or(0, |task| task.version);
        let versions = &mut self.versions;
        versions.is_slot_full = true;
        let evaluation = versions.evaluation.get_or_insert(Evaluation {
            version: 1,
            program: None,
            purpose: Purpose::Entry,
            begun: None,
            end: None,
            is_cancelled: false,
        });
        evaluation.begun = Some((task, place));
        match evaluation.purpose {
            Purpose::Preload => versions.preload = Some(Preload { task, end: None }),
            Purpose::Override => {
                let old = std::mem::replace(&mut versions.current, place);
                self.model.set_held(old, false);
            }
            Purpose::Entry | Purpose::Reload => {}
        }
    }

    /// A top level has ended.
    pub(super) fn evaluation_ended(&mut self, task: TaskId, outcome: &Outcome) {
        let end = match outcome {
            Outcome::Returned(_) => Ok(()),
            Outcome::Threw(_) => Err(VersionFailure::Threw),
            Outcome::Cancelled => Err(VersionFailure::Cancelled),
            Outcome::Panicked(_) => Err(VersionFailure::Panicked),
        };
        let versions = &mut self.versions;
        if let Some(evaluation) = &mut versions.evaluation
            && evaluation.begun.is_some_and(|(runs, _)| runs == task)
        {
            evaluation.end = Some(end);
        }
        if let Some(preload) = &mut versions.preload
            && preload.task == task
        {
            preload.end = Some(end);
        }
    }

    /// What the host asks for, and what must come of that at once.
    pub(super) fn asked(&mut self, asked: Asked) {
        // One that found no memory has come to nothing.
        if self
            .versions
            .evaluation
            .is_some_and(|it| it.begun.is_none())
        {
            self.versions.evaluation = None;
        }
        match asked {
            Asked::Reload { program, forced } => self.asked_to_reload(program, forced),
            Asked::Tick => self.asked_to_tick(),
            Asked::Preload { program } => {
                self.look();
                if !self.is_evaluating() {
                    self.evaluate(program, Purpose::Preload);
                }
            }
            Asked::Override { program } => {
                self.look();
                if !self.is_evaluating() && !self.versions.is_slot_full {
                    self.evaluate(program, Purpose::Override);
                }
            }
            Asked::Unchanged => self.versions.is_slot_full = true,
            Asked::Isolate => self.versions.is_slot_full = false,
        }
    }

    fn asked_to_reload(&mut self, program: Option<usize>, forced: bool) {
        self.look();
        let Some(program) = program else {
            self.versions.last += 1;
            let step = VersionStep::Failed(VersionFailure::Source);
            return self.expect_version(self.versions.last, step);
        };
        if !self.is_evaluating() {
            self.versions.deferred = None;
            self.evaluate(program, Purpose::Reload);
            return self.expect_version(self.versions.last, VersionStep::Begun);
        }
        let now = self.model.now_ms();
        let versions = &mut self.versions;
        versions.last += 1;
        versions.deferred = Some(Deferred {
            version: versions.last,
            program,
            since: versions.deferred.map_or(now, |before| before.since),
        });
        self.expect_version(self.versions.last, VersionStep::Deferred);
        if forced {
            self.cancel_evaluation();
        }
    }

    fn asked_to_tick(&mut self) {
        self.look();
        if self.is_evaluating() {
            return self.lose_patience();
        }
        if let Some(next) = self.versions.deferred.take() {
            let last = self.versions.last;
            self.evaluate(next.program, Purpose::Reload);
            // It has its number already.
            self.versions.last = last;
            if let Some(evaluation) = &mut self.versions.evaluation {
                evaluation.version = next.version;
            }
            self.expect_version(next.version, VersionStep::Begun);
        }
    }

    fn is_evaluating(&self) -> bool {
        let evaluation = self.versions.evaluation.as_ref();
        evaluation.is_some_and(|evaluation| evaluation.end.is_none())
    }

    /// Sees whether the top level has settled, and does what that brings about.
    fn look(&mut self) {
        let Some(Evaluation {
            version,
            purpose,
            begun: Some((_, place)),
            end: Some(end),
            ..
        }) = self.versions.evaluation
        else {
            return;
        };
        self.versions.evaluation = None;
        match end {
            Ok(()) if purpose == Purpose::Reload => {
                let old = std::mem::replace(&mut self.versions.current, place);
                self.model.set_held(old, false);
                self.expect_version(version, VersionStep::Swapped);
            }
            Ok(()) => {}
            Err(why) => self.expect_version(version, VersionStep::Failed(why)),
        }
        if place != self.versions.current {
            self.model.set_held(place, false);
        }
    }

    fn evaluate(&mut self, program: usize, purpose: Purpose) {
        self.versions.last += 1;
        self.versions.evaluation = Some(Evaluation {
            version: self.versions.last,
            program: Some(program),
            purpose,
            begun: None,
            end: None,
            is_cancelled: false,
        });
    }

    fn lose_patience(&mut self) {
        let now = self.model.now_ms();
        let since = self.versions.deferred.map(|deferred| deferred.since);
        let Some(evaluation) = self.versions.evaluation else {
            return;
        };
        if !evaluation.is_cancelled && since.is_some_and(|since| now - since >= PATIENCE_MS) {
            self.cancel_evaluation();
        }
    }

    fn cancel_evaluation(&mut self) {
        let Some(evaluation) = &mut self.versions.evaluation else {
            return;
        };
        evaluation.is_cancelled = true;
        if let Some((task, _)) = evaluation.begun {
            self.due.push_back(Due::CancelRequested {
                by: task,
                task,
                by_scope: false,
                is_passed_on: false,
            });
        }
    }

    fn expect_version(&mut self, version: u32, step: VersionStep) {
        self.due.push_back(Due::Version { version, step });
    }

    /// Something became of a version; `due` is what had to.
    pub(super) fn version_step(
        &mut self,
        version: u32,
        step: VersionStep,
        due: Option<&Due>,
    ) -> Verdict {
        let Some(Due::Version { step: expected, .. }) = due else {
            let message = format!("version {version}: {step:?}, for which there is no reason");
            return Err(failure("version", "reload", message));
        };
        // Whether there is memory for a version is not for the model to say.
        if *expected == VersionStep::Begun && step != VersionStep::Begun {
            self.versions.evaluation = None;
        }
        Ok(())
    }

    /// The host was told how its preload ended.
    pub(super) fn preload_finished(&mut self, failed: Option<VersionFailure>) -> Verdict {
        let told = failed.map_or(Ok(()), Err);
        let preload = self.versions.preload.take();
        let expected = preload.and_then(|preload| preload.end);
        if expected == Some(told) {
            return Ok(());
        }
        let message = format!("the preload ended {told:?}, in the model {expected:?}");
        Err(failure("preload", "reload", message))
    }
}
