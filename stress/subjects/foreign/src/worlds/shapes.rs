//! What tasks do with a lock, a channel, an event: once for each shape of an interface.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;

use gcrucible_futures_subject::{Token, World};

/// Three tasks or four take a lock of so many permits, hold it for a while, and give it back; the second and the fourth may be dropped. Nobody
/// holds more than there is.
pub(super) fn lock<G: 'static, F: Future<Output = G> + 'static>(
    world: &World,
    permits: u32,
    take: impl Fn() -> F + 'static,
) {
    let held = Rc::new(Cell::new(0));
    let take = Rc::new(take);
    let names = ["first", "second", "third", "fourth"];
    let tasks = 3 + world.below(2) as usize;
    for (at, name) in names.into_iter().take(tasks).enumerate() {
        let (of_task, held, take) = (world.clone(), Rc::clone(&held), Rc::clone(&take));
        let rounds = 1 + world.below(2);
        let sleeps = world.below(2) == 1;
        let task = async move {
            for _ in 0..rounds {
                let guard = take().await;
                let _held = Held::new(&held, permits);
                if sleeps {
                    of_task.sleep(1).await;
                } else {
                    of_task.yield_now().await;
                }
                drop(guard);
            }
        };
        if at % 2 == 1 {
            world.droppable(name, task);
        } else {
            world.task(name, task);
        }
    }
}

/// The same for a lock whose guards borrow it: what a task does is one future, which takes the lock, [`holds`] it, and gives it back.
pub(super) fn borrowing_lock<F: Future<Output = ()> + 'static>(
    world: &World,
    round: impl Fn(&World, bool) -> F,
) {
    for name in ["first", "second", "third"] {
        let yields = world.below(2) == 1;
        let task = round(world, yields);
        if name == "second" {
            world.droppable(name, task);
        } else {
            world.task(name, task);
        }
    }
}

/// For how long a task holds a lock.
pub(super) async fn holds(world: &World, yields: bool) {
    if yields {
        world.yield_now().await;
    } else {
        world.sleep(1).await;
    }
}

/// Counts who is inside.
struct Held(Rc<Cell<u32>>);

impl Held {
    fn new(held: &Rc<Cell<u32>>, permits: u32) -> Held {
        held.set(held.get() + 1);
        assert!(
            held.get() <= permits,
            "more are inside than there are permits"
        );
        Held(Rc::clone(held))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Two senders send two values each, one of them may be dropped; a receiver receives until the end. What was accepted is received,
/// and nothing else.
pub(super) fn channel<S, R, FS, FR>(
    world: &World,
    sender: S,
    receiver: R,
    send: impl Fn(Rc<S>, Token) -> FS + 'static,
    receive: impl Fn(Rc<R>) -> FR + 'static,
) where
    S: Clone + 'static,
    R: 'static,
    FS: Future<Output = bool> + 'static,
    FR: Future<Output = Option<Token>> + 'static,
{
    let (accepted, received) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    // A value whose send is dropped may have been accepted.
    let under_way = Rc::new(Cell::new(0));
    let send = Rc::new(send);
    for name in ["first", "second"] {
        let (of_task, sender, send) = (world.clone(), Rc::new(sender.clone()), Rc::clone(&send));
        let (accepted, under_way) = (Rc::clone(&accepted), Rc::clone(&under_way));
        let values = 1 + world.below(2);
        let yields = world.below(2) == 1;
        let task = async move {
            for _ in 0..values {
                under_way.set(under_way.get() + 1);
                let is_accepted = send(Rc::clone(&sender), of_task.token()).await;
                under_way.set(under_way.get() - 1);
                accepted.set(accepted.get() + u32::from(is_accepted));
                if yields {
                    of_task.yield_now().await;
                }
            }
        };
        if name == "second" {
            world.droppable(name, task);
        } else {
            world.task(name, task);
        }
    }
    drop(sender);
    let count = Rc::clone(&received);
    world.task("receiver", async move {
        let receiver = Rc::new(receiver);
        while let Some(token) = receive(Rc::clone(&receiver)).await {
            token.number();
            count.set(count.get() + 1);
        }
    });
    world.at_rest(move || {
        let (accepted, received) = (accepted.get(), received.get());
        assert!(
            received >= accepted,
            "{accepted} values were accepted, and {received} received"
        );
        assert!(
            received <= accepted + under_way.get(),
            "{accepted} values were accepted, and {received} received"
        );
    });
}

/// Three tasks wait for something to be set that stays so; the second one may be dropped, and a fourth task sets it.
pub(super) fn event<F: Future<Output = ()> + 'static>(
    world: &World,
    wait: impl Fn() -> F + 'static,
    set: impl FnOnce() + 'static,
) {
    for name in ["first", "second", "third"] {
        let waits = wait();
        if name == "second" {
            world.droppable(name, waits);
        } else {
            world.task(name, waits);
        }
    }
    let of_task = world.clone();
    let sleeps = world.below(2) == 1;
    world.task("sets", async move {
        if sleeps {
            of_task.sleep(1).await;
        } else {
            of_task.yield_now().await;
        }
        set();
    });
}

/// One task sends a value once, another one receives it; either may be dropped, and the sender's end goes late.
pub(super) fn once<S: 'static, R: Future<Output = Option<Token>> + 'static>(
    world: &World,
    sender: S,
    receiver: R,
    send: impl FnOnce(S, Token) -> bool + 'static,
) {
    let (is_sent, is_received) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
    let (of_task, sent) = (world.clone(), Rc::clone(&is_sent));
    let says_nothing = world.below(4) == 0;
    let sleeps = world.below(2) == 1;
    let token = world.token();
    world.droppable("sender", async move {
        if sleeps {
            of_task.sleep(1).await;
        } else {
            of_task.yield_now().await;
        }
        if !says_nothing {
            sent.set(send(sender, token));
        }
    });
    let received = Rc::clone(&is_received);
    world.droppable("receiver", async move {
        if let Some(token) = receiver.await {
            token.number();
            received.set(true);
        }
    });
    world.at_rest(move || {
        assert!(
            !is_received.get() || is_sent.get(),
            "a value is received that was not sent"
        );
    });
}

/// One task waits for a value, and may be dropped; another one sends it late. If the receiver is gone by then, the sender's end stays for
/// longer than all tasks: nothing of the receiver may be left in it.
pub(super) fn late_sender<S: 'static, R: Future<Output = Option<Token>> + 'static>(
    world: &World,
    sender: S,
    receiver: R,
    send: impl FnOnce(S, Token) + 'static,
) {
    world.must_let_wakers_go();
    let is_gone = Rc::new(Cell::new(false));
    let gone = Gone(Rc::clone(&is_gone));
    world.droppable("receiver", async move {
        let _gone = gone;
        if let Some(token) = receiver.await {
            token.number();
        }
    });
    let kept = Rc::new(Cell::new(Some(sender)));
    let (of_task, sender) = (world.clone(), Rc::clone(&kept));
    world.task("sender", async move {
        of_task.sleep(1).await;
        if !is_gone.get()
            && let Some(sender) = sender.take()
        {
            send(sender, of_task.token());
        }
    });
    world.at_rest(move || drop(kept));
}

/// Says when its task has ended or was dropped.
struct Gone(Rc<Cell<bool>>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.set(true);
    }
}
