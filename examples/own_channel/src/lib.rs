//! A bounded channel of one place, for tasks of one thread.
//!
//! It has a bug on purpose, which `tests/crucible.rs` finds: docs/your-own-futures.md.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

struct Inner<T> {
    value: Option<T>,
    senders: usize,
    is_receiver_gone: bool,
    receiver: Option<Waker>,
    /// Senders that wait for the place to be free, in turn.
    waiting: VecDeque<Rc<RefCell<Waiter>>>,
}

/// A sender that waits.
struct Waiter {
    waker: Waker,
    /// It was told that the place is free.
    is_told: bool,
}

/// Sends values.
pub struct Sender<T>(Rc<RefCell<Inner<T>>>);

/// Receives values.
pub struct Receiver<T>(Rc<RefCell<Inner<T>>>);

/// A channel with room for one value.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let inner = Rc::new(RefCell::new(Inner {
        value: None,
        senders: 1,
        is_receiver_gone: false,
        receiver: None,
        waiting: VecDeque::new(),
    }));
    (Sender(Rc::clone(&inner)), Receiver(inner))
}

impl<T> Inner<T> {
    /// Tells the first sender that waits.
    fn tell_sender(&mut self) -> Option<Waker> {
        let waiter = self.waiting.pop_front()?;
        let mut waiter = waiter.borrow_mut();
        waiter.is_told = true;
        Some(waiter.waker.clone())
    }
}

/// A place in the queue of senders, which is left when the future is dropped.
struct Queued<T> {
    inner: Rc<RefCell<Inner<T>>>,
    waiter: Option<Rc<RefCell<Waiter>>>,
}

impl<T> Queued<T> {
    /// Waits, or waits again with another waker.
    fn wait(&mut self, context: &Context<'_>) {
        let waker = context.waker().clone();
        match &self.waiter {
            Some(waiter) if !waiter.borrow().is_told => waiter.borrow_mut().waker = waker,
            _ => {
                let waiter = Rc::new(RefCell::new(Waiter {
                    waker,
                    is_told: false,
                }));
                self.inner
                    .borrow_mut()
                    .waiting
                    .push_back(Rc::clone(&waiter));
                self.waiter = Some(waiter);
            }
        }
    }
}

impl<T> Queued<T> {
    /// Leaves the queue. Returns whether this sender was told that the place is free.
    fn leave(&mut self) -> bool {
        let Some(waiter) = self.waiter.take() else {
            return false;
        };
        let mut inner = self.inner.borrow_mut();
        inner.waiting.retain(|other| !Rc::ptr_eq(other, &waiter));
        waiter.borrow().is_told
    }
}

impl<T> Drop for Queued<T> {
    fn drop(&mut self) {
        self.leave();
        // The bug of this example: a sender that was told that the place is free, and is
        // dropped before it is polled again, must tell the next one.
    }
}

impl<T> Sender<T> {
    /// Waits until there is room. Returns the value if nobody will receive it.
    pub async fn send(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        let mut queued = Queued {
            inner: Rc::clone(&self.0),
            waiter: None,
        };
        poll_fn(move |context| {
            let mut inner = self.0.borrow_mut();
            if inner.is_receiver_gone {
                return Poll::Ready(Err(value.take().expect("it is sent once")));
            }
            if inner.value.is_some() {
                drop(inner);
                queued.wait(context);
                return Poll::Pending;
            }
            inner.value = value.take();
            let receiver = inner.receiver.take();
            drop(inner);
            queued.leave();
            if let Some(receiver) = receiver {
                receiver.wake();
            }
            Poll::Ready(Ok(()))
        })
        .await
    }
}

impl<T> Receiver<T> {
    /// Waits for a value; `None` when all senders are gone.
    pub async fn receive(&mut self) -> Option<T> {
        poll_fn(|context| {
            let mut inner = self.0.borrow_mut();
            if let Some(value) = inner.value.take() {
                let sender = inner.tell_sender();
                drop(inner);
                if let Some(sender) = sender {
                    sender.wake();
                }
                return Poll::Ready(Some(value));
            }
            if inner.senders == 0 {
                return Poll::Ready(None);
            }
            inner.receiver = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.borrow_mut().senders += 1;
        Sender(Rc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut inner = self.0.borrow_mut();
        inner.senders -= 1;
        let receiver = if inner.senders == 0 {
            inner.receiver.take()
        } else {
            None
        };
        drop(inner);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut inner = self.0.borrow_mut();
        inner.is_receiver_gone = true;
        let senders: Vec<Waker> = std::iter::from_fn(|| inner.tell_sender()).collect();
        drop(inner);
        senders.into_iter().for_each(Waker::wake);
    }
}
