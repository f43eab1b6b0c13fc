//! The embedder's door.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use gcrucible_bytecode::VerifiedProgram;
use gcrucible_heap::{
    Checked, Checks, CollectMode, CollectionKind, CollectionReport, FinalizerOwner, FutureState,
    Handle, Heap, HeapConfig, HeapDebug, HeapFault, NeedsMemory, Region, SharedPermit, Slot,
    Unchecked, Value,
};
use gcrucible_platform::planted;
use gcrucible_platform::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use gcrucible_platform::{Capabilities, Place, Platform, StopToken, yield_point};
use gcrucible_vm::{HostValue, LoadedProgram, Realm, Vm, VmOptions, host_value};

use crate::call::{CallError, CallGuard, CallHandle, CallKind, CallTable};
use crate::cancellation::{Token, TokenTree};
use crate::conversion::Carried;
use crate::deadlock::Busy;
use crate::event::{EngineEvent, Observer};
use crate::failures::{Failure, Failures, Unseen};
use crate::futures::{Registry, Wait};
use crate::memory::Pressure;
use crate::output::Output;
use crate::pace::Pace;
use crate::reload::Reloader;
use crate::run::Run;
use crate::serve::{DetachedTasks, RequestTable};
use crate::task::{self, Beginning, LateStart, Runs, Task, yield_points};
use crate::wait_lists::WaitLists;

/// An engine: one heap, one program in one version or several, any number of tasks. Clones
/// share it.
///
/// # Cancellation
/// A cancelled call ends as soon as what it runs does: a wait at once, an operation of the host
/// and code that catches the error within [`EngineOptions::grace`]. An operation that heeds its
/// [stop token](gcrucible_platform::HostRequest::stop) ends earlier.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use gcrucible_engine::{Engine, EngineOptions, Outcome, Platform, Source, VirtualPlatform, compile};
///
/// // An operation that never ends by itself, and one that does when it is told to.
/// let platform = Arc::new(VirtualPlatform::with_host(100, |request| {
///     Box::pin(async move {
///         match request.name.as_str() {
///             "heeds" => request.stop.fired().await,
///             _ => std::future::pending().await,
///         }
///         Err("stopped".to_owned())
///     })
/// }));
/// let source = Source::new("main.crux", "fn call(name) { host([\"heeds\", \"ignores\"][name]) }");
/// let options = EngineOptions {
///     grace: Duration::from_secs(1),
///     ..EngineOptions::default()
/// };
/// let program = Arc::new(compile(&source)?);
/// let engine = Engine::new(program, &options, Arc::clone(&platform) as _, None)?;
/// let init = platform.block_on(engine.start_init())?;
/// assert!(platform.run(1_000));
/// assert_eq!(init.call().outcome(), Some(Outcome::Returned));
/// for (id, seconds) in [(0, 0), (1, 1)] {
///     let call = engine.start_call(id, "call", &[id.into()])?;
///     while platform.step() {}
///     engine.cancel_call(id)?;
///     assert!(platform.run(1_000));
///     assert_eq!(call.call().outcome(), Some(Outcome::Cancelled));
///     assert_eq!(platform.now().as_secs(), seconds);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

