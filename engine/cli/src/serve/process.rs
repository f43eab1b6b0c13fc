//! From the first version to the end: reloads, signals.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gcrucible_engine::{Engine, Platform, TokioPlatform};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::calls::CallIds;
use super::metrics::Metrics;
use super::options::ServeOptions;
use super::version::{Version, Versions};
use super::{Server, Stage, connections, entry, figures, log};
use crate::Exit;
use crate::lines;
use crate::output::Output;
use crate::program::Made;
use crate::reloading::{Reloading, Seen, Unchanged};
use crate::signals::{Hangups, Signals};
#[cfg(feature = "hot")]
use crate::watch::Watch;

/// How long calls that were cancelled may take to end, besides the engine's own grace time.
const CANCELLED_MAX: Duration = Duration::from_millis(500);

/// How long the last lines may take that the process writes.
const LAST_LINES: Duration = Duration::from_millis(500);

/// How long the process takes to end when nothing is waited for any more.
const LAST_STEPS: Duration = Duration::from_millis(50);

/// Clients that have connected and are not let in yet, at most.
const BACKLOG: u32 = 1024;

/// How often it is looked whether detached tasks take too long.
const LOOKS_AT_DETACHED_LEAST: Duration = Duration::from_millis(10);
const LOOKS_AT_DETACHED_MOST: Duration = Duration::from_secs(1);

/// How often it is looked whether finalizers were given up.
const LOOKS_AT_FINALIZERS: Duration = Duration::from_secs(1);

/// Serves a program until a signal.
pub(crate) fn run(options: &ServeOptions) -> Exit {
    if let Err(error) = lines::start() {
        say!("error: no threads: {error}");
        return Exit::Failed;
    }
    let exit = match serve(options) {
        Ok(exit) | Err(Stop::Exit(exit)) => exit,
        Err(Stop::Refused(message)) => {
            say!("error: {message}");
            Exit::Failed
        }
    };
    lines::finish(LAST_LINES);
    // Threads may be at work for what nobody waits for any more, and not look up.
    std::process::exit(exit as i32)
}

/// Why nothing is served.
enum Stop {
    /// It has been said, or needs no words.
    Exit(Exit),
    /// In words.
    Refused(String),
}

fn refused(what: &str) -> impl Fn(std::io::Error) -> Stop {
    move |error| Stop::Refused(format!("{what}: {error}"))
}

fn serve(options: &ServeOptions) -> Result<Exit, Stop> {
    let mut engine_options = options.heap.engine().map_err(Stop::Exit)?;
    engine_options.args = options.args.clone();
    engine_options.requests_max = options.max_in_flight;
    let grace_of_calls = engine_options.grace;
    engine_options.detached_max = options.max_detached;
    engine_options.finalizers_max = options.max_finalizers;
    let limits = options.limits(engine_options.heap.limit_bytes);
    log::start(options.log_level());
    allow_many_files();
    gcrucible_platform::memory::return_large_blocks();
    let mut files = Files::new(options)?;
    let Made { program, paths } = entry::make(&options.file);
    files.set(&paths);
    let program = program.map(Arc::new).map_err(|report| {
        lines::err(&report);
        Stop::Exit(Exit::Failed)
    })?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let platform = TokioPlatform::new(threads).map_err(refused("no threads"))?;
    let platform = Arc::new(platform);
    let clock: Arc<dyn Platform> = Arc::clone(&platform) as _;
    let metrics = Metrics::new(Output::new(None));
    let observer = Arc::clone(&metrics) as _;
    let engine = Engine::new(Arc::clone(&program), &engine_options, clock, Some(observer));
    let engine = engine.map_err(|error| Stop::Refused(error.to_string()))?;
    // Signals, reloads and the end have a thread that nothing else can keep busy.
    let control = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(refused("no threads"))?;
    control.block_on(async {
        let mut signals = Signals::new().map_err(refused("signals cannot be handled"))?;
        let hangups = Hangups::new().map_err(refused("signals cannot be handled"))?;
        let mut reloading = Reloading::new(engine.clone(), program);
        let ids = CallIds::default();
        let first = tokio::select! {
            first = first(&mut reloading, &ids) => first?,
            _ = signals.next() => return Err(Stop::Exit(Exit::Interrupted)),
        };
        let (listener, address) = listen(options.address)?;
        let figures = options.metrics.0.map(listen).transpose()?;
        let server = Server::new(engine, Versions::new(first), metrics, limits, ids);
        let serving = platform
            .handle()
            .spawn(serve_on(Arc::clone(&server), listener));
        // Whoever started it may not care, here and below.
        let _ = lines::out(&format!("listening on http://{address}\n"));
        if let Some((listener, address)) = figures {
            let listener = TcpListener::from_std(listener).map_err(refused("no figures"))?;
            tokio::spawn(figures::serve(Arc::clone(&server), listener));
            let _ = lines::out(&format!("figures at {}\n", figures::url(address)));
        }
        let signal = tokio::select! {
            signal = signals.next() => signal,
            () = end_old_detached(&server) => "",
            () = tell_of_finalizers(&server) => "",
            () = reload_for_ever(&server, &mut reloading, options, files, hangups) => "",
        };
        tracing::info!("{signal}: the server stops; once more ends it at once");
        let stopped = async {
            stop(&server, options.grace, grace_of_calls, serving).await;
            Exit::Ok
        };
        Ok(tokio::select! {
            exit = stopped => exit,
            _ = signals.next() => Exit::Interrupted,
        })
    })
}

