//! Every operation that can wait, on real threads, files and sockets, ended by everything that
//! can end a wait. The simulation goes through all orders; this shows that the platform's own
//! operations do the same, and that nothing is left of them.
#![cfg(feature = "tokio")]

mod world;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use gcrucible_engine::{CallError, Outcome};

use self::world::World;

const MODES: &str = "collect=seeded:1:5,verify=quick";

/// The operations by number; those of HTTP come last.
const OPERATIONS: [&str; 11] = [
    "sleep", "send", "receive", "lock", "await", "next", "read", "write", "env", "get", "post",
];

/// How many of them this build has.
const COUNT: i64 = if cfg!(feature = "http") { 11 } else { 9 };

/// Those that never end by themselves in `wait_for_ever`: files and variables are too quick.
fn endless() -> impl Iterator<Item = i64> {
    (0..6).chain(9..COUNT.max(9))
}

/// A server that answers each request at once, and ends with the process.
fn answering() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let answers = move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut buffer = [0; 2048];
            // The client may be gone already: it was cancelled.
            let _ = stream.read(&mut buffer);
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
        }
    };
    gcrucible_platform::sync::thread::spawn("test", answers).expect("a thread");
    address
}

/// The program; `silent` accepts connections and says nothing.
fn program(silent: SocketAddr, answering: SocketAddr) -> String {
    // Files of its own: the port is taken as long as the world is there.
    let file = |name: &str| {
        let name = format!("crux-waits-{}-{name}.txt", silent.port());
        std::env::temp_dir().join(name).display().to_string()
    };
    let (read, written) = (file("read"), file("written"));
    format!(
        r#"
fn sleeper() {{ sleep(1000000000) }}
fn hold() {{ sync held {{ print("held"); sleep(1000000000) }} }}
const held = mutex()
const empty = channel(1)
const full = channel(1)
full.send(0)
fs.write("{read}", "text")
let never = spawn sleeper()
let holder = spawn hold()
fn stop() {{ cancel(never); cancel(holder) }}

// It waits for what never comes.
fn for_ever(n) {{
  match n {{
    0 => {{ sleep(1000000000) }}
    1 => {{ full.send(1) }}
    2 => {{ empty.receive() }}
    3 => {{ sync held {{ print("not held") }} }}
    4 => {{ await never }}
    5 => {{ stream(empty).next() }}
    9 => {{ http.get("http://{silent}/") }}
    10 => {{ http.post("http://{silent}/", "body") }}
    _ => {{ quick(n) }}
  }}
}}
fn wait_for_ever(n) {{ print("waits"); for_ever(n) }}

fn giver(c, n) {{ c.send(n) }}
fn taker(c) {{ c.receive() }}
fn holds(m) {{ sync m {{ yield_now() }} }}
fn number(n) {{ return n }}

// It ends soon, with its number.
fn quick(n) {{
  match n {{
    0 => {{ sleep(0); return 0 }}
    1 => {{ let c = channel(1); c.send(0); spawn taker(c); c.send(1); return 1 }}
    2 => {{ let c = channel(1); spawn giver(c, 2); return c.receive() }}
    3 => {{ let m = mutex(); spawn holds(m); yield_now(); sync m {{ return 3 }} }}
    4 => {{ return await (spawn number(4)) }}
    5 => {{ let c = channel(1); spawn giver(c, 5); return stream(c).next() }}
    6 => {{ assert(fs.read("{read}") == "text"); return 6 }}
    7 => {{ fs.write("{written}", "text"); return 7 }}
    8 => {{ assert(sys.env("PATH") != nil); return 8 }}
    9 => {{ assert(http.get("http://{answering}/").body == "ok"); return 9 }}
    _ => {{ assert(http.post("http://{answering}/", "body").body == "ok"); return 10 }}
  }}
}}

fn kind(f) {{ try {{ f() }} catch e {{ return e.kind }} }}
// Its cancellation was caught: what it waits for now is cancelled before it begins.
fn again(n) {{
  try {{ sleep(1000000000) }} catch {{}}
  return quick(n)
}}
fn before(n) {{
  let f = spawn again(n)
  yield_now()
  cancel(f)
  return kind(|| await f)
}}
fn in_time(n) {{ return kind(|| {{ deadline 1 {{ for_ever(n) }} }}) }}
fn interrupted(n) {{
  on_interrupt("A", || print("handled"))
  wait_for_ever(n)
}}
"#
    )
}