/// What an engine is made with.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Sizes of the heap.
    pub heap: HeapConfig,
    /// Debug modes of the heap.
    pub debug: HeapDebug,
    /// Frames of a task after which a call throws `StackOverflow`.
    pub max_frames: usize,
    /// What `sys.args()` gives the program.
    pub args: Vec<String>,
    /// How long what is cancelled may go on before it is cut off: a host operation since the
    /// request or its begin, a body since the error was thrown inside it.
    pub grace: Duration,
    /// How long a [reload](Engine::reload) waits for a top level that does not settle, before
    /// that is cancelled.
    pub reload_patience: Duration,
    /// Requests that may be under way at once.
    pub requests_max: usize,
    /// Tasks of [forks](crate::Fork) that belong to no call, at most: another one that is spawned as detached
    /// throws `HostError` where it is spawned.
    pub detached_max: usize,
    /// Finalizers of [forks](crate::Fork) that wait to be run, at most. Beyond that the newest of
    /// the forks that have most are given up, and never run.
    pub finalizers_max: usize,
    /// What the program may touch by the host operations of production: nothing, unless this says
    /// more.
    pub capabilities: Capabilities,
    /// Where the lines go that the program prints and logs: nowhere, unless this says more.
    pub output: Output,
    /// Bytes that what a host operation brings may have, at most; none: a quarter of the heap's
    /// limit. They count against the limit, as do those of its arguments.
    pub host_data_max: Option<u64>,
    /// Bytes of the heap's limit that what answers one [request](Engine::request) may use; none:
    /// all that the heap has.
    pub request_memory: Option<u64>,
}

impl EngineOptions {
    /// The grace time, unless another one is given.
    pub const GRACE: Duration = Duration::from_millis(250);
}

impl Default for EngineOptions {
    /// For production: no debug modes. The program touches nothing and is not heard.
    fn default() -> Self {
        EngineOptions {
            heap: HeapConfig::default(),
            debug: HeapDebug::default(),
            max_frames: Vm::MAX_FRAMES_PRODUCTION,
            args: Vec::new(),
            grace: EngineOptions::GRACE,
            reload_patience: Duration::from_secs(5),
            requests_max: 512,
            detached_max: usize::MAX,
            finalizers_max: usize::MAX,
            capabilities: Capabilities::none(),
            output: Output::none(),
            host_data_max: None,
            request_memory: None,
        }
    }
}

/// Why an engine could not be made.
#[derive(Debug)]
pub enum EngineError {
    /// There is no address space for the heap.
    Memory(std::io::Error),
    /// The heap has no room for the program's constants: so many words more are needed.
    Program(NeedsMemory),
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineError::Memory(error) => write!(f, "no address space for the heap: {error}"),
            EngineError::Program(NeedsMemory { words }) => write!(
                f,
                "no room for the program's constants: {words} more words are needed"
            ),
        }
    }
}

impl std::error::Error for EngineError {}

/// What all tasks share.
pub(crate) struct Inner {
    pub(crate) heap: Arc<Heap>,
    /// What new calls run in, and what is to take its place.
    pub(crate) reload: Reloader,
    pub(crate) platform: Arc<dyn Platform>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) calls: Arc<CallTable>,
    pub(crate) requests: RequestTable,
    pub(crate) detached: Arc<DetachedTasks>,
    finalizers_max: usize,
    finalizers_given_up: AtomicU64,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) wait_lists: WaitLists,
    pub(crate) tokens: Arc<TokenTree>,
    /// Milliseconds.
    pub(crate) grace: u64,
    /// Bytes that a host operation may bring.
    pub(crate) host_data_max: u64,
    pub(crate) request_memory: Option<u64>,
    max_frames: usize,
    args: Arc<[String]>,
    pub(crate) capabilities: Capabilities,
    pub(crate) output: Output,
    next_task: AtomicU64,
    next_realm: AtomicU32,
    pub(crate) tasks: task::Tasks,
    pub(crate) busy: Arc<Busy>,
    pub(crate) failures: Failures,
    pub(crate) pressure: Pressure,
    pub(crate) pace: Pace,
}

impl Engine {
    /// The task number of the collector that `collect=continuous` runs.
    pub const COLLECTOR_TASK: u32 = u32::MAX - 1;

    /// An engine with a heap of its own.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub fn new(
        program: Arc<VerifiedProgram>,
        options: &EngineOptions,
        platform: Arc<dyn Platform>,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Engine, EngineError> {
        let region = Region::new(&options.heap).map_err(EngineError::Memory)?;
        Self::in_region(region, program, options, platform, observer)
    }

