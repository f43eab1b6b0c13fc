//! What hostile clients cost the others.
//!
//! ```text
//! cargo bench -p gcrucible-cli --bench hostile_clients
//! cargo bench -p gcrucible-cli --bench hostile_clients -- SECONDS [NAME]
//! ```
//!
//! For each hostile client that is known `crux serve` is started with a heap of 64 MB, with its own
//! limits otherwise. Another client asks for a greeting again and again: first alone, then while
//! the hostile client is at work for 20 s. Shown are the latencies, answers that were no greeting,
//! the most memory of the process, what is still held a second after the hostile client has left,
//! and how long the server then takes to end. Ends with exit code 1 when the greeting failed,
//! the 99th percentile grew by more than 100 ms, the process took 128 MB or more, something is
//! held, or the end took longer than its grace time.
//!
//! A hostile client would have a machine of its own. Here it shares the cores with the server and
//! with the client that is measured, so it is a process of one thread with a lower priority
//! (`nice -n 10`): it gets what the other two leave, and what they leave is enough to ask for
//! more than the server has. Otherwise the latency of its own threads would be shown as that of
//! the server. The client that is measured has a thread for itself.

#[path = "../tests/serve/hostile.rs"]
mod hostile;
#[path = "../tests/process/mod.rs"]
mod process;
#[allow(dead_code, reason = "tests use the rest of it")]
#[path = "../tests/serve/server.rs"]
mod server;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use hostile::{ALL, APP, Hostile};
use server::Server;
use tokio::time::{Instant, sleep, timeout};

const GRACE: Duration = Duration::from_secs(10);
const ADDED_MOST: Duration = Duration::from_millis(100);
const MEMORY_MOST: u64 = 128;

fn main() -> ExitCode {
    let mut args = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--"));
    let first = args.next();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    if first.as_deref() == Some(BE_HOSTILE) {
        let (name, address) = (args.next(), args.next());
        let hostile = ALL.iter().find(|it| name.as_deref() == Some(it.name));
        let (hostile, address) = hostile.zip(address).expect("a name and an address");
        return runtime.block_on(be(hostile, &address));
    }
    let seconds = first.and_then(|arg| arg.parse().ok()).unwrap_or(20);
    let only = args.next();
    runtime.block_on(async {
        println!(
            "| hostile client | p50 | p99 | added p99 | greetings, failed | memory | held | end | |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        let mut is_good = true;
        for hostile in ALL {
            if only.as_ref().is_none_or(|only| hostile.name.contains(only)) {
                is_good &= measure(hostile, Duration::from_secs(seconds)).await;
            }
        }
        match is_good {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    })
}

/// What the bench tells itself to be a hostile client.
const BE_HOSTILE: &str = "be-hostile";

/// Is a hostile client until it is killed; says when it has begun.
async fn be(hostile: &Hostile, address: &str) -> ExitCode {
    let at_work = hostile.start(address);
    at_work.has_begun(1).await;
    println!("begun");
    std::future::pending().await
}

/// A hostile client in a process of its own. It leaves when this is dropped.
struct Process(Child);

impl Process {
    /// Starts it, and waits until it has begun.
    fn start(hostile: &Hostile, address: &str) -> Process {
        let this = std::env::current_exe().expect("this has a path");
        let mut command = Command::new("nice");
        command.args(["-n", "10"]).arg(this);
        command.args([BE_HOSTILE, hostile.name, address]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut said = String::new();
        let out = child.stdout.take().expect("a pipe");
        let read = BufReader::new(out).read_line(&mut said);
        assert_eq!((read.expect("text"), said.trim()), (6, "begun"));
        Process(child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn measure(hostile: &Hostile, long: Duration) -> bool {
    let options = ["--heap-limit", "64m", "--log", "warn"];
    let server = Server::start("bench_hostile", APP, &options);
    let alone = greet(&server, Duration::from_secs(2)).await;
    let at_work = Process::start(hostile, &server.address);
    let seen = greet(&server, long).await;
    let memory = server.peak_memory() >> 20;
    drop(at_work);
    sleep(Duration::from_secs(1)).await;
    let mut held = Vec::new();
    for name in [
        "requests_in_flight",
        "websockets_open",
        "connections_open",
        "bytes_in_flight",
    ] {
        let figure = format!("crux_{name}");
        let count = timeout(Duration::from_secs(5), server.metric(&figure));
        match count.await {
            Ok(0) => {}
            Ok(count) => held.push(format!("{name} {count}")),
            Err(_) => held.push(format!("{name} unknown")),
        }
    }
    let detached = server.metric("crux_detached_tasks").await;
    let begin = Instant::now();
    server.signal("TERM");
    let code = server.ended().0;
    let end = begin.elapsed();
    let added = seen.p99.saturating_sub(alone.p99);
    let is_good = seen.failed == 0
        && added <= ADDED_MOST
        && memory < MEMORY_MOST
        && held.is_empty()
        && code == 0
        && end <= GRACE;
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    println!(
        "| {} | {} | {} | {} | {}, {} | {memory} MB | {}{} | {} | {} |",
        hostile.name,
        ms(seen.p50),
        ms(seen.p99),
        ms(added),
        seen.count,
        seen.failed,
        if held.is_empty() {
            "nothing".to_owned()
        } else {
            held.join(", ")
        },
        if detached > 0 {
            format!(" ({detached} detached)")
        } else {
            String::new()
        },
        ms(end),
        if is_good { "" } else { "too much" },
    );
    is_good
}

struct Seen {
    count: usize,
    failed: usize,
    p50: Duration,
    p99: Duration,
}

/// Asks again and again, on a connection of its own each time.
async fn greet(server: &Server, long: Duration) -> Seen {
    let client = reqwest::Client::builder().no_proxy();
    let client = client.pool_max_idle_per_host(0).build().expect("a client");
    let mut times = Vec::new();
    let mut failed = 0;
    let begin = Instant::now();
    while begin.elapsed() < long {
        let asked = Instant::now();
        let answer = client
            .get(server.url("/hello"))
            .timeout(Duration::from_secs(20));
        let is_right = match answer.send().await {
            Ok(answer) => answer.status() == 200,
            Err(_) => false,
        };
        failed += usize::from(!is_right);
        times.push(asked.elapsed());
        sleep(Duration::from_millis(5)).await;
    }
    times.sort();
    Seen {
        count: times.len(),
        failed,
        p50: times[times.len() / 2],
        p99: times[times.len() * 99 / 100],
    }
}
