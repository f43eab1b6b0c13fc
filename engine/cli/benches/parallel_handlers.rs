//! Whether handlers that compute run side by side.
//!
//! ```text
//! cargo bench -p gcrucible-cli --bench parallel_handlers
//! ```
//!
//! `crux serve` answers one request that takes a closure's loop to compute, then two such
//! requests at a time, in turn. The median of the ratios of both times is that of one run on one
//! machine: 1 when there is a core for each, 2 when one waits for the other. Ends with exit code
//! 1 when it is 1.2 or more on a machine that has two cores.

#[path = "../tests/process/mod.rs"]
mod process;
#[allow(dead_code, reason = "tests use the rest of it")]
#[path = "../tests/serve/server.rs"]
mod server;

use std::process::ExitCode;
use std::time::Duration;

use server::Server;

const PAIRS: usize = 20;
const MOST: f64 = 1.2;

const APP: &str = "
  fn summing(step) {
    let rounds = 0
    return |request| {
      rounds += 1
      let sum = 0
      for i in 0..2_000_000 { sum = (sum + i * step) % 1_000_003 }
      return [rounds, sum]
    }
  }
  export let routes = { \"GET /sum\": summing(7) }
";

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("threads start");
    runtime.block_on(run())
}

async fn run() -> ExitCode {
    let server = Server::start("bench_parallel_handlers", APP, &["--quiet"]);
    // Both connections are open, and the program is warm.
    both(&server).await;
    let mut ratios = Vec::new();
    let mut times = Vec::new();
    for _ in 0..PAIRS {
        let one = timed(async { ask(&server).await }).await;
        let two = timed(both(&server)).await;
        ratios.push(two.as_secs_f64() / one.as_secs_f64());
        times.push((one, two));
    }
    server.signal("TERM");
    assert_eq!(server.ended().0, 0);
    ratios.sort_by(f64::total_cmp);
    times.sort();
    let (one, two) = times[PAIRS / 2];
    let median = (ratios[PAIRS / 2 - 1] + ratios[PAIRS / 2]) / 2.0;
    println!(
        "one {:.1} ms, two at a time {:.1} ms; ratio: median {median:.3} of {PAIRS} pairs, {:.3} to {:.3}",
        one.as_secs_f64() * 1e3,
        two.as_secs_f64() * 1e3,
        ratios[0],
        ratios[PAIRS - 1],
    );
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    match cores < 2 || median < MOST {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

async fn both(server: &Server) {
    tokio::join!(ask(server), ask(server));
}

async fn ask(server: &Server) {
    let answer = server.get("/sum").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(
        answer.body.starts_with("[1,"),
        "each has its own count: {}",
        answer.body
    );
}

async fn timed(what: impl Future<Output = ()>) -> Duration {
    let start = tokio::time::Instant::now();
    what.await;
    start.elapsed()
}
