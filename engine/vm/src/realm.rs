//! A program's globals, and whether they can still be assigned.
//!
//! Code and constants of a program are the same for everybody who runs it: the
//! [`LoadedProgram`]. What its top level makes is not. A realm is one set of the module-level
//! variables: that of a version of the program, or that of a fork of it for serving. (The
//! word is ECMAScript's: code runs *in a realm*. "Instance" already is an object of a class.)
//!
//! # Invariants
//! 1. A machine runs in one realm from its start to its end; tasks that a task spawns run in
//!    its realm.
//! 2. Two realms of one program share its code and constants, and no global.
//! 3. Values of one program do not get into the realm of another: a closure names its
//!    function by a number that means nothing there. What a host passes on is plain data.
//!
//! A realm is a root for as long as somebody holds it: who runs in it, or who will start
//! something in it.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use gcrucible_bytecode::{Program, VerifiedProgram};
use gcrucible_heap::{
    Charge, Checks, Heap, Home, MemoryAccount, Mutator, NeedsMemory, RootAudit, RootKind,
    RootProvider, RootTracer, SharedPermit, Slot, Tlab, Value,
};
use gcrucible_platform::planted;
use gcrucible_platform::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use gcrucible_platform::turns::Party;

use crate::program::LoadedProgram;
use crate::realm_stats::{RealmCounters, RealmStats};
use crate::roots::ROOTS;

/// What a host attaches to a realm, to find it again when something happens there.
pub type Attachment = Arc<dyn Any + Send + Sync>;

/// A program's module-level variables.
///
/// The globals of a module are writable until its top level has ended, and shared by all
/// machines of the realm (I-10).
pub struct Realm {
    program: Arc<LoadedProgram>,
    number: u32,
    globals: Box<[Slot]>,
    /// Modules, in order of initialisation, whose globals cannot be assigned any more.
    frozen_modules: AtomicU32,
    /// Whether another version has taken its place.
    is_retired: AtomicBool,
    /// Where a fork's globals were allocated; nothing else allocates in it.
    tlab: Option<Tlab>,
    /// What a fork takes outside of the heap's blocks. It may live for long after the fork was
    /// dropped: a finalizer that was registered in it keeps it.
    charge: Option<Charge>,
    home: Home,
    counters: RealmCounters,
    /// Its tasks, as far as they share their turns.
    party: Arc<Party>,
    /// What the host wants to find again when something happens in it.
    attachment: OnceLock<Attachment>,
}

impl Realm {
    /// Bytes of one without globals, its buffer and what others keep of it.
    const BYTES: u64 = (size_of::<Realm>() + size_of::<Party>()) as u64 + 512;

    /// A realm whose globals are nil until the program's top level has run in it, registered
    /// with `heap`. `number` names it.
    ///
    /// # Panics
    /// If the program was loaded into another heap.
    pub fn new(heap: &Heap, program: Arc<LoadedProgram>, number: u32) -> Arc<Realm> {
        Self::with_buffer(heap, program, number, None)
    }

    /// The same, whose globals will be allocated in `tlab`.
    pub(crate) fn with_buffer(
        heap: &Heap,
        program: Arc<LoadedProgram>,
        number: u32,
        tlab: Option<Tlab>,
    ) -> Arc<Realm> {
        program.home().check(heap);
        let globals = program.program().globals.iter();
        let globals: Box<[Slot]> = globals.map(|_| Slot::nil(ROOTS)).collect();
        let charge = tlab.as_ref().map(|tlab| {
            let bytes = Realm::BYTES + size_of_val(&*globals) as u64;
            heap.charge_anyway(tlab.account(), bytes)
        });
        let realm = Arc::new(Realm {
            globals,
            charge,
            frozen_modules: AtomicU32::new(0),
            is_retired: AtomicBool::new(false),
            tlab,
            home: Home::new(heap),
            counters: RealmCounters::default(),
            party: Arc::default(),
            attachment: OnceLock::new(),
            program,
            number,
        });
        heap.add_provider(&realm);
        realm
    }

    /// Loads a program and makes its first realm, number 0.
    ///
    /// # Errors
    /// When the heap has no room.
    pub fn load(
        permit: &SharedPermit<'_>,
        program: Arc<VerifiedProgram>,
    ) -> Result<Arc<Realm>, NeedsMemory> {
        let program = LoadedProgram::load(permit, program)?;
        Ok(Realm::new(permit.heap(), program, 0))
    }

    /// The account that what runs in it is counted in.
    pub fn account(&self) -> Option<&Arc<MemoryAccount>> {
        self.tlab.as_ref().and_then(Tlab::account)
    }

    /// The program, as it was loaded.
    pub fn loaded(&self) -> &Arc<LoadedProgram> {
        &self.program
    }

    /// The program as the front end made it.
    pub fn program(&self) -> &Program {
        self.program.program()
    }