    /// The same, whose heap takes over a region that another heap had.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub fn in_region(
        region: Region,
        program: Arc<VerifiedProgram>,
        options: &EngineOptions,
        platform: Arc<dyn Platform>,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Engine, EngineError> {
        let heap = Heap::in_region(region, options.heap, options.debug.clone())
            .map_err(EngineError::Memory)?;
        heap.set_parallel(platform.is_parallel());
        heap.set_hash_key(platform.hash_key());
        let realm = {
            let permit = heap.try_shared().expect("a new heap has no collector");
            Realm::load(&permit, program).map_err(EngineError::Program)?
        };
        let engine = Engine {
            inner: Arc::new(Inner {
                registry: Registry::new(&heap),
                heap,
                reload: Reloader::new(realm, options.reload_patience),
                platform,
                calls: Arc::default(),
                requests: RequestTable::new(options.requests_max),
                detached: DetachedTasks::new(options.detached_max),
                finalizers_max: options.finalizers_max,
                finalizers_given_up: AtomicU64::new(0),
                observer,
                wait_lists: WaitLists::default(),
                tokens: Arc::default(),
                grace: u64::try_from(options.grace.as_millis()).unwrap_or(u64::MAX),
                host_data_max: options
                    .host_data_max
                    .unwrap_or(options.heap.limit_bytes / 4),
                request_memory: options.request_memory,
                max_frames: options.max_frames,
                args: options.args.clone().into(),
                capabilities: options.capabilities.clone(),
                output: options.output.clone(),
                next_task: AtomicU64::new(1),
                next_realm: AtomicU32::new(1),
                tasks: task::Tasks::default(),
                busy: Arc::default(),
                failures: Failures::default(),
                pressure: Pressure::default(),
                pace: Pace::default(),
            }),
        };
        if options.debug.collect == CollectMode::Continuous {
            engine.spawn_collector();
        }
        Ok(engine)
    }

    /// Starts a call of an exported function of the entry module, with int arguments of at
    /// most 48 bits.
    ///
    /// # Errors
    /// [`CallError::DuplicateCallId`] while a call has that id, and for the engine's own ids,
    /// from [`CallKind::HOST_IDS`] on; [`CallError::UnknownExport`], [`CallError::ArgumentTooLarge`].
    pub fn start_call(&self, id: u32, export: &str, args: &[i64]) -> Result<CallHandle, CallError> {
        self.start_call_in(&self.inner.realm(), id, export, args)
    }

    /// Starts a call in a realm of the engine's.
    pub(crate) fn start_call_in(
        &self,
        realm: &Arc<Realm>,
        id: u32,
        export: &str,
        args: &[i64],
    ) -> Result<CallHandle, CallError> {
        let global = realm
            .program()
            .entry_export(export)
            .ok_or_else(|| CallError::UnknownExport(export.to_owned()))?;
        if let Some(&large) = args.iter().find(|&&arg| Value::small_int(arg).is_none()) {
            return Err(CallError::ArgumentTooLarge(large));
        }
        let guard = self.reserve_for_host(realm, id)?;
        let call = Arc::clone(guard.call());
        // A collection on another thread would not see the machine, which is new, and move what
        // it is given to call. Who starts a call must not wait for one to end, which may need
        // this very thread: the task gives its machine what it runs, then.
        match self.inner.heap.try_shared() {
            Some(permit) => self.run_call(realm, guard, Beginning::Ready, |vm| {
                vm.start_global(&permit, global, &small_ints(args));
            }),
            None => {
                let args = args.to_vec();
                let late = LateStart { global, args };
                self.run_call(realm, guard, Beginning::Late(late), |_| {});
            }
        }
        Ok(CallHandle::new(call, self.clone()))
    }

    /// The same with arguments that are any plain data.
    ///
    /// # Errors
    /// As [`Engine::start_call`]; [`CallError::ArgumentTooDeep`];
    /// [`CallError::OutOfMemory`] when the heap has no room for the arguments.
    pub async fn call(
        &self,
        id: u32,
        export: &str,
        args: &[HostValue],
    ) -> Result<CallHandle, CallError> {
        self.call_in(&self.inner.realm(), id, export, args).await
    }

