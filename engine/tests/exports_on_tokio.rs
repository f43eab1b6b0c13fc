//! Calls of exported closures on real threads, which collections move.
#![cfg(feature = "tokio")]

mod world;

use gcrucible_engine::Outcome;

use self::world::World;

const TEXT: &str = "
  fn adding(list) { return |n| list[0] + list[1] + n }
  export let add = adding([1, 2])
  export fn work() {
    let list = []
    for i in 0..200 { list.push([i]) }
    return list.len()
  }
";

/// The host starts calls whenever it likes, also while another thread collects.
#[test]
fn a_closure_is_called_though_a_collection_moves_it() {
    for modes in [
        "collect=continuous,kind=major,zombie",
        "kind=major,scribble,verify=quick",
    ] {
        let world = World::new(3, 50, modes, TEXT);
        for id in 0..200 {
            let work = world.call(2 * id, "work", &[]);
            let add = world.call(2 * id + 1, "add", &[4]);
            let outcome = world.join(&add);
            assert_eq!(outcome, Outcome::Returned, "{}", world.value(&add));
            assert_eq!(world.value(&add), "7");
            assert_eq!(world.join(&work), Outcome::Returned);
        }
        world.finish();
    }
}
