//! Futures of many tasks, spawned and awaited on real threads while collections move
//! everything.
#![cfg(feature = "tokio")]

mod world;

use gcrucible_engine::Outcome;
use gcrucible_heap::FutureState;

use self::world::World;

const MODES: &str = "zombie,scribble,verify=full";

#[test]
fn a_tree_of_tasks_adds_up() {
    let world = World::new(
        4,
        40,
        MODES,
        r#"
        class Node { value, left, right }

        fn tree(depth) {
          if depth == 0 { return Node { value: 1, left: nil, right: nil } }
          let left = spawn tree(depth - 1)
          let right = spawn tree(depth - 1)
          let node = Node { value: 0, left: await left, right: await right }
          node.value = node.left.value + node.right.value
          return node
        }

        fn sum(node) {
          if node.left == nil { return node.value }
          return sum(node.left) + sum(node.right)
        }

        fn main(depth) {
          let root = await spawn tree(depth)
          assert(sum(root) == root.value)
          return root.value
        }
        "#,
    );
    let handles: Vec<_> = (0..3).map(|id| world.call(id, "main", &[5])).collect();
    for handle in &handles {
        assert_eq!(
            world.join(handle),
            Outcome::Returned,
            "{}",
            world.value(handle)
        );
        assert_eq!(world.value(handle), "32");
    }
    assert!(world.watch.collections() > 0);
    assert_eq!(world.watch.settled(FutureState::Ready), 3 * 63);
    drop(handles);
    world.finish();
}

#[test]
fn all_who_wait_for_one_future_get_the_same_object() {
    let world = World::new(
        4,
        7,
        "collect=seeded:3:20,verify=quick",
        r#"
        fn make(n) {
          for i in 0..n { yield_now() }
          return [n]
        }

        fn waiter(f) { return await f }

        fn main(n) {
          let f = spawn make(n)
          let waiters = []
          for i in 0..12 { waiters.push(spawn waiter(f)) }
          let first = await f
          for w in waiters { assert((await w) == first) }
          return first[0]
        }
        "#,
    );
    for round in 0..20 {
        assert_eq!(
            world.returned(round, "main", &[i64::from(round)]),
            round.to_string()
        );
    }
    world.finish();
}

#[test]
fn racing_stores_to_shared_objects_break_nothing() {
    let world = World::new(
        4,
        30,
        "verify=full,kind=alternate",
        r#"
        class Item { id, next }

        fn writer(me, array, map, cell) {
          for i in 0..60 {
            let item = Item { id: me, next: cell.next }
            array.push(item)
            map[me * 100 + i % 10] = item
            map["shared"] = item
            item.next = nil
            cell.next = item
            if i % 7 == 0 { array[i % array.len()] = item }
            if i % 11 == 0 { map.remove(me * 100 + 3) }
            if i % 13 == 0 { array.insert(0, item) }
          }
        }

        fn main(writers) {
          let array = []
          let map = {}
          let cell = Item { id: 0, next: nil }
          let futures = []
          for me in 0..writers { futures.push(spawn writer(me, array, map, cell)) }
          for f in futures { await f }
          for item in array { assert(item.id < writers) }
          for key in map.keys() { assert(map[key].id < writers) }
          assert(cell.next.id < writers)
          return array.len() > 0
        }
        "#,
    );
    for round in 0..4 {
        assert_eq!(world.returned(round, "main", &[6]), "true");
    }
    assert!(world.watch.collections() > 0);
    world.finish();
}

#[test]
fn errors_reach_every_waiter() {
    let world = World::new(
        3,
        5,
        "collect=alloc:20,verify=quick",
        r#"
        fn fail(n) {
          for i in 0..n { yield_now() }
          throw error("no", [n])
        }

        fn waiter(f) {
          try { await f } catch e { return e.payload[0] }
          return "no error"
        }

        fn main(n) {
          let f = spawn fail(n)
          let waiters = [spawn waiter(f), spawn waiter(f), spawn waiter(f)]
          let seen = []
          for w in waiters { seen.push(await w) }
          return seen
        }
        "#,
    );
    for round in 0..20 {
        let expected = format!("[{round}, {round}, {round}]");
        assert_eq!(world.returned(round, "main", &[i64::from(round)]), expected);
    }
    world.finish();
}

#[test]
fn continuous_collection_lets_tasks_get_on() {
    for workers in [1, 3] {
        let world = World::new(
            workers,
            25,
            "collect=continuous,verify=quick",
            r#"
            fn work(n) {
              let list = nil
              for i in 0..n { list = [i, list] }
              let sum = 0
              while list != nil {
                sum += list[0]
                list = list[1]
              }
              return sum
            }

            fn main() {
              let futures = [spawn work(50), spawn work(60), spawn work(70)]
              let sum = 0
              for f in futures { sum += await f }
              return sum
            }
            "#,
        );
        assert_eq!(world.returned(0, "main", &[]), "5410");
        assert!(world.watch.collections() > 0);
        world.finish();
    }
}