    /// The same with plain data.
    pub(crate) async fn call_in(
        &self,
        realm: &Arc<Realm>,
        id: u32,
        export: &str,
        args: &[HostValue],
    ) -> Result<CallHandle, CallError> {
        let inner = &self.inner;
        let global = realm
            .program()
            .entry_export(export)
            .ok_or_else(|| CallError::UnknownExport(export.to_owned()))?;
        if args.iter().any(|arg| arg.levels() > HostValue::LEVELS_MAX) {
            return Err(CallError::ArgumentTooDeep);
        }
        let built = match inner.is_large(args) {
            true => Some(inner.build_arguments(realm, args).await?),
            false => None,
        };
        let mut attempts = 0;
        loop {
            let needs = {
                let permit = inner.heap.shared().await;
                let made = inner.registry.allocate::<Checked, _>(&permit, |m| {
                    let values = match &built {
                        Some(built) => built.values(m),
                        None => host_value::build_all(args, m)?,
                    };
                    Ok(Carried::new(m, values))
                });
                match made {
                    Ok(args) => {
                        let callee = Callee::Global(global);
                        return self.start_under_permit(&permit, realm, id, callee, &args);
                    }
                    Err(needs) => needs.words,
                }
            };
            let account = realm.account();
            if !inner.make_room_for(account, needs, &mut attempts).await {
                return Err(CallError::OutOfMemory);
            }
        }
    }

    /// Starts a call under the permit under which its arguments were made: nothing collects
    /// before its machine, which is new, has them.
    pub(crate) fn start_under_permit(
        &self,
        permit: &SharedPermit<'_>,
        realm: &Arc<Realm>,
        id: u32,
        callee: Callee<'_>,
        args: &Carried,
    ) -> Result<CallHandle, CallError> {
        let args = &*args.values(&permit.reader::<Unchecked>());
        let guard = self.reserve_for_host(realm, id)?;
        let call = Arc::clone(guard.call());
        self.run_call(realm, guard, Beginning::Ready, |vm| match callee {
            Callee::Global(global) => vm.start_global(permit, global, args),
            Callee::Kept(handle) => vm.start_call(permit, permit.protected(handle), args),
        });
        Ok(CallHandle::new(call, self.clone()))
    }

    fn reserve_for_host(&self, realm: &Realm, id: u32) -> Result<CallGuard, CallError> {
        match CallKind::of_id(id) {
            kind @ CallKind::Host(_) => self.reserve(realm, kind),
            CallKind::Finalizer | CallKind::Init => Err(CallError::DuplicateCallId(id)),
        }
    }

    pub(crate) fn reserve(&self, realm: &Realm, kind: CallKind) -> Result<CallGuard, CallError> {
        let inner = &self.inner;
        let (heap, tokens) = (&inner.heap, &inner.tokens);
        inner.calls.reserve(heap, kind, realm, tokens, || {
            let takes_interrupts = realm.program().interrupt.is_some();
            let run = Run::new(kind.id(), inner.new_task(), takes_interrupts);
            (run, inner.platform.random())
        })
    }

    /// Starts the task of a call in a realm; `prepare` gives its machine something to run, unless
    /// its beginning says that the task does.
    pub(crate) fn run_call(
        &self,
        realm: &Arc<Realm>,
        guard: CallGuard,
        beginning: Beginning,
        prepare: impl FnOnce(&Vm),
    ) {
        let call = Arc::clone(guard.call());
        let vm = self.inner.new_vm(realm, call.task(), call.seed(), true);
        prepare(&vm);
        realm.note_call();
        let (finalizer, late) = match beginning {
            Beginning::Ready => (None, None),
            Beginning::Finalizer(number) => (Some(number), None),
            Beginning::Late(late) => (None, Some(late)),
        };
        self.inner.observe(&EngineEvent::CallStarted {
            call: &call,
            finalizer,
        });
        let (token, run) = (Arc::clone(call.token()), Arc::clone(call.run()));
        // The host bounds its calls itself.
        let heap = &self.inner.heap;
        let charge = heap.charge_anyway(realm.account(), Task::BYTES);
        let task = Task::new(call.task(), vm, token, Some(run), None, charge);
        self.spawn(task.starting(late), Runs::Call(guard));
    }

