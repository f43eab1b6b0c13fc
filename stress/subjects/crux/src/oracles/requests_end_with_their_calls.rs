//! `requests_end_with_their_calls`: a request is taken in unless as many are under way as
//! allowed, is called what its client may call it (I-25), is under way until its call ends and
//! no longer, and a client that goes away before that cancels the call (I-18).

use std::collections::BTreeMap;

use crate::executor::trace::{Event, TaskId};
use gcrucible_trace::Failure;

use super::{Evidence, Notes, Oracle};

/// A request under way.
struct Open {
    call: u32,
    task: TaskId,
    id: String,
}

#[derive(Default)]
struct Requests {
    /// Requests that were taken in.
    last: u64,
    /// Call and id of the one that was asked for last, until it is clear what comes of it.
    asked: Option<(u32, String)>,
    open: BTreeMap<u64, Open>,
    /// The request whose client the host has just let go.
    leaving: Option<u64>,
    /// Tasks of requests whose client is gone, until cancellation is requested.
    gone: Option<(u64, TaskId)>,
    /// The request that ended just now, with its call.
    ended: Option<(u64, u32)>,
}

/// Checks a trace; no more than `limit` requests may be under way.
///
/// # Errors
/// The first event that breaks the rule.
pub fn check(events: &[Event], limit: usize) -> Result<(), Failure> {
    let mut requests = Requests::default();
    events
        .iter()
        .try_for_each(|event| requests.note(event, limit))
}