/// Takes connections, on the threads of the engine.
async fn serve_on(server: Arc<Server>, listener: std::net::TcpListener) {
    match TcpListener::from_std(listener) {
        Ok(listener) => connections::serve(server, listener).await,
        Err(error) => tracing::error!("nobody is let in: {error}"),
    }
}

/// Cancels detached tasks whose time is over.
async fn end_old_detached(server: &Server) {
    let Some(age) = server.limits.detached_timeout else {
        return std::future::pending().await;
    };
    let pause = (age / 4).clamp(LOOKS_AT_DETACHED_LEAST, LOOKS_AT_DETACHED_MOST);
    loop {
        tokio::time::sleep(pause).await;
        if server.engine.detached_task_count() == 0 {
            continue;
        }
        let count = server.engine.cancel_detached(age);
        if count > 0 {
            tracing::warn!(count, "detached tasks took too long");
        }
    }
}

/// Says when finalizers are given up: what a handler hoped for will not happen.
async fn tell_of_finalizers(server: &Server) {
    let mut known = 0;
    loop {
        tokio::time::sleep(LOOKS_AT_FINALIZERS).await;
        let now = server.engine.finalizers_given_up();
        if now > known {
            tracing::warn!(
                count = now - known,
                "finalizers were given up: too many wait"
            );
            known = now;
        }
    }
}

/// Each client needs a file; the system lets a process have more than it has at first.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // With those that it has it can serve, too.
    let _ = setrlimit(Resource::Nofile, most);
}

/// Runs the top level of the first version, and looks whether it can be served.
async fn first(reloading: &mut Reloading, ids: &CallIds) -> Result<Version, Stop> {
    let engine = reloading.engine().clone();
    let init = engine.start_init().await;
    let init = init.map_err(|error| Stop::Refused(error.to_string()))?;
    init.detach();
    if !settled(reloading).await {
        return Err(Stop::Exit(Exit::Failed));
    }
    let version = Version::current(&engine, 1, ids).await;
    version.map_err(Stop::Refused)
}

/// Waits until the entry has settled; gives whether it has done so well.
async fn settled(reloading: &mut Reloading) -> bool {
    loop {
        match reloading.look().await {
            Seen::NewVersion => return true,
            Seen::Failure => return false,
            Seen::Nothing => reloading.under_way().await,
        }
    }
}

fn listen(address: SocketAddr) -> Result<(std::net::TcpListener, SocketAddr), Stop> {
    let why = |error| Stop::Refused(format!("cannot listen on {address}: {error}"));
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    let socket = socket.map_err(why)?;
    // One that was stopped just now has left connections that last for a while.
    socket.set_reuseaddr(true).map_err(why)?;
    socket.bind(address).map_err(why)?;
    let listener = socket.listen(BACKLOG).and_then(TcpListener::into_std);
    let listener = listener.map_err(why)?;
    let bound = listener.local_addr().map_err(why)?;
    Ok((listener, bound))
}