    /// Raises a signal, such as `SIGINT`, for a call in progress: the handlers that the
    /// program registered for it run in the call's root task, in the middle of whatever it
    /// waits for. Returns whether a handler will: not if none of this signal is registered, be
    /// there others or not, or if the root task has ended. Then the signal is forgotten, and what
    /// it means is for the caller to say. The thread waits for a collection, so it must not be one
    /// that runs tasks of the engine.
    ///
    /// # Errors
    /// [`CallError::CallNotFound`] if there is no call with that id.
    pub fn interrupt(&self, id: u32, signal: &str) -> Result<bool, CallError> {
        let call = self.inner.calls.get(id)?;
        let heap = &self.inner.heap;
        let permit = heap.try_shared().unwrap_or_else(|| heap.shared_now());
        Ok(self.inner.raise(&permit, call.run(), signal))
    }

    /// Requests cancellation of a call in progress and of every task that it started, but for
    /// detached ones. Harmless if repeated.
    ///
    /// # Errors
    /// [`CallError::CallNotFound`] if there is none with that id.
    pub fn cancel_call(&self, id: u32) -> Result<(), CallError> {
        self.cancel(&self.inner.calls.token(id)?);
        Ok(())
    }

    /// Requests cancellation of a future. Returns whether it was unfinished; one that has ended
    /// stays as it is (I-11).
    ///
    /// # Errors
    /// [`CallError::FutureNotFound`] for an id that this engine has given to no future.
    pub fn cancel_future(&self, id: u64) -> Result<bool, CallError> {
        let registry = &self.inner.registry;
        if registry.look_up(id) == Wait::NotFound {
            return Err(CallError::FutureNotFound(id));
        }
        let Some(token) = registry.token(id) else {
            return Ok(false);
        };
        self.cancel(&token);
        Ok(true)
    }

    /// Requests cancellation of a task and of those below it; harmless when it was requested
    /// before, or when the task has ended.
    pub(crate) fn cancel(&self, token: &Arc<Token>) {
        self.request_cancel(token, |_| false);
    }

    /// The same for a scope that ends the tasks which were spawned in it. One whose inherited
    /// time is over by then throws the error of that, and no second one for the same cause.
    /// Nobody wakes it: that its time is over does, unless it waits for something else first.
    pub(crate) fn cancel_child(&self, token: &Arc<Token>, now_ms: u64) {
        self.request_cancel(token, |task| {
            let deadline = self
                .inner
                .tasks
                .find(task)
                .and_then(|task| task.inherited_deadline());
            deadline.is_some_and(|at| at <= now_ms)
        });
    }

    fn request_cancel(&self, token: &Arc<Token>, is_timed: impl Fn(u32) -> bool) {
        let inner = &self.inner;
        for reached in inner.tokens.request(token, inner.now_ms(), is_timed) {
            let task = reached.token.task();
            inner.observe(&EngineEvent::CancelRequested { task });
            reached.stops.iter().for_each(StopToken::fire);
            if reached.is_news {
                inner.wake_cancelled(task);
            }
        }
    }

    /// Starts a task.
    pub(crate) fn spawn(&self, mut task: Task, runs: Runs) {
        let number = task.number();
        task.count_in(&self.inner.busy);
        if self.inner.platform.turns().is_some() {
            task.share_turns();
        }
        let task = Arc::new(task);
        self.inner.tasks.add(&task);
        let engine = self.clone();
        let future = if self.inner.heap.debug().needs_checks() {
            task::driven::<Checked>(engine, task, runs)
        } else {
            task::driven::<Unchecked>(engine, task, runs)
        };
        self.inner.platform.spawn(number, future);
    }

