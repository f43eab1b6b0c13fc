//! Versions that come and go while requests are served.

use std::sync::Arc;

use reqwest::{Client, Method};

use gcrucible_platform::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::process::Folder;
use crate::server::{Answer, Server};

/// Both modules of a version say which one it is.
fn write(folder: &Folder, version: u64) {
    let part = format!("export fn part() {{ return {version} }}\n");
    folder.file("part.crux", &part);
    folder.file("app.crux", &app(version));
}

fn app(version: u64) -> String {
    format!(
        "import {{ part }} from \"./part.crux\"\n\
         let table = {{ text: \"{version}\" }}\n\
         export let routes = {{\n\
           \"GET /version\": |r| [{version}, part(), int(table.text)],\n\
           \"GET /only/{version}\": |r| {version},\n\
         }}\n"
    )
    .replace("table.text", "table[\"text\"]")
}

fn start(name: &str, options: &[&str]) -> Server {
    let folder = Folder::new(&format!("serve_{name}"));
    write(&folder, 1);
    Server::start_in(folder, options)
}

/// Sends requests until it is told to stop; gives how many. Each is answered, by one version
/// as a whole, and never by an older one than the request before.
async fn load(client: Client, url: String, is_over: Arc<AtomicBool>, sent: Arc<AtomicU64>) {
    let mut last = 0;
    while !is_over.load(Ordering::Relaxed) {
        let answer = client.get(&url).send().await.expect("an answer");
        let answer = Answer::of(answer).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let versions: Vec<u64> = serde_json::from_str(&answer.body).expect("an array");
        assert_eq!(versions, [versions[0]; 3]);
        assert!(versions[0] >= last, "{} after {last}", versions[0]);
        last = versions[0];
        sent.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_because_of_a_reload() {
    const RELOADS: u64 = 100;
    let server = start("under_load", &["--quiet"]);
    let is_over = Arc::<AtomicBool>::default();
    let sent = Arc::<AtomicU64>::default();
    let clients = (0..4).map(|_| {
        let (client, url) = (server.client.clone(), server.url("/version"));
        tokio::spawn(load(client, url, is_over.clone(), sent.clone()))
    });
    let clients: Vec<_> = clients.collect();
    for version in 2..=RELOADS + 1 {
        write(&server.folder, version);
        server.signal("HUP");
        server.wait_for_metric("crux_version", version).await;
        let expected = format!("[{version},{version},{version}]");
        assert_eq!(server.get("/version").await.body, expected);
        // The routes are those of the version, too.
        assert_eq!(server.get(&format!("/only/{version}")).await.status, 200);
        assert_eq!(
            server.get(&format!("/only/{}", version - 1)).await.status,
            404
        );
        let protected = server
            .metric("crux_protected_objects{type=\"future\"}")
            .await;
        assert_eq!(protected, 1);
    }
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("nothing failed");
    }
    assert!(sent.load(Ordering::Relaxed) > 0);
    let swapped = server
        .metric("crux_reloads_total{result=\"swapped\"}")
        .await;
    assert_eq!(swapped, RELOADS);
    assert_eq!(
        server.metric("crux_reloads_total{result=\"failed\"}").await,
        0
    );
    assert_eq!(server.metric("crux_requests_in_flight").await, 0);
    server.signal("TERM");
    assert_eq!(server.ended().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_watched() {
    let server = start("watched", &["--hot"]);
    for version in 2..6 {
        write(&server.folder, version);
        let expected = format!("[{version},{version},{version}]");
        server.wait_for_body("/version", &expected).await;
    }
    // Written by rename, as many editors do.
    let new = server.folder.file("app.crux.new", &app(6));
    std::fs::rename(new, server.folder.path("app.crux")).expect("a rename");
    server.wait_for_body("/version", "[6,5,6]").await;
    // Gone, and back.
    std::fs::remove_file(server.folder.path("part.crux")).expect("it is there");
    server.wait_for_message("no such file");
    assert_eq!(server.get("/version").await.body, "[6,5,6]");
    write(&server.folder, 7);
    server.wait_for_body("/version", "[7,7,7]").await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_cannot_be_served_leaves_the_old_one() {
    let server = start("bad_versions", &[]);
    let good = app(1);
    let mut failed = 0;
    for (text, why) in [
        ("export let routes = {\n", "1 error"),
        ("let let\n", "error"),
        (
            "export let routes = {}\nthrow error(\"not today\")\n",
            "uncaught Error: not today",
        ),
        (
            "import \"./app.crux\"\nexport let routes = {}\n",
            "import one another",
        ),
        (
            "import \"./none.crux\"\nexport let routes = {}\n",
            "no such file",
        ),
        ("let routes = {}\n", "does not export `routes`"),
        ("export let routes = [1]\n", "is of type `array`"),
        (
            "export let routes = { \"GET\": |r| 1 }\n",
            "expected \"METHOD /path\"",
        ),
        (
            "let s = stream([1])\nexport let routes = { \"GET /\": |r| s }\n",
            "is a stream",
        ),
    ] {
        server.folder.file("app.crux", text);
        server.signal("HUP");
        failed += 1;
        server
            .wait_for_metric("crux_reloads_total{result=\"failed\"}", failed)
            .await;
        server.wait_for_message(why);
        server.wait_for_message("the one before goes on");
        assert_eq!(server.get("/version").await.body, "[1,1,1]");
        assert_eq!(server.metric("crux_version").await, 1);
    }
    std::fs::remove_file(server.folder.path("app.crux")).expect("it is there");
    server.signal("HUP");
    server.wait_for_message("app.crux: no such file");
    assert_eq!(server.get("/version").await.body, "[1,1,1]");

    server
        .folder
        .file("app.crux", &good.replace("[1, part()", "[2, part()"));
    server.signal("HUP");
    server.wait_for_body("/version", "[2,1,1]").await;
    assert_eq!(
        server
            .metric("crux_protected_objects{type=\"future\"}")
            .await,
        1
    );
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_top_level_that_never_settles_gives_way_to_the_next_version() {
    let server = start("never_settles", &[]);
    let text = "let c = channel(1)\nprint(\"begun\")\nc.receive()\nexport let routes = {}\n";
    server.folder.file("app.crux", text);
    server.signal("HUP");
    // It has been read once the next is deferred.
    server
        .wait_for_metric("crux_protected_objects{type=\"future\"}", 1)
        .await;
    assert_eq!(server.get("/version").await.body, "[1,1,1]");
    let deferred = "crux_reloads_total{result=\"deferred\"}";
    while server.metric(deferred).await == 0 {
        // A signal that comes while another is taken is the same one.
        server.signal("HUP");
        assert_eq!(server.get("/version").await.body, "[1,1,1]");
    }
    write(&server.folder, 2);
    server.signal("HUP");
    // The engine's patience is the only time that passes here.
    server.wait_for_body("/version", "[2,2,2]").await;
    server.wait_for_message("its top level was cancelled");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_ends_in_the_version_it_began_with() {
    let app = |version: u64| {
        format!(
            "export let routes = {{\n\
               \"GET /until\": |r| {{\n\
                 while true {{\n\
                   try {{ return fs.read(r[\"query\"][\"file\"]) + \" {version}\" }}\n\
                   catch e is HostError {{ sleep(1) }}\n\
                 }}\n\
               }},\n\
               \"GET /version\": |r| {version},\n\
             }}\n"
        )
    };
    let server = Server::start("old_versions", &app(1), &[]);
    let file = server.folder.path("ready.txt");
    let path = format!("/until?file={}", file.display());
    let waiting = tokio::spawn(server.request(Method::GET, &path).send());
    server.wait_for_metric("crux_requests_in_flight", 1).await;
    for version in 2..5 {
        server.folder.file("app.crux", &app(version));
        server.signal("HUP");
        server.wait_for_body("/version", &version.to_string()).await;
    }
    server.folder.file("ready.txt", "ready");
    let answer = waiting.await.expect("no panic").expect("an answer");
    assert_eq!(answer.text().await.expect("a body"), "ready 1");
    server.stop();
}