impl Requests {
    fn note(&mut self, event: &Event, limit: usize) -> Result<(), Failure> {
        if let Some((request, task)) = self.gone.take()
            && !matches!(event, Event::CancelRequested { task: found } if *found == task)
        {
            let message = format!(
                "the client of request {request} is gone, but its task {task} is not cancelled"
            );
            return Err(failure("I-18", message));
        }
        if let Some(request) = self.leaving.take()
            && !matches!(event, Event::Disconnected { request: found } if *found == request)
        {
            let message = format!("the client of request {request} is gone, and nobody is told");
            return Err(failure("I-18", message));
        }
        if let Some((request, call)) = self.ended.take()
            && !matches!(event, Event::CallEnded { call: found, .. } if *found == call)
        {
            let message = format!("request {request} ended, but not its call {call}");
            return Err(failure("I-18", message));
        }
        match event {
            Event::RequestAsked { call, id } => {
                self.asked = Some((*call, id.clone()));
                // One that comes to nothing for want of a fork has had a number all the same.
                self.last += u64::from(self.open.len() < limit);
            }
            Event::RequestRefused { id } => {
                let asked = self.asked.take();
                let is_known = asked.is_some_and(|(_, asked)| asked == *id);
                if !is_known || self.open.len() < limit {
                    let open = self.open.len();
                    let message = format!("request {id:?} is refused while {open} are under way");
                    return Err(failure("I-25", message));
                }
            }
            Event::RequestBegan {
                request,
                id,
                call,
                task,
                ..
            } => self.began(*request, id, *call, *task, limit)?,
            Event::ClientGone { request } => self.leaving = Some(*request),
            Event::Disconnected { request } => match self.open.get(request) {
                Some(open) => self.gone = Some((*request, open.task)),
                None => {
                    let message = format!("the client of request {request} is gone after its end");
                    return Err(failure("I-18", message));
                }
            },
            Event::RequestEnded { request, id } => match self.open.remove(request) {
                Some(open) if open.id == *id => self.ended = Some((*request, open.call)),
                _ => {
                    let message = format!("request {request}, {id:?}, ended, but never began");
                    return Err(failure("I-18", message));
                }
            },
            Event::CallEnded { call, .. } => {
                if let Some(request) = self.request_of(*call) {
                    let message = format!("call {call} ended, but not its request {request}");
                    return Err(failure("I-18", message));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn began(
        &mut self,
        request: u64,
        id: &str,
        call: u32,
        task: TaskId,
        limit: usize,
    ) -> Result<(), Failure> {
        let asked = self.asked.take();
        let Some((_, expected)) = asked.filter(|(asked, _)| *asked == call) else {
            let message =
                format!("request {request} began for call {call}, which nobody asked for");
            return Err(failure("I-25", message));
        };
        if id != expected {
            let message = format!("request {request} is called {id:?}, it should be {expected:?}");
            return Err(failure("I-25", message));
        }
        if request != self.last || self.open.len() >= limit {
            let message = format!(
                "request number {request} began, {} are under way and number {} comes next",
                self.open.len(),
                self.last
            );
            return Err(failure("I-25", message));
        }
        let id = id.to_owned();
        self.open.insert(request, Open { call, task, id });
        Ok(())
    }

    /// The request that a call answers.
    fn request_of(&self, call: u32) -> Option<u64> {
        let mut open = self.open.iter();
        open.find(|(_, open)| open.call == call)
            .map(|(&number, _)| number)
    }
}

fn failure(check: &str, message: String) -> Failure {
    Failure {
        oracle: "requests_end_with_their_calls".into(),
        check: check.into(),
        site: "request".into(),
        message,
    }
}

/// The oracle.
pub struct RequestsEndWithTheirCalls;

impl Oracle for RequestsEndWithTheirCalls {
    fn name(&self) -> &'static str {
        "requests_end_with_their_calls"
    }

    fn claim(&self) -> &'static str {
        "a request has its place and its name until its call ends, and its client's end cancels"
    }

    fn judge(&self, evidence: &Evidence<'_>, _notes: &mut Notes) -> Result<(), Failure> {
        check(evidence.events, evidence.requests_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::trace::Outcome;

    fn asked(call: u32) -> Event {
        let id = format!("r{call}");
        Event::RequestAsked { call, id }
    }

    fn began(request: u64, call: u32) -> Event {
        Event::RequestBegan {
            request,
            id: format!("r{call}"),
            fork: 1,
            call,
            task: call + 10,
        }
    }

    fn ended(request: u64, call: u32) -> [Event; 2] {
        let of_request = Event::RequestEnded {
            request,
            id: format!("r{call}"),
        };
        let of_call = Event::CallEnded {
            call,
            task: call + 10,
            outcome: Outcome::Cancelled,
            is_cancelled: true,
        };
        [of_request, of_call]
    }

    /// Two requests, of which one is refused, and a client that goes away.
    fn events() -> Vec<Event> {
        let mut events = vec![
            asked(1),
            began(1, 1),
            asked(2),
            Event::RequestRefused { id: "r2".into() },
            Event::Disconnected { request: 1 },
            Event::CancelRequested { task: 11 },
        ];
        events.extend(ended(1, 1));
        events.extend([asked(3), began(2, 3)]);
        events.extend(ended(2, 3));
        events
    }

    #[test]
    fn a_trace_without_any_of_its_events_is_noticed() {
        let events = events();
        assert_eq!(check(&events, 1), Ok(()));
        for at in 0..events.len() - 1 {
            let mut events = events.clone();
            let removed = events.remove(at);
            // A client that stays is no mistake; nor is a request that came to nothing.
            let is_harmless = matches!(
                removed,
                Event::Disconnected { .. } | Event::RequestRefused { .. }
            );
            assert_eq!(
                check(&events, 1).is_ok(),
                is_harmless,
                "without {removed:?}"
            );
        }
    }

    #[test]
    fn the_limit_and_the_ids_are_held_to() {
        assert!(check(&events(), 2).is_err(), "refused below the limit");
        assert!(check(&events(), 0).is_err(), "begun at the limit");
        let mut events = events();
        if let Event::RequestBegan { id, .. } = &mut events[1] {
            id.push('x');
        }
        assert_eq!(check(&events, 1).unwrap_err().check, "I-25");
    }
}
