//! The example does what it says.

use std::path::Path;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::process::Folder;
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn the_notes_server_keeps_notes() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/notes_server.crux");
    let text = std::fs::read_to_string(example).expect("the example");
    let folder = Folder::new("serve_example");
    folder.file("app.crux", &text);
    let notes = folder.path("notes");
    std::fs::create_dir(&notes).expect("a folder");
    let server = Server::start_in(folder, &["--", notes.to_str().expect("text")]);
    let put = |name: &str, text: &str| {
        let path = format!("/notes/{name}");
        server.request(Method::PUT, &path).body(text.to_owned())
    };

    assert_eq!(server.get("/notes/milk").await.status, 404);
    let made = server.send(put("milk", "two litres")).await;
    assert_eq!(
        (made.status, made.header("location")),
        (201, Some("/notes/milk"))
    );
    assert_eq!(server.send(put("milk", "three litres")).await.status, 204);
    assert_eq!(server.send(put("tea", "green")).await.status, 201);
    assert_eq!(server.send(put("..%2Fetc", "x")).await.status, 400);
    assert_eq!(server.send(put("empty", "")).await.status, 400);
    assert_eq!(server.get("/notes/milk").await.body, "three litres");
    let asked = r#"{"notes": ["milk", "tea", "none"], "text": "litres"}"#;
    assert_eq!(
        server.post("/search", asked).await.body,
        r#"{"found":["milk"]}"#
    );
    let remove = || server.request(Method::DELETE, "/notes/milk");
    assert_eq!(server.send(remove()).await.status, 204);
    assert_eq!(server.send(remove()).await.status, 404);

    let url = format!("ws://{}/draft", server.address);
    let mut socket = connect_async(url).await.expect("a WebSocket").0;
    for (sent, expected) in [("one", "1 lines"), ("two", "2 lines"), ("done", "one\ntwo")] {
        socket.send(Message::text(sent)).await.expect("it is open");
        let reply = socket.next().await.expect("it is open").expect("a message");
        assert_eq!(reply, Message::text(expected));
    }
    socket.close(None).await.expect("it is open");
    server.stop();
}
