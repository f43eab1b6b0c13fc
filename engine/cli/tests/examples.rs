//! The examples print what is written down for them.

mod process;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;

use self::process::{crux, finish};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// Runs an example, plainly and with a heap under stress, and compares what it prints.
fn prints_what_is_expected(name: &str, args: &[&str]) {
    let file = examples().join(name).with_extension("crux");
    let expected = examples().join("expected").join(name).with_extension("txt");
    let expected = std::fs::read_to_string(expected).expect("what is expected");
    for modes in ["", "collect=seeded:1:20,scribble,verify=quick"] {
        let seen = finish(crux().args(["run", "--gc", modes]).arg(&file).args(args));
        assert_eq!(seen.err, "", "{name}");
        assert_eq!(seen.out, expected, "{name}");
        assert_eq!(seen.code, 0, "{name}");
    }
}

#[test]
fn n_body_keeps_its_energy() {
    prints_what_is_expected("n_body", &[]);
}

#[test]
fn the_json_transformer_transforms() {
    prints_what_is_expected("json_transformer", &[]);
}

#[test]
fn the_queue_retries() {
    prints_what_is_expected("retry_queue", &[]);
}

#[test]
fn the_crawler_finds_every_page_of_a_local_server() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .expect("a free port");
    let address = listener.local_addr().expect("an address");
    let site: Arc<Path> = examples().join("site").into();
    let app = Router::new().fallback(page).with_state(site);
    runtime.spawn(async move { axum::serve(listener, app).await });
    prints_what_is_expected("crawler", &[&format!("http://{address}")]);
}

/// A file of the site; `/` is its index.
async fn page(State(site): State<Arc<Path>>, request: Request) -> (StatusCode, String) {
    let path = request.uri().path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let is_within = !path.split('/').any(|part| part == "..");
    match std::fs::read_to_string(site.join(path)) {
        Ok(text) if is_within => (StatusCode::OK, text),
        _ => (StatusCode::NOT_FOUND, "no such page".to_owned()),
    }
}

#[test]
fn the_examples_of_the_harness_run_as_well() {
    for name in ["job_queue", "shared_cache", "tree_builder"] {
        let file = examples().join(name).with_extension("crux");
        let seen = finish(crux().arg("run").arg(&file));
        assert_eq!((seen.code, seen.err.as_str()), (0, ""), "{name}");
    }
}