/// A world, with the lines printed so far, and the listener that says nothing.
fn world() -> (World, usize, TcpListener) {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("an address");
    let world = World::new(3, 11, MODES, &program(address, answering()));
    world.wait_for_lines(1);
    (world, 1, silent)
}

/// Ends what was made to wait for ever; then nothing must be left.
fn stop(world: World) {
    assert_eq!(world.returned(1_000_000, "stop", &[]), "nil");
    while !world.engine.blocked_tasks().is_empty() {
        gcrucible_platform::sync::thread::yield_now();
    }
    world.finish();
}

#[test]
fn what_a_cancelled_task_waits_for_does_not_begin() {
    let (world, ..) = world();
    for n in 0..COUNT {
        let kind = world.returned(n as u32, "before", &[n]);
        assert_eq!(kind, "Cancelled", "{}", OPERATIONS[n as usize]);
    }
    stop(world);
}

#[test]
fn cancellation_ends_every_wait() {
    let (world, mut lines, _silent) = world();
    for n in endless() {
        let handle = world.call(n as u32, "wait_for_ever", &[n]);
        lines += 1;
        world.wait_for_lines(lines);
        assert_eq!(world.engine.cancel_call(n as u32), Ok(()));
        let outcome = world.join(&handle);
        assert_eq!(outcome, Outcome::Cancelled, "{}", OPERATIONS[n as usize]);
    }
    stop(world);
}

#[test]
fn a_dropped_call_leaves_no_wait_behind() {
    let (world, mut lines, _silent) = world();
    for n in endless() {
        let handle = world.call(n as u32, "wait_for_ever", &[n]);
        lines += 1;
        world.wait_for_lines(lines);
        drop(handle);
    }
    stop(world);
}

#[test]
fn a_deadline_ends_every_wait() {
    let (world, _, _silent) = world();
    for n in endless() {
        let kind = world.returned(n as u32, "in_time", &[n]);
        assert_eq!(kind, "DeadlineExceeded", "{}", OPERATIONS[n as usize]);
    }
    stop(world);
}

#[test]
fn an_interrupted_wait_goes_on() {
    let (world, mut lines, _silent) = world();
    for n in endless() {
        let id = n as u32;
        let handle = world.call(id, "interrupted", &[n]);
        lines += 1;
        world.wait_for_lines(lines);
        assert_eq!(world.engine.interrupt(id, "A"), Ok(true));
        lines += 1;
        world.wait_for_lines(lines);
        assert_eq!(handle.call().outcome(), None, "{}", OPERATIONS[n as usize]);
        assert_eq!(world.engine.cancel_call(id), Ok(()));
        assert_eq!(world.join(&handle), Outcome::Cancelled);
    }
    stop(world);
}

#[test]
fn a_cancellation_at_completion_is_seen_or_comes_too_late() {
    let (world, ..) = world();
    for n in 0..COUNT {
        for round in 0..12 {
            let id = (n * 100 + round) as u32;
            let handle = world.call(id, "quick", &[n]);
            // Differing amounts of work before the request.
            for _ in 0..round * round * 40 {
                gcrucible_platform::sync::thread::spin_loop();
            }
            let asked = world.engine.cancel_call(id);
            let name = OPERATIONS[n as usize];
            match world.join(&handle) {
                Outcome::Cancelled => assert_eq!(asked, Ok(()), "{name}"),
                Outcome::Returned => assert_eq!(world.value(&handle), n.to_string(), "{name}"),
                Outcome::Threw | Outcome::Panicked => panic!("{name}: {}", world.value(&handle)),
            }
        }
    }
    stop(world);
}

#[test]
fn a_cancellation_after_the_end_is_refused() {
    let (world, ..) = world();
    for n in 0..COUNT {
        let id = n as u32;
        assert_eq!(world.returned(id, "quick", &[n]), n.to_string());
        let refused = world.engine.cancel_call(id);
        assert_eq!(refused, Err(CallError::CallNotFound(id)));
    }
    stop(world);
}