    /// What has been run in it so far.
    pub fn stats(&self) -> RealmStats {
        self.counters.stats()
    }

    /// Counts a call that begins.
    pub fn note_call(&self) {
        self.counters.call_started();
    }

    /// Counts the end of a call.
    pub fn note_call_end(&self, is_cancelled: bool) {
        self.counters.call_ended(is_cancelled);
    }

    /// Counts a slice of one of its tasks.
    pub fn note_slice(&self, instructions: u32) {
        self.counters.slice(instructions);
    }

    /// Its number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Whether it was made as a fork of another one.
    pub fn is_fork(&self) -> bool {
        self.tlab.is_some()
    }

    /// The party of its tasks.
    pub fn party(&self) -> &Arc<Party> {
        &self.party
    }

    /// Attaches what the host wants to find again when something happens in the realm, such as
    /// the name of the request that it was made for. It goes with the realm. The first one stays.
    pub fn attach(&self, attachment: Attachment) {
        let _ = self.attachment.set(attachment);
    }

    /// What the host has attached.
    pub fn attachment(&self) -> Option<&Attachment> {
        self.attachment.get()
    }

    /// The buffer in which its globals are allocated, if it is made as a fork.
    pub(crate) fn buffer(&self) -> Option<&Tlab> {
        self.tlab.as_ref()
    }

    pub(crate) fn globals(&self) -> &[Slot] {
        &self.globals
    }

    /// The value of a module-level variable.
    ///
    /// # Panics
    /// If the program has no global of that index, or the mutator is one of another heap.
    pub fn load_global<'p, C: Checks>(&self, m: &Mutator<'p, C>, index: u16) -> Value<'p> {
        self.home.check(m.heap());
        m.load(self.global(index))
    }

    /// A module-level variable, for the machines of the realm.
    ///
    /// # Panics
    /// If the program has no global of that index.
    #[inline(always)]
    pub(crate) fn global(&self, index: u16) -> &Slot {
        &self.globals[usize::from(index)]
    }

    /// Ends initialisation: a store to any global throws from now on.
    pub fn freeze(&self) {
        self.frozen_modules.store(u32::MAX, Ordering::Release);
    }

    /// Notes that the top levels of the first `count` modules have ended: a store to one of
    /// their globals throws from now on.
    pub(crate) fn freeze_modules(&self, count: usize) {
        self.frozen_modules
            .fetch_max(count as u32, Ordering::AcqRel);
    }

    /// Whether initialisation has ended.
    pub fn is_frozen(&self) -> bool {
        self.frozen_modules.load(Ordering::Acquire) as usize >= self.program().modules.len()
    }

    /// Whether a global cannot be assigned any more.
    pub(crate) fn is_global_frozen(&self, global: u16) -> bool {
        let module = self.program().globals[usize::from(global)].module;
        u32::from(module) < self.frozen_modules.load(Ordering::Acquire)
    }

    /// Notes that another version has taken its place: nothing starts in it any more but what
    /// those spawn that run in it. It stays a root; reports name it as an old one.
    pub fn retire(self: &Arc<Self>) {
        if planted!(B105a, Arc::strong_count(self) > 1) {
            self.globals.iter().for_each(Slot::clear);
        }
        self.is_retired.store(true, Ordering::Relaxed);
    }
}

// SAFETY: rule 1: the globals are all slots that it has. Rule 2: `home` and `tlab`
// are made once, for one heap; machines and forks check the former when they begin and keep the
// realm from then on, and so does `load_global`. Rule 3: by inspection.
#[allow(unsafe_code, reason = "the collector believes what a provider says")]
unsafe impl RootProvider for Realm {
    fn name(&self) -> String {
        match self.is_retired.load(Ordering::Relaxed) {
            true => "globals of an old version".to_owned(),
            false => "globals".to_owned(),
        }
    }

    fn home(&self) -> &Home {
        &self.home
    }

    fn trace(&self, tracer: &mut dyn RootTracer) {
        if planted!(B18, self.is_retired.load(Ordering::Relaxed)) {
            return;
        }
        for (index, slot) in self.globals.iter().enumerate() {
            if planted!(
                B08,
                slot.is_object() && !self.is_global_frozen(index as u16)
            ) {
                continue;
            }
            tracer.slot(RootKind::Global, slot);
        }
    }

    fn audit(&self, audit: &mut RootAudit<'_>) {
        for index in 0..self.program().globals.len() {
            audit.root(RootKind::Global, &self.globals[index]);
        }
    }

    fn tlab(&self) -> Option<&Tlab> {
        self.tlab.as_ref()
    }

    fn charged_bytes(&self) -> u64 {
        self.charge.as_ref().map_or(0, Charge::bytes)
    }
}

impl fmt::Debug for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Realm")
            .field("program", &self.program)
            .field("globals", &self.globals)
            .field("frozen_modules", &self.frozen_modules)
            .finish_non_exhaustive()
    }
}
