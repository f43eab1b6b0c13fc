//! Thousands of reloads in one process while clients send requests (I-22, I-25).
//!
//! ```text
//! cargo bench -p gcrucible-cli --bench reloads_under_load [-- RELOADS]
//! ```
//!
//! `crux serve` is given a new version, with constants that no version before it had, again and
//! again (10,000 times by default), by writing its files and a SIGHUP. Meanwhile four clients send
//! one request after the other. Ends with exit code 1 when a request is not answered by one
//! version as a whole, when the protected objects of a kind are not as many after a reload as
//! after the first, or when the process has more than 5 % more memory after the last reload
//! than after a tenth of them.

#[path = "../tests/process/mod.rs"]
mod process;
#[allow(dead_code, reason = "tests use the rest of it")]
#[path = "../tests/serve/server.rs"]
mod server;

use std::process::ExitCode;
use std::sync::Arc;

use process::Folder;
use server::Server;

use gcrucible_platform::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const CLIENTS: usize = 4;
const MOST_GROWTH: f64 = 1.05;

fn main() -> ExitCode {
    let count = std::env::args().skip(1).find_map(|arg| arg.parse().ok());
    let reloads = count.unwrap_or(10_000).max(10);
    let runtime = tokio::runtime::Runtime::new().expect("threads start");
    runtime.block_on(run(reloads))
}

async fn run(reloads: u64) -> ExitCode {
    let folder = Folder::new("bench_reloads_under_load");
    write(&folder, 1);
    let server = Server::start_in(folder, &["--quiet"]);
    let is_over = Arc::<AtomicBool>::default();
    let [answered, failed] = [(); 2].map(|()| Arc::<AtomicU64>::default());
    let clients = (0..CLIENTS).map(|_| {
        let request = server.request(reqwest::Method::GET, "/version");
        let (is_over, answered, failed) = (is_over.clone(), answered.clone(), failed.clone());
        tokio::spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                let request = request.try_clone().expect("it has no body");
                match ask(request).await {
                    Ok(()) => answered.fetch_add(1, Ordering::Relaxed),
                    Err(what) => {
                        eprintln!("failed: {what}");
                        failed.fetch_add(1, Ordering::Relaxed)
                    }
                };
            }
        })
    });
    let clients: Vec<_> = clients.collect();

    println!("reloads  requests  failed  protected            resident");
    let tenth = reloads / 10;
    let mut protected = None;
    let mut unequal = 0;
    let mut memory = Vec::new();
    for reload in 1..=reloads {
        write(&server.folder, reload + 1);
        server.signal("HUP");
        server.wait_for_metric("crux_version", reload + 1).await;
        let now = protected_objects(&server).await;
        let first = protected.get_or_insert_with(|| now.clone());
        if *first != now {
            eprintln!("after reload {reload}: {now}, and {first} after the first");
            unequal += 1;
        }
        if reload % tenth == 0 {
            let resident = server.metric("crux_resident_memory_bytes").await;
            memory.push(resident);
            println!(
                "{reload:>7}  {:>8}  {:>6}  {now:<19}  {:.2} MiB",
                answered.load(Ordering::Relaxed),
                failed.load(Ordering::Relaxed),
                resident as f64 / f64::from(1 << 20),
            );
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("a client does not panic");
    }
    server.signal("TERM");
    let (code, rest) = server.ended();

    let growth = memory[memory.len() - 1] as f64 / memory[0] as f64;
    println!("memory after {reloads} reloads: {growth:.3} times that after {tenth}");
    println!("the server ended with exit code {code}");
    let failed = failed.load(Ordering::Relaxed);
    match failed == 0 && unequal == 0 && growth <= MOST_GROWTH && code == 0 {
        true => ExitCode::SUCCESS,
        false => {
            eprintln!(
                "{failed} requests failed, {unequal} reloads left something protected\n{rest}"
            );
            ExitCode::FAILURE
        }
    }
}

/// Both modules of a version say which one it is, in an int and in a text.
fn write(folder: &Folder, version: u64) {
    let part = format!("export fn part() {{ return {version} }}\n");
    let app = format!(
        "import {{ part }} from \"./part.crux\"\n\
         class Item {{ name, tags }}\n\
         fn counter(start) {{ let count = start\n return || {{ count += 1\n return count }} }}\n\
         let next = counter({version})\n\
         let table = {{ \"text\": \"{version}\", \"items\": [Item {{ name: \"of {version}\", tags: [1, 2] }}] }}\n\
         export let routes = {{\n\
           \"GET /version\": |r| [{version}, part(), int(table[\"text\"]), next() - 1],\n\
           \"GET /item\": |r| table[\"items\"][0].name,\n\
         }}\n"
    );
    folder.file("part.crux", &part);
    folder.file("app.crux", &app);
}

/// Sends a request; the answer must be of one version.
async fn ask(request: reqwest::RequestBuilder) -> Result<(), String> {
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = answer.text().await.map_err(|error| error.to_string())?;
    let versions: Vec<u64> = serde_json::from_str(&body).unwrap_or_default();
    match status.as_u16() == 200 && versions.len() == 4 && versions == [versions[0]; 4] {
        true => Ok(()),
        false => Err(format!("{status}: {body}")),
    }
}

/// The counts of protected objects, by kind, as the metrics have them.
async fn protected_objects(server: &Server) -> String {
    let page = server.get("/-/metrics").await;
    let prefix = "crux_protected_objects";
    let lines = page
        .body
        .lines()
        .filter_map(|line| line.strip_prefix(prefix));
    lines.collect::<Vec<_>>().join(" ")
}