    /// The platform task of `collect=continuous`: it asks for a collection, and at once
    /// again. It ends with the engine's last task.
    fn spawn_collector(&self) {
        let inner = Arc::downgrade(&self.inner);
        let platform = Arc::clone(&self.inner.platform);
        let place = Place {
            task: Self::COLLECTOR_TASK,
            function: Place::COLLECTOR,
            at: yield_points::CONTINUOUS_COLLECTION,
        };
        let collector = async move {
            loop {
                yield_point(&*platform, place).await;
                let Some(inner) = inner.upgrade() else { return };
                let kind = inner.heap.kind_to_collect();
                inner.collect(kind).await;
            }
        };
        self.inner
            .platform
            .spawn(Self::COLLECTOR_TASK, Box::pin(collector));
    }

    /// Starts the first finalizer of the queue, if there is one and none is running. The one
    /// that runs starts the next when it has ended.
    pub(crate) fn start_finalizer(&self) {
        let inner = &self.inner;
        let is_fork = |owner: &FinalizerOwner| {
            let realm = owner.downcast_ref::<Realm>();
            realm.is_some_and(Realm::is_fork)
        };
        let given_up = inner.heap.give_up_finalizers(inner.finalizers_max, is_fork);
        inner
            .finalizers_given_up
            .fetch_add(given_up as u64, Ordering::Relaxed);
        while let Some((first, owner)) = inner.heap.next_finalizer_of() {
            // It runs in the realm that registered it.
            let realm = owner.and_then(|owner| owner.downcast::<Realm>().ok());
            let realm = realm.unwrap_or_else(|| inner.realm());
            // Who has the id looks again when it is free.
            let Ok(guard) = self.reserve(&realm, CallKind::Finalizer) else {
                return;
            };
            // Another may have run it in between; then there may be a newer one by now.
            if inner.heap.next_finalizer() == Some(first) {
                return self.run_call(&realm, guard, Beginning::Finalizer(first), |_| {});
            }
        }
    }

    /// Finalizers of forks that were given up so far
    /// ([`EngineOptions::finalizers_max`](crate::EngineOptions)).
    pub fn finalizers_given_up(&self) -> u64 {
        self.inner.finalizers_given_up.load(Ordering::Relaxed)
    }

    /// Collects now, if no slice is running.
    pub fn try_collect(&self, kind: CollectionKind) -> Option<CollectionReport> {
        let mut permit = self.inner.heap.try_exclusive()?;
        let report = permit.collect(kind);
        drop(permit);
        self.inner
            .observe(&EngineEvent::Collected { report: &report });
        self.inner.report_freed();
        self.start_finalizer();
        Some(report)
    }

    /// Reports the errors that nobody has awaited by now, each as
    /// [`EngineEvent::Unobserved`]. For a host that is about to end.
    pub fn report_failures(&self) {
        self.inner.report_unseen(|_| true);
    }

    /// The heap.
    pub fn heap(&self) -> &Arc<Heap> {
        &self.inner.heap
    }

    /// The realm that new calls run in.
    pub fn realm(&self) -> Arc<Realm> {
        self.inner.realm()
    }

    /// The program that new calls run: that of the current version.
    pub fn program(&self) -> Arc<LoadedProgram> {
        Arc::clone(self.inner.realm().loaded())
    }

    /// Number of unfinished futures; zero at rest (I-14).
    pub fn active_future_count(&self) -> usize {
        self.inner.registry.active_future_count()
    }