/// The files of the program, if they are watched.
struct Files {
    #[cfg(feature = "hot")]
    watch: Option<Watch>,
}

impl Files {
    #[cfg(feature = "hot")]
    fn new(options: &ServeOptions) -> Result<Self, Stop> {
        let mut files = Files { watch: None };
        if options.hot {
            let watch = Watch::new();
            let why = |error| Stop::Refused(format!("files cannot be watched: {error}"));
            files.watch = Some(watch.map_err(why)?);
        }
        Ok(files)
    }

    #[cfg(not(feature = "hot"))]
    fn new(_: &ServeOptions) -> Result<Self, Stop> {
        Ok(Files {})
    }

    #[cfg_attr(
        not(feature = "hot"),
        expect(unused_variables, reason = "nothing is watched")
    )]
    fn set(&mut self, paths: &[String]) {
        #[cfg(feature = "hot")]
        if let Some(watch) = &mut self.watch {
            watch.set_files(paths);
        }
    }

    /// Waits for a change of a file that is watched.
    async fn changed(&mut self) {
        #[cfg(feature = "hot")]
        if let Some(watch) = &mut self.watch {
            return watch.changed().await;
        }
        std::future::pending().await
    }
}

/// Reloads the program when its files change or a signal asks for it.
async fn reload_for_ever(
    server: &Server,
    reloading: &mut Reloading,
    options: &ServeOptions,
    mut files: Files,
    mut hangups: Hangups,
) {
    loop {
        while look(server, reloading).await {}
        let unchanged = tokio::select! {
            () = reloading.under_way() => continue,
            () = files.changed() => Unchanged::Keep,
            () = hangups.next() => Unchanged::Reload,
        };
        let Made { program, paths } = entry::make(&options.file);
        files.set(&paths);
        reloading.reload(program, unchanged).await;
    }
}

/// Looks after the entry. Whether there may be more to see at once.
async fn look(server: &Server, reloading: &mut Reloading) -> bool {
    match reloading.look().await {
        Seen::NewVersion => {}
        Seen::Failure => return true,
        Seen::Nothing => return false,
    }
    let number = server.metrics.engine_version();
    match Version::current(&server.engine, number, &server.call_ids).await {
        Ok(version) => {
            server.versions.set(version);
            server.metrics.reloads_swapped.add();
            say!("reload: version {number} runs");
        }
        Err(why) => {
            server.metrics.reloads_failed.add();
            say!("error: {why}\nreload: version {number} failed, the one before goes on");
        }
    }
    true
}

/// Lets what is under way end, for so long, then gives it up.
async fn stop(
    server: &Server,
    grace: Duration,
    grace_of_calls: Duration,
    mut serving: JoinHandle<()>,
) {
    // What is given up has a time of its own to end, which is a part of the whole.
    let last = grace_of_calls + CANCELLED_MAX;
    let patience = (grace - last.min(grace / 4)).saturating_sub(LAST_STEPS);
    server.stage.send_replace(Stage::Stopping);
    if timeout(patience, all_ended(server, &mut serving))
        .await
        .is_err()
    {
        tracing::warn!("requests under way are given up");
        server.stage.send_replace(Stage::Ending);
        // What cannot be ended by then ends with the process.
        let _ = timeout(last, all_ended(server, &mut serving)).await;
    }
    server.engine.shutdown();
    let protected: u64 = server
        .engine
        .heap()
        .stats()
        .protected_by_kind
        .values()
        .sum();
    let calls = server.engine.open_call_count();
    tracing::info!(calls, protected, "stopped");
}

/// Waits until no connection is open and no call under way.
async fn all_ended(server: &Server, serving: &mut JoinHandle<()>) {
    if !serving.is_finished() {
        // It does not panic, and nobody aborts it.
        let _ = serving.await;
    }
    // All places are to be had when none is taken.
    let websockets = u32::try_from(server.limits.websockets_max).unwrap_or(u32::MAX);
    let _ = server.websockets.acquire_many(websockets).await;
    server.metrics.calls_ended(&server.engine).await;
}
