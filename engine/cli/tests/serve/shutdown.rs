//! How a server ends.

use reqwest::Method;
use tokio::net::TcpStream;

use crate::server::Server;

/// A request can wait for a file, which needs no other request.
const APP: &str = r#"
schedule every 1ms { return true }

export let routes = {
  "GET /": |r| "here",
  "GET /until": |r| {
    while true {
      try { return fs.read(r["query"]["file"]) }
      catch e is HostError { sleep(1) }
    }
  },
  "GET /stubborn": |r| { while true { try { sleep(1) } catch e { } } },
}
"#;

/// Starts a request that is answered when the file is there.
async fn waiting(server: &Server, file: &str) -> tokio::task::JoinHandle<reqwest::Result<String>> {
    let path = format!("/until?file={}", server.folder.path(file).display());
    let request = server.request(Method::GET, &path);
    let waiting = tokio::spawn(async move { request.send().await?.text().await });
    server.wait_for_metric("crux_requests_in_flight", 1).await;
    waiting
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_answered_and_no_other_is_taken() {
    let server = Server::start("graceful", APP, &["--grace", "60s"]);
    let waiting = waiting(&server, "ready.txt").await;
    server.signal("TERM");
    server.wait_for_message("SIGTERM: the server stops");
    // Nobody is let in any more.
    while TcpStream::connect(&server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    server.folder.file("ready.txt", "ready");
    let answer = waiting.await.expect("no panic").expect("an answer");
    assert_eq!(answer, "ready");
    let (code, rest) = server.ended();
    assert_eq!(code, 0, "{rest}");
    assert!(rest.contains("stopped calls=0 protected=0"), "{rest}");
    assert!(!rest.contains("given up"), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_outlasts_the_grace_time_is_given_up() {
    for path in ["/until?file=none", "/stubborn"] {
        let server = Server::start("grace_is_over", APP, &["--grace", "50ms"]);
        let request = server.request(Method::GET, path);
        let waiting = tokio::spawn(request.send());
        server.wait_for_metric("crux_requests_in_flight", 1).await;
        server.signal("INT");
        server.wait_for_message("SIGINT: the server stops");
        assert!(waiting.await.expect("no panic").is_err());
        let (code, rest) = server.ended();
        assert_eq!(code, 0, "{rest}");
        assert!(rest.contains("requests under way are given up"), "{rest}");
        assert!(rest.contains("stopped calls=0 protected=0"), "{rest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let server = Server::start("second_signal", APP, &["--grace", "1000s"]);
    let waiting = waiting(&server, "none").await;
    server.signal("INT");
    server.wait_for_message("SIGINT: the server stops");
    server.signal("TERM");
    assert!(waiting.await.expect("no panic").is_err());
    assert_eq!(server.ended().0, 130);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_idle_keep_nothing_up() {
    let server = Server::start("idle", APP, &["--grace", "1000s"]);
    // The client keeps its connections open, and one has sent nothing.
    assert_eq!(server.get("/").await.body, "here");
    let silent = TcpStream::connect(&server.address)
        .await
        .expect("it listens");
    assert_eq!(server.get("/").await.body, "here");
    server.stop();
    drop(silent);
}