    /// Bytes outside of the heap's blocks that count against its limit though nothing runs: those
    /// of forks, of finalizers that are registered, and of failures whose futures are still there.
    /// All that is [charged](gcrucible_heap::HeapStats::external_bytes) at rest.
    pub fn bytes_at_rest(&self) -> u64 {
        let heap = &self.inner.heap;
        heap.provider_bytes() + heap.finalizer_bytes() + self.inner.failures.bytes()
    }

    /// Number of calls in progress; zero at rest (I-18).
    pub fn open_call_count(&self) -> usize {
        self.inner.calls.open()
    }

    /// The same without a finalizer that runs: while there are any, the next one begins when it
    /// ends.
    pub fn open_host_call_count(&self) -> usize {
        self.inner.calls.open_of_host()
    }

    /// Number of tasks that can be cancelled, because they have not ended; zero at rest (I-18).
    pub fn open_task_count(&self) -> usize {
        self.inner.tokens.len()
    }

    /// Tasks that wait for futures, with the future's id.
    pub fn waiting_tasks(&self) -> Vec<(u32, u64)> {
        self.inner.registry.waiting()
    }

    /// Whether a task is on the list of a future, channel or mutex that it waits for. One that runs,
    /// or has ended, is on none.
    pub fn is_waiting(&self, task: u32) -> bool {
        self.inner.registry.is_waiting(task) || self.inner.wait_lists.is_waiting(task)
    }

    /// Tasks that wait for channels and mutexes, with the object's id.
    pub fn blocked_tasks(&self) -> Vec<(u32, u64)> {
        self.inner.wait_lists.waiting()
    }

    /// Number of channels and mutexes that somebody waits for, or was woken for, those of senders
    /// and receivers apart; zero at rest.
    pub fn awaited_object_count(&self) -> usize {
        self.inner.wait_lists.len()
    }

    /// Function and instruction at which a live task stands.
    pub fn position(&self, task: u32) -> Option<(u16, u32)> {
        self.inner.tasks.find(task).map(|task| task.vm().position())
    }

    /// Takes the heap back when nothing else uses it: tasks, handles and other clones of
    /// the engine must be gone. Finalizers that have not begun never run, and the entry slot is
    /// empty afterwards.
    pub fn into_heap(self) -> Option<Arc<Heap>> {
        let inner = Arc::into_inner(self.inner)?;
        inner.report_unseen(|_| true);
        inner.reload.shut_down(&inner.heap);
        let heap = inner.heap;
        heap.drop_finalizers();
        Some(heap)
    }
}

impl Inner {
    /// Shows a step to the host. That its observer panics harms nobody.
    pub(crate) fn observe(&self, event: &EngineEvent<'_>) {
        let _ = self.try_observe(event);
    }

    /// The same; gives the message if the observer panics.
    pub(crate) fn try_observe(&self, event: &EngineEvent<'_>) -> Result<(), String> {
        let Some(observer) = &self.observer else {
            return Ok(());
        };
        let seen = catch_unwind(AssertUnwindSafe(|| observer.event(event)));
        seen.map_err(|panic| match panic.is::<HeapFault>() {
            // A stale reference is no fault of the observer that met it.
            true => resume_unwind(panic),
            false => task::message_of(&*panic),
        })
    }

    /// Reports those of the futures which the last collection has freed that have failed and that
    /// nobody has awaited.
    pub(crate) fn report_freed(&self) {
        for future in self.heap.take_freed() {
            if let Some((unseen, failure)) = self.failures.remove(future) {
                self.report(future, &unseen, &failure);
            }
        }
    }

    /// Reports what has failed, has not been awaited and is over.
    pub(crate) fn report_unseen(&self, is_over: impl Fn(&Unseen) -> bool) {
        for (future, unseen, failure) in self.failures.take_unseen(is_over) {
            self.report(future, &unseen, &failure);
        }
    }

    fn report(&self, future: u64, unseen: &Unseen, failure: &Failure) {
        self.output.report(
            &unseen.text,
            &failure.trace(),
            "nobody awaited it",
            unseen.realm,
        );
        self.observe(&EngineEvent::Unobserved {
            future,
            text: &unseen.text,
            trace: &failure.trace(),
            attachment: unseen.attachment.as_ref(),
        });
    }

