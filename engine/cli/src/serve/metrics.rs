//! What can be counted.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::sync::Arc;

use gcrucible_engine::{Engine, EngineEvent, Observer, ReloadStep};
use gcrucible_platform::sync::Mutex;
use gcrucible_platform::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use tokio::sync::Notify;

use super::{Server, log};
use crate::lines;
use crate::output::Output;

/// Counters of the process, and the observer that feeds some of them.
pub(crate) struct Metrics {
    output: Arc<Output>,
    requests: Mutex<BTreeMap<u16, u64>>,
    pub(crate) disconnects: Counter,
    /// Handlers that took too long.
    pub(crate) timeouts: Counter,
    /// Handlers that gave way to other requests.
    pub(crate) gave_way: Counter,
    /// Clients that did not take what they were sent.
    pub(crate) write_timeouts: Counter,
    pub(crate) connections_refused: Counter,
    forks: Counter,
    forks_refused: Counter,
    pub(crate) reloads_swapped: Counter,
    pub(crate) reloads_failed: Counter,
    reloads_deferred: Counter,
    /// The version that the engine made current last.
    version: AtomicU32,
    call_ended: Notify,
    /// For those who wait for the end of one.
    pub(crate) request_ended: Notify,
}

/// A number that grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Metrics {
    /// Counts from zero. What the program prints goes to `output`, and so does what `output`
    /// says of versions that fail.
    pub(crate) fn new(output: Arc<Output>) -> Arc<Self> {
        Arc::new(Metrics {
            output,
            requests: Mutex::default(),
            disconnects: Counter::default(),
            timeouts: Counter::default(),
            gave_way: Counter::default(),
            write_timeouts: Counter::default(),
            connections_refused: Counter::default(),
            forks: Counter::default(),
            forks_refused: Counter::default(),
            reloads_swapped: Counter::default(),
            reloads_failed: Counter::default(),
            reloads_deferred: Counter::default(),
            version: AtomicU32::new(1),
            call_ended: Notify::new(),
            request_ended: Notify::new(),
        })
    }

    /// Notes an answer.
    pub(crate) fn answered(&self, status: u16) {
        *self.requests.lock().entry(status).or_default() += 1;
    }

    /// The version that the engine made current last; whether it can be served is another
    /// question.
    pub(crate) fn engine_version(&self) -> u32 {
        self.version.load(Ordering::Relaxed)
    }

    /// Waits until no call of a client is under way; then finalizers alone may be. There must be
    /// one who waits at most.
    pub(crate) async fn calls_ended(&self, engine: &Engine) {
        while engine.open_host_call_count() > 0 {
            self.call_ended.notified().await;
        }
    }
}

impl Observer for Metrics {
    fn event(&self, event: &EngineEvent<'_>) {
        match event {
            EngineEvent::Slice { realm, outcome, .. } => {
                if !outcome.printed.is_empty() {
                    log::printed(realm, &outcome.printed);
                }
                return;
            }
            EngineEvent::Forked { refused: None, .. } => self.forks.add(),
            EngineEvent::Forked { .. } => self.forks_refused.add(),
            EngineEvent::Reload { version, step } => match step {
                ReloadStep::Swapped => {
                    // Whether it can be served is said, and counted, when that is known.
                    self.version.store(*version, Ordering::Relaxed);
                    return;
                }
                ReloadStep::Failed(_) => self.reloads_failed.add(),
                ReloadStep::Deferred => self.reloads_deferred.add(),
                ReloadStep::Begun => {}
            },
            // Lines of the log, as those of handlers that throw.
            EngineEvent::FinalizerFailed {
                call,
                text,
                attachment,
            } => {
                log::uncaught(*attachment, text, &call.trace(), "in a finalizer");
                return;
            }
            EngineEvent::Unobserved {
                text,
                trace,
                attachment,
                ..
            } => {
                log::uncaught(*attachment, text, trace, "in a task that nobody awaited");
                return;
            }
            EngineEvent::RequestEnded { .. } => self.request_ended.notify_waiters(),
            EngineEvent::CallEnded { .. } => self.call_ended.notify_one(),
            _ => {}
        }
        self.output.event(event);
    }
}

