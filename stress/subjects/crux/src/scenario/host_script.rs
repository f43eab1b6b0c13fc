//! What the embedder does, as data.

use gcrucible_heap::CollectionKind;
use serde::{Deserialize, Serialize};

/// One action of the embedder. The host is an actor of the schedule like any task: each
/// event is one step of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostEvent {
    /// Start a call of an exported function under an id. A duplicate id must be refused.
    Call {
        /// Id of the call.
        call: u32,
        /// Exported global that holds the function.
        function: String,
        /// Arguments.
        args: Vec<i64>,
    },
    /// Request cancellation of a call by id (unknown or ended ids too).
    CancelCall {
        /// Id of the call.
        call: u32,
    },
    /// Request cancellation of a future by id (unknown or settled ones too). Ids count from 1
    /// in order of registration.
    CancelFuture {
        /// Id of the future.
        future: u64,
    },
    /// Drop the host's future of a call.
    DropCall {
        /// Id of the call.
        call: u32,
    },
    /// Go on only when the call has ended.
    JoinCall {
        /// Id of the call.
        call: u32,
    },
    /// Protect the result of an ended call (no effect if it has none).
    Protect {
        /// Id of the call.
        call: u32,
    },
    /// Undo one protect of the result of an ended call.
    Unprotect {
        /// Id of the call.
        call: u32,
    },
    /// Collect now.
    Collect {
        /// Which kind.
        kind: CollectionKind,
    },
    /// Let virtual time pass.
    AdvanceTime {
        /// By so many milliseconds.
        ms: u32,
    },
    /// Fork the program for serving. The script knows the fork by its number; no effect if it has
    /// one of that number. One with an odd number has an account, which refuses nothing.
    Fork {
        /// Number of the fork.
        fork: u32,
    },
    /// Start a call in a fork (no effect if there is none of that number).
    CallInFork {
        /// Number of the fork.
        fork: u32,
        /// Id of the call.
        call: u32,
        /// Exported global that holds the function.
        function: String,
        /// Arguments.
        args: Vec<i64>,
    },
    /// Drop a fork (no effect if there is none of that number). Its calls go on.
    DropFork {
        /// Number of the fork.
        fork: u32,
    },
    /// Serve a request by a call in a fork of its own. Requests beyond
    /// [`REQUESTS_MAX`](crate::executor::programs::REQUESTS_MAX) and duplicate ids must be refused.
    Request {
        /// Id of the call.
        call: u32,
        /// Exported global that holds the function.
        function: String,
        /// Arguments.
        args: Vec<i64>,
        /// What its client calls it.
        #[serde(default, skip_serializing_if = "Header::is_absent")]
        header: Header,
        /// Whether the host's observer panics at the steps of this request.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        panics: bool,
    },
    /// The client of a request goes away: its call is cancelled unless it has ended.
    Disconnect {
        /// Id of the call.
        call: u32,
    },
    /// Raise a signal for a call (no effect if it has ended).
    Interrupt {
        /// Id of the call.
        call: u32,
        /// Name of the signal.
        signal: String,
    },
    /// Ask for a new version of the program (no effect if there is none of that number).
    Reload {
        /// Which one, from 0.
        version: u32,
        /// Whether a pending top level is cancelled for it.
        forced: bool,
    },
    /// Look at the entry's promise: swap, report, take up what was deferred.
    Tick,
    /// Go on only when no top level runs.
    JoinEntry,
    /// Run a program before the entry, unless a top level runs or the last preload was not
    /// finished.
    Preload {
        /// Which version, from 0.
        version: u32,
    },
    /// Go on only when the preload has ended, and hear how (no effect without one).
    FinishPreload,
    /// Make another program the entry, which only an empty entry slot allows.
    OverrideEntry {
        /// Which version, from 0.
        version: u32,
    },
    /// Load an entry that has nothing to evaluate.
    UnchangedEntry,
    /// Forget the entry, as between two tests.
    Isolate,
}