    /// Milliseconds of the engine's time.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.platform.now().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn new_task(&self) -> u32 {
        loop {
            let drawn = self.next_task.fetch_add(1, Ordering::Relaxed);
            let number = drawn as u32;
            // The first four billion are new. After that, who lives keeps its number.
            let is_first_round = drawn < u64::from(Engine::COLLECTOR_TASK);
            let is_free = || {
                let is_reserved = number == 0 || number >= Engine::COLLECTOR_TASK;
                !is_reserved && self.tasks.find(number).is_none()
            };
            if is_first_round || is_free() {
                return number;
            }
        }
    }

    /// The realm that new calls run in.
    pub(crate) fn realm(&self) -> Arc<Realm> {
        self.reload.current()
    }

    /// A live task, by its number.
    pub(crate) fn find_task(&self, number: u32) -> Option<Arc<Task>> {
        self.tasks.find(number)
    }

    /// The number of the next realm.
    pub(crate) fn new_realm(&self) -> u32 {
        self.next_realm.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn new_vm(
        &self,
        realm: &Arc<Realm>,
        task: u32,
        seed: u64,
        is_root: bool,
    ) -> Arc<Vm> {
        let options = VmOptions {
            max_frames: self.max_frames,
            seed,
            args: Arc::clone(&self.args),
            is_root,
            grace_ms: self.grace,
        };
        Vm::with_options(&self.heap, Arc::clone(realm), task, options)
    }

    /// Raises a signal for a run that has a handler of it, and wakes its root task if that waits.
    pub(crate) fn raise(&self, permit: &SharedPermit<'_>, run: &Run, signal: &str) -> bool {
        let task = run.root();
        let root = self.tasks.find(task);
        let has_handler =
            |root: Arc<Task>| root.vm().handles::<Checked>(permit, signal) || planted!(B175);
        let account = root.as_ref().map(|root| Arc::clone(root.vm().realm()));
        let account = account.as_ref().and_then(|realm| realm.account());
        let charge = |bytes| self.heap.charge_anyway(account, bytes);
        if !root.is_some_and(has_handler) || !run.raise(signal, charge) {
            return false;
        }
        self.observe(&EngineEvent::InterruptRaised { task, signal });
        if run.signal().notify() {
            self.observe(&EngineEvent::Woken { task });
        }
        true
    }

    /// Wakes a task that waits, because its cancellation was requested.
    fn wake_cancelled(&self, number: u32) {
        if let Some(task) = self.tasks.find(number)
            && task.signal().notify()
        {
            self.observe(&EngineEvent::Woken { task: number });
        }
    }

    /// Requests cancellation of the future in a machine's exchange slot. A future that has
    /// ended stays as it is (I-11).
    pub(crate) async fn cancel_future<C: Checks>(&self, engine: &Engine, future: u64, slot: &Slot) {
        match self.registry.token(future) {
            Some(token) if planted!(B50) => engine.cancel(&Arc::new(Token::new(token.task()))),
            Some(token) => engine.cancel(&token),
            None => {
                if planted!(B51) {
                    let permit = self.heap.shared().await;
                    let m = permit.reader::<C>();
                    m.future_settle(m.load_root(slot), FutureState::Cancelled, Value::NIL);
                }
            }
        }
    }
}

/// What a call runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Callee<'a> {
    /// What a module-level variable of its realm holds.
    Global(u16),
    /// What the host keeps.
    Kept(&'a Handle),
}

/// Ints that need no box, as values.
pub(crate) fn small_ints(ints: &[i64]) -> Vec<Value<'static>> {
    let value = |&int| Value::small_int(int).expect("the caller has looked");
    ints.iter().map(value).collect()
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("futures", &self.registry)
            .finish_non_exhaustive()
    }
}
