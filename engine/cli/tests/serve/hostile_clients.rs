//! Hostile clients, and one that only wants to be greeted.

use crate::hostile::{ALL, APP};
use crate::server::Server;

/// Short times, so that what is held is seen to be given back.
const OPTIONS: &[&str] = &[
    "--heap-limit",
    "64m",
    "--write-timeout",
    "500ms",
    "--handler-timeout",
    "1s",
    "--busy-timeout",
    "500ms",
    "--detached-timeout",
    "200ms",
    "--idle-timeout",
    "1s",
    // None of those that connect is to give way to others that do: that has a test of its own.
    "--max-connections",
    "2000",
    "--grace",
    "4s",
];

/// As `cargo bench -p gcrucible-cli --bench hostile_clients` does for longer, with figures.
#[tokio::test(flavor = "multi_thread")]
async fn none_of_them_keeps_another_client_out() {
    let mut server = Server::start("hostile_clients", APP, OPTIONS);
    let client = reqwest::Client::builder().no_proxy();
    // Who is silent for long is closed when there are many: so each request has a connection.
    let client = client.pool_max_idle_per_host(0).build();
    server.client = client.expect("a client");
    for hostile in ALL {
        // Shown if it fails.
        println!("{}", hostile.name);
        let at_work = hostile.start(&server.address);
        at_work.has_begun(2).await;
        for _ in 0..10 {
            let greeted = server.get("/hello").await;
            let name = hostile.name;
            assert_eq!(
                (greeted.status, greeted.body.as_str()),
                (200, "hello\n"),
                "{name}"
            );
        }
        drop(at_work);
        for count in [
            "crux_requests_in_flight",
            "crux_websockets_open",
            "crux_detached_tasks",
            "crux_bytes_in_flight",
            "crux_connections_open",
        ] {
            server.wait_for_metric(count, 0).await;
        }
    }
    // All at once, while it is told to end.
    let at_work: Vec<_> = ALL.iter().map(|it| it.start(&server.address)).collect();
    at_work[0].has_begun(1).await;
    server.signal("TERM");
    let (code, rest) = server.ended();
    assert_eq!(code, 0, "{}", rest.lines().last().unwrap_or_default());
}
