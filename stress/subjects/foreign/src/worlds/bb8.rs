//! The crate `bb8`, a pool of connections. It needs tokio's runtime for its timers and for what it spawns; a task of the world lets
//! that run when nothing else can.
#![expect(
    clippy::disallowed_types,
    reason = "the pool asks for a manager that is Sync, and no crate here has the engine's platform"
)]

use std::convert::Infallible;
use std::future::Future;
use std::sync::Mutex;

use bb8::{ManageConnection, Pool};
use gcrucible_futures_subject::{Token, World};
use tokio::runtime::{Builder, Runtime};

/// Makes connections, which may break.
struct Manager(Mutex<Vec<Token>>);

struct Connection {
    _token: Token,
    is_broken: bool,
}

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = Infallible;

    fn connect<'a, 'b>(
        &'a self,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Connection, Infallible>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async {
            let token = self.0.lock().unwrap().pop().expect("there are enough");
            Ok(Connection {
                _token: token,
                is_broken: false,
            })
        })
    }

    fn is_valid<'a, 'c, 'b>(
        &'a self,
        _connection: &'c mut Connection,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Infallible>> + Send + 'b>>
    where
        'a: 'b,
        'c: 'b,
        Self: 'b,
    {
        Box::pin(std::future::ready(Ok(())))
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.is_broken
    }
}

thread_local! {
    /// One runtime for all worlds of a thread: what one world leaves in it, its last rounds take out.
    static RUNTIME: &'static Runtime = {
        let runtime = Builder::new_current_thread().enable_time().build();
        Box::leak(Box::new(runtime.expect("a runtime starts")))
    };
}

/// Rounds that the runtime has, each when nothing else can go on.
const ROUNDS: u32 = 12;

pub(super) fn pool(world: &World) {
    let runtime = RUNTIME.with(|runtime| *runtime);
    let inside = runtime.enter();
    let tokens = (0..8).map(|_| world.token()).collect();
    let pool = Pool::builder()
        .max_size(1 + world.below(2))
        .build_unchecked(Manager(Mutex::new(tokens)));
    let of_task = world.clone();
    world.task("runtime", async move {
        for _ in 0..ROUNDS {
            of_task.sleep(1).await;
            runtime.block_on(tokio::task::yield_now());
        }
    });
    for name in ["first", "second", "third"] {
        let (pool, of_task) = (pool.clone(), world.clone());
        let breaks = world.below(2) == 1;
        let task = async move {
            let mut connection = pool.get().await.expect("a connection comes in time");
            of_task.yield_now().await;
            connection.is_broken = breaks;
        };
        if name == "second" {
            world.droppable(name, task);
        } else {
            world.task(name, task);
        }
    }
    world.at_rest(move || {
        drop(pool);
        for _ in 0..ROUNDS {
            runtime.block_on(tokio::task::yield_now());
        }
        drop(inside);
    });
}