/// The id that a client sends with a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Header {
    /// None.
    #[default]
    Absent,
    /// A text, so many times.
    Text {
        /// The text.
        text: String,
        /// How often.
        times: u32,
    },
    /// So many letters, and then what is no text.
    NotText {
        /// The letters.
        behind: u32,
        /// A control character instead of bytes that are not UTF-8.
        control: bool,
    },
}

impl Header {
    /// Whether there is none.
    pub fn is_absent(&self) -> bool {
        *self == Header::Absent
    }

    /// What arrives.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Header::Absent => None,
            Header::Text { text, times } => Some(text.repeat(*times as usize).into_bytes()),
            Header::NotText { behind, control } => {
                let mut bytes = vec![b'x'; *behind as usize];
                bytes.push(if *control { b'\n' } else { 0xFF });
                Some(bytes)
            }
        }
    }

    /// What the request must be called (E-12), if `generated` is what the host calls one without
    /// an id.
    pub fn expected(&self, generated: &str) -> String {
        match self {
            Header::Text { text, times } if !text.is_empty() && *times > 0 => {
                if text.chars().any(char::is_control) {
                    return "unknown".to_owned();
                }
                let all = text.chars().cycle();
                let count = text.chars().count().saturating_mul(*times as usize);
                all.take(count.min(64)).collect()
            }
            Header::Absent | Header::Text { .. } => generated.to_owned(),
            Header::NotText { .. } => "unknown".to_owned(),
        }
    }
}

/// What the host answers to one host operation: the first answer to the first operation of
/// the run, and so on. Operations for which there is no answer fail at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostAnswer {
    /// Milliseconds that the operation takes.
    pub after_ms: u32,
    /// What it gives, or the message of its failure.
    pub result: Result<Data, String>,
    /// It panics instead of failing, with this message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panics: Option<String>,
    /// It heeds its stop token: it fails so many milliseconds after that has fired, unless it has
    /// ended by then. Without this it takes its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stops_after_ms: Option<u32>,
}

impl Default for HostAnswer {
    /// Nil, at once.
    fn default() -> Self {
        HostAnswer {
            after_ms: 0,
            result: Ok(Data::Nil),
            panics: None,
            stops_after_ms: None,
        }
    }
}

/// Plain data, as host and programs hand it to each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Data {
    /// `nil`
    #[default]
    Nil,
    /// A bool.
    Bool(bool),
    /// An int.
    Int(i64),
    /// A float, by its bits.
    Float(u64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Data>),
    /// A map with string keys, in insertion order.
    Map(Vec<(String, Data)>),
}

#[cfg(test)]
mod tests {
    use super::Header;

    fn text(text: &str, times: u32) -> Header {
        let text = text.to_owned();
        Header::Text { text, times }
    }

    #[test]
    fn an_id_that_can_be_repeated_is_expected_as_it_came() {
        let expected = |header: Header| header.expected("generated");
        assert_eq!(expected(text("ab", 3)), "ababab");
        assert_eq!(expected(text("ab", 40)), "ab".repeat(32));
        assert_eq!(expected(text("\u{20ac}", 90)), "\u{20ac}".repeat(64));
        assert_eq!(expected(text("a\n", 1)), "unknown");
        for generated in [Header::Absent, text("", 5), text("a", 0)] {
            assert_eq!(expected(generated), "generated");
        }
        let not_text = |behind, control| Header::NotText { behind, control };
        assert_eq!(expected(not_text(0, false)), "unknown");
        assert_eq!(expected(not_text(80, true)), "unknown");
    }

    #[test]
    fn what_arrives_is_what_it_says() {
        assert_eq!(Header::Absent.bytes(), None);
        assert_eq!(text("ab", 2).bytes(), Some(b"abab".to_vec()));
        let control = |control| Header::NotText { behind: 1, control };
        assert_eq!(control(true).bytes(), Some(b"x\n".to_vec()));
        assert_eq!(control(false).bytes(), Some(vec![b'x', 0xFF]));
    }
}
