//! Requests under way: how many, how large, and what becomes of them when their clients leave.

use reqwest::Method;

use crate::server::{LIMIT, Server};

/// Channels are shared by all forks: requests can wait for one another by them.
const APP: &str = r#"
let gate = channel(16)
let ended = channel(16)

export let routes = {
  "GET /wait": |r| {
    try { return gate.receive() }
    catch e { ended.try_send(e.kind); throw e }
  },
  "POST /go": |r| { gate.send("gone"); return "sent" },
  "GET /ended": |r| ended.receive(),
  "POST /length": |r| r["body"].len(),
  "GET /hog": |r| { let all = []; while true { all.push("a".repeat(1000)) } },
  "GET /deep": |r| deep(0),
  "GET /": |r| "here",
}

fn deep(n) { return deep(n + 1) + 1 }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn as_many_requests_as_allowed_are_under_way() {
    let server = Server::start(
        "in_flight",
        APP,
        &["--max-in-flight", "3", "--busy-timeout", "off"],
    );
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let request = server.request(Method::GET, "/wait");
        waiting.push(tokio::spawn(request.send()));
    }
    server.wait_for_metric("crux_requests_in_flight", 2).await;
    assert_eq!(server.get("/").await.body, "here");
    waiting.push(tokio::spawn(server.request(Method::GET, "/wait").send()));
    server.wait_for_metric("crux_requests_in_flight", 3).await;
    for _ in 0..10 {
        let refused = server.get("/").await;
        assert_eq!(
            (refused.status, refused.header("retry-after")),
            (503, Some("1"))
        );
        assert_eq!(refused.json()["error"], "3 requests are under way");
        assert!(refused.header("x-request-id").is_some());
    }
    // What is wrong is still said, and so are the figures.
    assert_eq!(server.get("/nowhere").await.status, 404);

    // A client that leaves makes room.
    waiting.pop().expect("it waits").abort();
    server.wait_for_metric("crux_requests_in_flight", 2).await;
    for request in waiting {
        assert_eq!(server.post("/go", "{}").await.body, "sent");
        drop(request);
    }
    server.wait_for_metric("crux_requests_in_flight", 0).await;
    assert_eq!(
        server.metric("crux_requests_total{status=\"503\"}").await,
        10
    );
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_cancels_its_call() {
    let server = Server::start("disconnect", APP, &[]);
    for count in 1..=5 {
        let waiting = tokio::spawn(server.request(Method::GET, "/wait").send());
        server.wait_for_metric("crux_requests_in_flight", 1).await;
        waiting.abort();
        // The call itself has seen it.
        assert_eq!(server.get("/ended").await.body, "Cancelled");
        server.wait_for_metric("crux_requests_in_flight", 0).await;
        server
            .wait_for_metric("crux_disconnects_total", count)
            .await;
    }
    assert_eq!(server.get("/").await.body, "here");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_has_a_limit() {
    let server = Server::start("max_body", APP, &["--max-body", "64k"]);
    let length = async |bytes: usize| {
        let request = server
            .request(Method::POST, "/length")
            .body("x".repeat(bytes));
        server.send(request).await
    };
    assert_eq!(length(65_536).await.body, "65536");
    let refused = length(65_537).await;
    assert_eq!(refused.status, 413);
    assert_eq!(
        refused.json()["error"],
        "the body has more than 65536 bytes"
    );
    assert_eq!(length(10_000_000).await.status, 413);
    assert_eq!(length(10).await.body, "10");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_wants_too_much_harms_no_other() {
    let options = ["--heap-limit", "4m", "--max-body", "16m"];
    let server = Server::start("hog", APP, &options);
    for _ in 0..3 {
        let hog = server.get("/hog").await;
        assert_eq!(hog.status, 500);
        let error = hog.json()["error"].to_string();
        assert!(error.contains("OutOfMemory"), "{error}");
        let deep = server.get("/deep").await;
        assert_eq!(deep.status, 500);
        let error = deep.json()["error"].to_string();
        assert!(error.contains("StackOverflow"), "{error}");
        // The heap has no room for this.
        let request = server
            .request(Method::POST, "/length")
            .body("x".repeat(8 << 20));
        let refused = server.send(request).await;
        assert_eq!(
            (refused.status, refused.header("retry-after")),
            (503, Some("1"))
        );
        assert_eq!(
            refused.json()["error"],
            "the heap has no room for the arguments"
        );
        assert_eq!(server.get("/").await.body, "here");
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_run_side_by_side() {
    let server = Server::start("parallel", APP, &[]);
    let requests = (0..100).map(|_| tokio::spawn(server.request(Method::GET, "/wait").send()));
    let requests: Vec<_> = requests.collect();
    server.wait_for_metric("crux_requests_in_flight", 100).await;
    for _ in 0..100 {
        assert_eq!(server.post("/go", "{}").await.body, "sent");
    }
    for request in requests {
        let answer = tokio::time::timeout(LIMIT, request)
            .await
            .expect("it comes");
        let answer = answer.expect("no panic").expect("an answer");
        assert_eq!(answer.text().await.expect("a body"), "gone");
    }
    server.stop();
}
