//! Memory that is free, but not in one piece.

mod world;

use gcrucible_engine::VirtualPlatform;
use gcrucible_heap::HeapConfig;

use self::world::clockwork::Clockwork;

/// Every tenth of many large objects stays, wherever in the heap there is room for one.
const PIECES: &str = r#"
fn main() {
  let kept = []
  for n in 0..9000 {
    let text = "x".repeat(400)
    if n % 10 == 0 { kept.push(text) }
  }
  try { return "x".repeat(20000).len() } catch e { return "${e.kind}, ${kept.len()} kept" }
}
"#;

#[test]
fn an_object_finds_room_though_what_is_free_below_the_limit_lies_in_pieces() {
    let heap = HeapConfig {
        block_bytes: 512,
        limit_bytes: 1 << 20,
        ..HeapConfig::tiny()
    };
    let platform = VirtualPlatform::new(10_000);
    let world = Clockwork::on_heap(heap, "natural", platform, PIECES);
    let main = world.main();
    world.run();
    // There are more blocks than the limit lets be used: that is what collections copy to.
    assert_eq!(world.text(&main), "20000");
    let used = world.engine.heap().stats().used_bytes;
    assert!(used + 20_000 < heap.limit_bytes, "{used}");
    world.finish();
}
