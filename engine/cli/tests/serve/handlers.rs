//! What handlers get, and what becomes of what they return.

use reqwest::Method;
use serde_json::json;

use crate::server::Server;

const APP: &str = r#"
fn counting() { let n = 0; return || { n += 1; return n } }
let count = counting()
let list = []

fn show(r) {
  return { method: r["method"], path: r["path"], params: r["params"], query: r["query"], body: r["body"] }
}

class Point { x }

export let routes = {
  "GET /show/{name}": show,
  "POST /show/{name}": show,
  "PUT /show/{name}": show,
  "PATCH /show/{name}": show,
  "DELETE /show/{name}": show,
  "GET /deep/{a}/b/{c}": show,
  "GET /files/{*path}": |r| r["params"]["path"],
  "GET /headers": |r| r["headers"]["x-test"],
  "GET /count": |r| { list.push(1); return [count(), count(), list.len()] },
  "GET /nothing": |r| nil,
  "GET /text": |r| "text",
  "POST /made": |r| ({ status: 201, headers: { location: "/made/1", age: 1 }, body: [1] }),
  "GET /status": |r| ({ status: 404, name: "a" }),
  "GET /throws": |r| { throw error("no such luck") },
  "GET /point": |r| Point { x: 1 },
  "GET /bad": |r| ({ status: 1000 }),
  "GET /id": |r| r["id"],
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_gets_the_request_and_its_value_is_the_answer() {
    let server = Server::start("handlers", APP, &[]);
    for method in [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ] {
        let request = server.request(method.clone(), "/show/a%20b?x=1&y=%C3%A9");
        let answer = server.send(request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let expected = json!({
            "method": method.as_str(),
            "path": "/show/a%20b",
            "params": { "name": "a b" },
            "query": { "x": "1", "y": "é" },
            "body": null,
        });
        assert_eq!(answer.json(), expected);
    }
    let params = server.get("/deep/1/b/2").await.json()["params"].clone();
    assert_eq!(params, json!({ "a": "1", "c": "2" }));
    assert_eq!(server.get("/files/a/b.txt").await.body, "a/b.txt");

    // A body is JSON if it says so.
    let data = r#"{"list":[1,2.5,"é",null],"deep":{"a":[]}}"#;
    let answer = server.post("/show/a", data).await.json();
    assert_eq!(
        answer["body"].to_string(),
        json!({"deep": {"a": []}, "list": [1, 2.5, "é", null]}).to_string()
    );
    let request = server.request(Method::PUT, "/show/a").body("[1]");
    assert_eq!(server.send(request).await.json()["body"], json!("[1]"));
    let request = server
        .request(Method::GET, "/headers")
        .header("X-Test", "1");
    assert_eq!(server.send(request).await.body, "1");

    let nothing = server.get("/nothing").await;
    assert_eq!((nothing.status, nothing.body.as_str()), (204, ""));
    let text = server.get("/text").await;
    assert_eq!((text.status, text.body.as_str()), (200, "text"));
    assert_eq!(
        text.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let made = server.post("/made", "{}").await;
    assert_eq!((made.status, made.body.as_str()), (201, "[1]"));
    assert_eq!(made.header("location"), Some("/made/1"));
    assert_eq!(made.header("age"), Some("1"));
    let status = server.get("/status").await;
    assert_eq!(
        (status.status, status.json()),
        (200, json!({"status": 404, "name": "a"}))
    );
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_has_globals_of_its_own() {
    let server = Server::start("isolation", APP, &[]);
    for _ in 0..20 {
        assert_eq!(server.get("/count").await.body, "[1,2,1]");
    }
    assert_eq!(
        server.metric("crux_requests_total{status=\"200\"}").await,
        20
    );
    // One of each request, and the one whose routes were read.
    assert_eq!(server.metric("crux_forks_total").await, 21);
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_has_a_status_and_names_the_request() {
    let server = Server::start("errors", APP, &["--quiet"]);
    let named = |path: &str| {
        server
            .request(Method::GET, path)
            .header("x-request-id", "r1")
    };
    let error = |why: &str| json!({ "error": why, "request_id": "r1" });
    for (path, status, why) in [
        ("/throws", 500, "Error: no such luck"),
        ("/point", 500, "the answer is no plain data: Point { x: 1 }"),
        ("/bad", 500, "1000 is no status of an answer"),
        ("/nowhere", 404, "nothing is at /nowhere"),
        ("/show/%FF", 400, "a parameter of the path is no UTF-8 text"),
    ] {
        let answer = server.send(named(path)).await;
        assert_eq!(
            (answer.status, answer.json()),
            (status, error(why)),
            "{path}"
        );
        assert_eq!(answer.header("x-request-id"), Some("r1"));
    }
    // Where it was thrown is for the operator only.
    let line = server.wait_for_message("no such luck");
    assert!(line.contains("app.crux:") && line.contains("r1"), "{line}");

    for method in [Method::GET, Method::PATCH, Method::HEAD, Method::OPTIONS] {
        let answer = server.send(server.request(method.clone(), "/made")).await;
        let status = if method == Method::OPTIONS { 204 } else { 405 };
        let allow = Some("OPTIONS, POST");
        assert_eq!((answer.status, answer.header("allow")), (status, allow));
    }
    let answer = server.send(server.request(Method::TRACE, "/show/a")).await;
    assert_eq!(answer.status, 405);
    let allow = Some("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
    assert_eq!(answer.header("allow"), allow);

    for json in [
        "{",
        "[1,]",
        "{\"a\":}",
        "\"\\x\"",
        &"[".repeat(100_000),
        &"[".repeat(64),
    ] {
        let answer = server.post("/show/a", json).await;
        assert_eq!(answer.status, 400, "{json}");
    }
    let request = server.request(Method::POST, "/show/a").body(vec![0xFF]);
    assert_eq!(server.send(request).await.status, 400);
    assert_eq!(server.get("/text").await.status, 200);
    server.signal("TERM");
    assert_eq!(server.ended().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_an_id() {
    let server = Server::start("ids", APP, &[]);
    let sent = async |id: &[u8]| {
        let request = server
            .request(Method::GET, "/id")
            .header("x-request-id", id);
        let answer = server.send(request).await;
        let echoed = answer
            .header("x-request-id")
            .expect("it is echoed")
            .to_owned();
        assert_eq!(answer.body, echoed);
        echoed
    };
    assert_eq!(sent(b"order-66").await, "order-66");
    assert_eq!(sent("größe".as_bytes()).await, "größe");
    assert_eq!(sent(&[b'x'; 1000]).await, "x".repeat(64));
    assert_eq!(sent(b"\xFF\xFE").await, "unknown");
    server.wait_for_message("the client's x-request-id is no text");
    let first = server.get("/id").await;
    let second = server.get("/id").await;
    assert_eq!(first.header("x-request-id"), Some(first.body.as_str()));
    assert_eq!(first.body.len(), 16);
    assert_ne!(first.body, second.body);
    // The line of the answer names the request, too.
    let nowhere = server.get("/nowhere").await;
    let id = nowhere.header("x-request-id").expect("it is there");
    let line = server.wait_for_message(id);
    assert!(line.contains("answered status=404"), "{line}");
    server.stop();
}