/// The text of `/-/metrics`, as Prometheus reads it.
pub(super) fn text(server: &Server) -> String {
    let metrics = &server.metrics;
    let stats = server.engine.heap().stats();
    let in_flight = server.engine.open_request_count();
    let websockets = server.limits.websockets_max - server.websockets.available_permits();
    let mut page = Page::default();
    let requests = metrics.requests.lock().clone();
    page.family(
        "crux_requests_total",
        "counter",
        "Answers by status",
        "status",
        requests,
    );
    page.gauge(
        "crux_requests_in_flight",
        "Requests whose calls run",
        in_flight,
    );
    page.counter(
        "crux_disconnects_total",
        "Clients that left before their answer",
        metrics.disconnects.get(),
    );
    page.counter(
        "crux_handler_timeouts_total",
        "Handlers that took too long",
        metrics.timeouts.get(),
    );
    page.counter(
        "crux_handlers_gave_way_total",
        "Handlers that gave way to other requests when all places were taken",
        metrics.gave_way.get(),
    );
    page.counter(
        "crux_write_timeouts_total",
        "Clients that did not take what they were sent",
        metrics.write_timeouts.get(),
    );
    page.gauge(
        "crux_connections_open",
        "Connections that are open, but for WebSockets",
        server.connections.len(),
    );
    page.counter(
        "crux_connections_refused_total",
        "Clients for whose connections there was no room",
        metrics.connections_refused.get(),
    );
    page.gauge(
        "crux_bytes_in_flight",
        "Bytes that are held for clients",
        server.budget.used(),
    );
    page.gauge(
        "crux_detached_tasks",
        "Tasks of requests that belong to no call",
        server.engine.detached_task_count(),
    );
    page.counter(
        "crux_finalizers_given_up_total",
        "Finalizers of requests that will not run, because too many waited",
        server.engine.finalizers_given_up(),
    );
    page.counter(
        "crux_log_lines_dropped_total",
        "Lines that standard output and standard error did not take",
        lines::dropped(),
    );
    page.gauge(
        "crux_websockets_open",
        "WebSockets that are open",
        websockets,
    );
    page.counter("crux_forks_total", "Forks made", metrics.forks.get());
    page.counter(
        "crux_forks_refused_total",
        "Forks that could not be made",
        metrics.forks_refused.get(),
    );
    let reloads = [
        ("swapped", &metrics.reloads_swapped),
        ("failed", &metrics.reloads_failed),
        ("deferred", &metrics.reloads_deferred),
    ];
    let reloads = reloads.map(|(result, count)| (result, count.get()));
    page.family(
        "crux_reloads_total",
        "counter",
        "Reloads by result",
        "result",
        reloads,
    );
    let version = server.versions.current().number;
    page.gauge("crux_version", "Number of the version that serves", version);
    page.family(
        "crux_protected_objects",
        "gauge",
        "Objects that the host protects, by type",
        "type",
        stats.protected_by_kind,
    );
    let live = stats.used_bytes;
    page.gauge("crux_heap_live_bytes", "Bytes of heap blocks in use", live);
    let kinds = [
        ("minor", stats.collections_minor),
        ("major", stats.collections_major),
    ];
    page.family(
        "crux_heap_collections_total",
        "counter",
        "Collections",
        "kind",
        kinds,
    );
    if let Some(bytes) = resident_bytes() {
        page.gauge("crux_resident_memory_bytes", "Memory of the process", bytes);
    }
    page.0
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.begin(name, "counter", help);
        self.line(format_args!("{name} {value}"));
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.begin(name, "gauge", help);
        self.line(format_args!("{name} {value}"));
    }

    fn family<L: Display, V: Display>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (L, V)>,
    ) {
        self.begin(name, kind, help);
        for (of, value) in values {
            self.line(format_args!("{name}{{{label}=\"{of}\"}} {value}"));
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // A string takes all that is written to it.
        let _ = writeln!(self.0, "{line}");
    }
}

/// Memory of the process that is in RAM, where the system says it in `/proc`.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
