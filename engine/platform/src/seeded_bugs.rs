//! The switches of the zoo: known bugs that can be turned on one at a time.
//!
//! With the feature `seeded-bugs` off, [`is_on`] is the constant `false` and every
//! guarded line compiles to nothing. With it on, at most one bug is on in a process, and
//! each counts how often its line was *reached* and how often it was *triggered* (made a
//! difference), so that a miss of the harness says whether generator, scheduler or
//! oracle is weak.
//!
//! A switch lives at the line where the bug would be made, and takes one line there
//! ([`planted!`](crate::planted)); what is wrong when it is on stands in the catalogue:
//!
//! ```text
//! if !planted!(B03) {
//!     self.write_barrier(object, slot, value);
//! }
//! if planted!(B43, waiters.len() > 1) { waiters.truncate(1) }
//! ```
//!
//! A few bugs need state, or a function, that nothing else needs. These are patches
//! ([`BugKind::Patch`], `stress/patches`), which have such a line where they put it.

/// Whether a seeded bug is on and does its harm now, which counts as triggered: `planted!(B03)`, or
/// `planted!(B43, waiters.len() > 1)` where it only makes a difference under a condition. The
/// condition is looked at only when the bug is on.
#[macro_export]
macro_rules! planted {
    ($bug:ident) => {
        $crate::planted!($bug, true)
    };
    ($bug:ident, $matters:expr) => {
        $crate::seeded_bugs::is_on($crate::seeded_bugs::Bug::$bug) && $matters && {
            $crate::seeded_bugs::note_triggered($crate::seeded_bugs::Bug::$bug);
            true
        }
    };
}

macro_rules! catalogue {
    ($($variant:ident = $id:literal, $lane:ident, $breaks:literal, $what:literal;)*) => {
        /// One seeded bug; where an id of the catalogue fits several sites, each site is
        /// a bug of its own with a letter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Bug { $(#[doc = $what] $variant,)* }

        impl Bug {
            /// The whole catalogue in order.
            pub const ALL: &'static [Bug] = &[$(Bug::$variant,)*];

            /// The name on the command line, `B-03`.
            pub fn id(self) -> &'static str {
                match self { $(Bug::$variant => $id,)* }
            }

            /// What is wrong when it is on.
            pub fn what(self) -> &'static str {
                match self { $(Bug::$variant => $what,)* }
            }

            /// The invariant or oracle that it breaks.
            pub fn breaks(self) -> &'static str {
                match self { $(Bug::$variant => $breaks,)* }
            }

            /// Where it can be found.
            pub fn kind(self) -> BugKind {
                match self { $(Bug::$variant => BugKind::$lane,)* }
            }
        }
    };
}

/// Which part of the harness can find a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BugKind {
    /// The simulated platform.
    Simulation,
    /// The simulated platform, with an engine that `stress/patches` has made it in: it needs what the engine
    /// has no other use for.
    Patch,
    /// Only real threads or a model checker of them.
    Threads,
}

catalogue! {
    B01 = "B-01", Simulation, "I-4", "the future registry's TLAB keeps its cursor across a collection";
    B02 = "B-02", Simulation, "I-4", "a VM's TLAB keeps its cursor across a collection";
    B03 = "B-03", Simulation, "I-6", "no barrier on a field store";
    B04a = "B-04a", Simulation, "I-6", "no barrier on an array element store";
    B04b = "B-04b", Simulation, "I-6", "no barrier on array push";
    B04c = "B-04c", Simulation, "I-6", "no barrier on array insert";
    B04d = "B-04d", Simulation, "I-6", "no barrier when an array grows into new storage";
    B05 = "B-05", Simulation, "I-6", "no barrier on a captured cell";
    B06a = "B-06a", Simulation, "I-6", "no barrier on map insert";
    B06b = "B-06b", Simulation, "I-6", "no barrier on map update";
    B07 = "B-07", Simulation, "I-6", "no barrier when an old future is completed with a young value";
    B08 = "B-08", Simulation, "I-7", "globals of a module that is still initialising are not enumerated as roots";
    B09 = "B-09", Simulation, "I-6", "a card is cleaned although its object still holds a young reference";
    B10 = "B-10", Simulation, "I-6", "the card of the object's start is dirtied, not that of the slot";
    B11a = "B-11a", Simulation, "I-6", "no conservative barrier when a channel takes a value";
    B11b = "B-11b", Simulation, "I-6", "no conservative barrier when an array is reversed in place";
    B12 = "B-12", Simulation, "I-6", "promotion does not remember the promoted object's young references";
    B13 = "B-13", Simulation, "I-7", "operand temporaries are not enumerated as roots";
    B14 = "B-14", Simulation, "I-7", "the value in flight through finally is not enumerated as a root";
    B15 = "B-15", Simulation, "I-7", "the iterators of loops are not enumerated as roots";
    B16 = "B-16", Simulation, "I-7", "the arguments of an unscheduled future are not enumerated as roots";
    B17 = "B-17", Simulation, "I-7", "the result of a host operation is no root until it is registered";
    B18 = "B-18", Simulation, "I-7", "globals of an old version that something still runs on are not enumerated as roots";
    B19 = "B-19", Simulation, "I-7", "the hooks that wait for the end of a run are not enumerated as roots";
    B20a = "B-20a", Simulation, "I-7", "an enum payload is enumerated but not forwarded";
    B20b = "B-20b", Simulation, "I-7", "a bound receiver is enumerated but not forwarded";
    B20c = "B-20c", Simulation, "I-7", "a captured cell is enumerated but not forwarded";
    B20d = "B-20d", Simulation, "I-7", "map storage is enumerated but not forwarded";
    B20e = "B-20e", Simulation, "I-7", "a handle is enumerated but not forwarded";
    B21 = "B-21", Simulation, "I-7", "a holder parked since before the previous collection is skipped as already forwarded";
    B22 = "B-22", Simulation, "verifier", "a map storage larger than two cards is copied by its length, not its capacity";
    B23 = "B-23", Simulation, "verifier", "the interning table keeps dead or moved strings across a major collection";
    B24 = "B-24", Simulation, "model", "the hash of an object beyond the nursery is its address";
    B25 = "B-25", Simulation, "I-26", "survivors of more than four words never age: they are never promoted";
    B26 = "B-26", Simulation, "verifier", "a failed allocation leaves an array with more elements than storage";
    B27 = "B-27", Simulation, "model", "evacuation failure after the first copy drops the object";
    B28 = "B-28", Simulation, "I-3", "deep copy of an unscheduled future shares its arguments";
    B29 = "B-29", Simulation, "I-3", "deep copy loses sharing between two parents";
    B30 = "B-30", Simulation, "I-3", "deep equality of equal errors is false";
    B31 = "B-31", Simulation, "I-3", "deep copy of a cycle through a map does not end";
    B32 = "B-32", Simulation, "I-8", "replacing a protected value unprotects the old one twice";
    B33 = "B-33", Simulation, "I-8", "a protect is not undone when the copy to be protected fails";
    B34 = "B-34", Simulation, "I-7", "what a library function has so far is not enumerated as roots";
    B34b = "B-34b", Patch, "I-7", "deep copy keeps what it has so far in native memory outside the roots";
    B35 = "B-35", Simulation, "verifier", "a safepoint lies between allocation and filling of an array's storage";
    B36 = "B-36", Patch, "I-6", "the barrier judges generations before a safepoint, the store comes after it";
    B37 = "B-37", Simulation, "I-6", "old space grows again, the card table does not: marks out of range are dropped";
    B38 = "B-38", Simulation, "model", "a finalizer that was queued stays registered: it runs twice";
    B38b = "B-38b", Simulation, "I-7", "the queue of finalizers is enumerated but not forwarded";
    B40 = "B-40", Simulation, "I-11", "a late completion overwrites a terminal state";
    B41 = "B-41", Simulation, "I-15", "the registry entry goes before the state is stored";
    B42 = "B-42", Simulation, "I-12", "the waiter is registered after the check, without checking again";
    B43 = "B-43", Simulation, "I-12", "only the first waiter is woken";
    B44 = "B-44", Simulation, "I-12", "a waiter is woken twice";
    B45 = "B-45", Simulation, "I-15", "an absent future id is an error instead of resolved";
    B46 = "B-46", Simulation, "I-15", "the counter of future ids starts again at a reload";
    B47 = "B-47", Simulation, "I-13", "finished futures stay in the registry";
    B48 = "B-48", Simulation, "liveness", "a spawned future is lost when its instruction was the slice's last";
    B49 = "B-49", Simulation, "liveness", "an await of a future that is already resolved waits for a completion that never comes";
    B50 = "B-50", Simulation, "liveness", "cancelling a future does not fire its token: what it runs goes on";
    B51 = "B-51", Simulation, "I-11", "cancel after ready turns the future into cancelled";
    B52 = "B-52", Simulation, "model", "the original cause of an internal error is lost";
    B53 = "B-53", Simulation, "model", "a squad that fails ends before its children";
    B54 = "B-54", Simulation, "I-12", "completion wakes the waiters before the value is visible";
    B55 = "B-55", Patch, "liveness", "an await takes the value: the second await of a future hangs";
    B56 = "B-56", Simulation, "model", "a squad joins in order and sees a later child's failure late";
    B57 = "B-57", Simulation, "liveness", "a squad cuts its children off from outer cancellation";
    B58 = "B-58", Simulation, "liveness", "a task whose host operation panics never settles its future";
    B59 = "B-59", Simulation, "liveness", "the end of a run waits for the tasks of other runs";
    B60 = "B-60", Simulation, "I-17", "the call id is freed at cancel, and the first call's guard then removes its successor";
    B61 = "B-61", Simulation, "I-17", "a refused duplicate of a call id replaces the first call's token";
    B62 = "B-62", Simulation, "I-16", "a call cancelled before it starts returns its value";
    B63 = "B-63", Simulation, "model", "await prefers a finished future to the cancellation";
    B64 = "B-64", Simulation, "I-16", "a cancellation that another error has as its payload is not recognised";
    B65 = "B-65", Simulation, "I-19", "the turn of a round robin is counted before the cancellation is seen";
    B66 = "B-66", Simulation, "I-19", "a retry goes on after the cancellation";
    B67 = "B-67", Simulation, "liveness", "a host operation is not told of its task's cancellation: it ignores the token";
    B68 = "B-68", Simulation, "liveness", "a loop without await never sees the cancellation";
    B69 = "B-69", Simulation, "liveness", "the token of a child is not linked to that of its parent";
    B70 = "B-70", Simulation, "I-18", "a dropped call leaves its entry and its tasks";
    B71 = "B-71", Simulation, "liveness", "the grace time of what is cancelled never ends";
    B72 = "B-72", Patch, "liveness", "handling an interrupt clears the cancellation of the whole run";
    B73 = "B-73", Simulation, "model", "a slice of one instruction does not look at the budgets of steps";
    B74 = "B-74", Simulation, "liveness", "a host operation that begins after the request is not watched";
    B80 = "B-80", Simulation, "I-9", "unwinding leaves a sync guard taken";
    B81 = "B-81", Simulation, "I-9", "unwinding leaves a deadline armed that is deeper than the handler";
    B82 = "B-82", Simulation, "I-9", "the iterator of a loop that a throw has left stays the current one";
    B83 = "B-83", Simulation, "I-9", "the handler that a return leaves stays";
    B84 = "B-84", Simulation, "I-9", "a typed handler that does not match swallows the value";
    B85 = "B-85", Simulation, "I-9", "finally is skipped on cancellation";
    B86 = "B-86", Simulation, "model", "what the hooks made of a run's value is not what the run returns";
    B87 = "B-87", Patch, "model", "hooks of a run that failed run at the end of the next one";
    B88 = "B-88", Simulation, "model", "the boundary of a step applies to a callee's frame";
    B89 = "B-89", Simulation, "liveness", "an interrupt handler that overruns its time is never stopped";
    B90 = "B-90", Simulation, "I-9", "a return out of a deadline leaves it armed";
    B91 = "B-91", Simulation, "I-9", "a catch in the frame of a deadline leaves it armed";
    B92 = "B-92", Simulation, "I-23", "two aliases of one closure become two in a fork";
    B94a = "B-94a", Simulation, "I-6", "no barrier when an array is extended by a run of elements";
    B94b = "B-94b", Simulation, "I-6", "no barrier when an array is filled with a value";
    B95a = "B-95a", Simulation, "model", "the trace of an error is taken after unwinding";
    B95b = "B-95b", Simulation, "model", "the trace of an error is kept past a catch";
    B96 = "B-96", Simulation, "memory_runs_out_with_reason", "an allocation that fails again after one collection is refused, whatever room there is";
    B97 = "B-97", Simulation, "I-4", "the buffer of a holder that was dropped before a collection is filled again at the next";
    B100 = "B-100", Simulation, "liveness", "what was deferred behind a pending entry is never taken up";
    B101a = "B-101a", Patch, "I-21", "the promise of the entry is stored without being protected";
    B101b = "B-101b", Patch, "I-21", "the promise of a preload is stored without being protected";
    B101c = "B-101c", Patch, "I-21", "the promise of an entry that overrides the main one is stored without being protected";
    B101d = "B-101d", Simulation, "I-21", "the promise that test isolation takes out of the entry slot stays protected";
    B102 = "B-102", Simulation, "I-22", "storing the promise that is in the entry slot already protects it once more";
    B103 = "B-103", Patch, "I-7", "the promise that a preload waits for is no root of its own";
    B104 = "B-104", Simulation, "I-22", "shutdown does not empty the entry slot";
    B105a = "B-105a", Simulation, "I-20", "an old version is freed at the swap though something still runs on it";
    B105b = "B-105b", Simulation, "I-20", "a major collection frees the constants of an old version that objects refer to";
    B106 = "B-106", Patch, "I-20", "the new version is seen with variables of the old version's dependencies";
    B107 = "B-107", Simulation, "I-10", "a store to a frozen global is accepted";
    B110 = "B-110", Simulation, "I-23", "a fork shares the captured variables of closures";
    B111 = "B-111", Simulation, "I-23", "a fork copies what it meets twice two times";
    B112 = "B-112", Simulation, "I-24", "a stream that a closure has captured passes into a fork";
    B113 = "B-113", Simulation, "I-23", "a fork shares the arrays and maps in fields of instances";
    B114a = "B-114a", Simulation, "I-25", "a request id that is not text, or whose cut is inside a character, panics";
    B114b = "B-114b", Simulation, "I-25", "a request id that is too long is logged whole";
    B115 = "B-115", Simulation, "I-18", "a client that goes away does not cancel its call";
    B116 = "B-116", Simulation, "I-18", "an observer that panics at the end of a call leaves its entry half changed: the id stays taken";
    B140 = "B-140", Simulation, "I-7", "what a built-in that works in steps has so far is no root";
    B150 = "B-150", Simulation, "I-3", "the copy of an array begins at the first place of its storage, wherever the original does";
    B151 = "B-151", Simulation, "model", "a walk over a map leaves out the entry behind a removed one";
    B152 = "B-152", Simulation, "I-3", "a weak reference in a deep copy leads to the original of its target";
    B153 = "B-153", Simulation, "I-3", "a deep copy copies bound methods";
    B154 = "B-154", Simulation, "E-3", "a task that is cancelled before it starts stays charged to the heap's limit";
    B160a = "B-160a", Simulation, "I-7", "a register that only an open handler reads counts as dead";
    B160b = "B-160b", Simulation, "I-7", "a register that is read only behind a finally block counts as dead while that runs";
    B171 = "B-171", Simulation, "model", "a child's failure reaches its siblings and the block of its squad when the block has ended";
    B172 = "B-172", Simulation, "model", "an error of time that is caught inside of its deadline or step is caught for ever";
    B174 = "B-174", Simulation, "model", "a change of a channel or mutex wakes everybody who waits for it";
    B175 = "B-175", Simulation, "model", "a signal is raised for a program that has a handler of another one only";
    B176 = "B-176", Simulation, "I-19", "a client whose deadline is over before it is called makes an attempt all the same";
    B190 = "B-190", Simulation, "model", "the message of a failed operator names the types of its operands the wrong way round";
    B191 = "B-191", Simulation, "liveness", "a text of the host's data that found no room counts as progress, so that it is tried for ever";
    B200 = "B-200", Simulation, "model", "a task that is spawned inherits the time of the innermost deadline, however early an outer one ends";
    B201 = "B-201", Simulation, "model", "a deadline does not hear of what is spawned in a squad inside of it";
    B202 = "B-202", Simulation, "model", "with an inner deadline the outer one forgets what was spawned inside of that";
    B203 = "B-203", Simulation, "model", "a turn that is given back goes to who has waited shortest";
    B204 = "B-204", Threads, "liveness", "what came between a look and the end of its turn is made good for one turn, though others are under way";
    B205 = "B-205", Simulation, "leaks", "a list that its last waiter gives up stays, empty";
    B206 = "B-206", Simulation, "I-16", "the children of a task that has ended are not those of its parent";
    B207 = "B-207", Simulation, "I-16", "what a cancelled task spawns after it has caught the cancellation is not cancelled";
    B208 = "B-208", Simulation, "model", "a cancelled future counts as unsettled until its task has ended";
    B209 = "B-209", Simulation, "model", "of several failures that a slice has seen only the first counts as seen";
    B210 = "B-210", Simulation, "model", "the end of a call reports the failures of detached tasks, whoever may still await them";
    B211 = "B-211", Simulation, "liveness", "a task that waits with a deadline counts as one that cannot go on";
    B212 = "B-212", Simulation, "leaks", "a detached task of a fork that is cancelled keeps its place";
    B213 = "B-213", Simulation, "I-12", "an await that a cancellation ends leaves its task on the future's list";
    B214 = "B-214", Simulation, "model", "the grace time of a host operation that begins after the request begins with the request";
    B215 = "B-215", Simulation, "model", "the wait for a squad's end counts as the time of a cancelled body";
    B216 = "B-216", Simulation, "model", "a signal that cannot be dispatched yet holds up those behind it";
    B217 = "B-217", Simulation, "model", "a run whose root has ended takes signals";
    B218 = "B-218", Simulation, "liveness", "nobody is woken for what an aborted task has held";
    B219 = "B-219", Simulation, "liveness", "of several who wait for the end of a call one is woken";
    B220 = "B-220", Simulation, "model", "a host operation of an interrupt handler is told of the cancellation";
    B221 = "B-221", Simulation, "I-9", "a handler that ends inside of finally leaves what that was to go on with";
    B222 = "B-222", Simulation, "model", "the wait for a squad's end counts as the time of all scopes but the innermost";
    B223a = "B-223a", Simulation, "model", "a later request to reload begins the patience with the entry anew";
    B223b = "B-223b", Simulation, "model", "what waited for the entry begins though a later version has come";
    B224 = "B-224", Simulation, "I-24", "a stream that a future has as its result passes into a fork";
    B225 = "B-225", Simulation, "model", "what the children of a squad have failed with counts as unseen";
    B226 = "B-226", Simulation, "I-18", "that a client is gone is not said of a call that is cancelled already";
    B227 = "B-227", Simulation, "model", "what is replaced in a text is not at its very end";
    B228a = "B-228a", Simulation, "library", "of two elements with equal keys the later one comes first";
    B228b = "B-228b", Simulation, "library", "the last run of a sort is left out when the count is no power of two";
    B229a = "B-229a", Simulation, "library", "a padding begins with the part of its text that does not fit";
    B229b = "B-229b", Simulation, "library", "an empty text has a line";
    B230 = "B-230", Simulation, "model", "what is no data is nil for the host when it is inside of a container";
    B231a = "B-231a", Simulation, "library", "where two maps have a key, merging them keeps the first one's value";
    B231b = "B-231b", Simulation, "library", "filtering a map asks with the value before the key";
    B232 = "B-232", Simulation, "library", "JSON has control characters as they are";
    B233 = "B-233", Simulation, "library", "a stream of the first elements asks for one more";
    B234 = "B-234", Simulation, "library", "a tick that is due right now is skipped";
    B235 = "B-235", Simulation, "library", "the last client of a fallback is tried twice";
    B236 = "B-236", Simulation, "library", "a handler that runs once is gone when it has run, and stays if it throws";
    B237 = "B-237", Simulation, "library", "whether hooks for open tasks run is what is open by then";
    B238a = "B-238a", Simulation, "library", "the first elements of an array are no negative number";
    B238b = "B-238b", Simulation, "library", "the greatest element is never a NaN";
    B239a = "B-239a", Simulation, "model", "shifting to the left by 64 or more gives zero";
    B239b = "B-239b", Simulation, "model", "a character of three or more bytes is the last one of its text for a loop";
    B260 = "B-260", Simulation, "model", "a weak reference to a large object is not cleared when a collection frees that";
    B261 = "B-261", Simulation, "model", "the finalizer of a large object is not queued when a collection frees that";
    B262 = "B-262", Simulation, "model", "a weak reference that comes back to life with a finalised object leads to what came back with it";
    B263 = "B-263", Simulation, "verifier", "a weak reference to a constant does not keep the constants of its version";
    B264 = "B-264", Simulation, "books", "an old large object that nothing leads to is never freed";
    B265 = "B-265", Simulation, "model", "a channel keeps what was received from it in its ring";
    B266 = "B-266", Simulation, "model", "a map keeps the value of a removed entry";
    B267 = "B-267", Simulation, "model", "clearing a map begins its sequence numbers anew: a walk under way misses what is inserted then";
    B268 = "B-268", Simulation, "model", "rebuilding a map numbers its entries anew: a walk under way loses its place";
    B269 = "B-269", Simulation, "I-6", "a conservative barrier over more than two cards marks only the first and the last";
    B270 = "B-270", Simulation, "books", "the start of an old object is noted only for the first card that begins inside of it";
    B271 = "B-271", Simulation, "books", "the last block of a freed large object is not given back";
    B272 = "B-272", Simulation, "books", "a block whose objects could not be copied counts as one more in use";
    B273 = "B-273", Simulation, "books", "what is live of a block is remembered after the block was given back";
    B274 = "B-274", Simulation, "I-4", "one block more than the free ones is given back to the operating system";
    B275 = "B-275", Simulation, "books", "young large objects do not count for the nursery's size";
    B276 = "B-276", Simulation, "E-3", "an account does not learn that a charge became smaller";
    B277 = "B-277", Simulation, "E-3", "an account adds what survived before a major collection to what that has reached";
    B278 = "B-278", Simulation, "I-8", "a value whose last handle has gone is still found by its place in the handle table";
    B279 = "B-279", Simulation, "I-8", "handles are found by where their values were before the collection";
    B280 = "B-280", Simulation, "books", "the interning table forgets strings that a collection has moved";
    B281 = "B-281", Simulation, "I-24", "a stream that a settled future holds passes into a fork";
    B282 = "B-282", Simulation, "I-3", "a copy in steps of a map with objects as keys has the original's index";
    B283 = "B-283", Simulation, "I-3", "deep equality does not ask whether two objects on the left are one on the right";
    B284 = "B-284", Simulation, "I-3", "deep equality does not compare classes and variants";
    B285 = "B-285", Simulation, "I-3", "deep equality of maps does not compare keys";
    B286 = "B-286", Simulation, "I-3", "deep equality in steps begins with the parts of an object where it ended with those of the last one";
    B287 = "B-287", Simulation, "I-3", "a copy in steps of an iterator goes over the original";
    B288 = "B-288", Simulation, "I-20", "a version whose constants take several blocks is freed unless something leads to the first block";
    B289 = "B-289", Simulation, "I-7", "a fork that only a queued finalizer holds is not traced in the collection that queues it";
    B290 = "B-290", Simulation, "books", "the starts of what died in a block that could not be evacuated are not noted";
    B291 = "B-291", Simulation, "verifier", "a single word left of an allocation buffer is not filled";
    B292 = "B-292", Simulation, "model", "the last block of what an operation asks for at once is not counted";
    B293 = "B-293", Simulation, "I-7", "the key of the entry under way is no root while data of the host is made in steps";
    B294 = "B-294", Simulation, "I-7", "a register counts as dead in a frame that an interrupt handler has interrupted";
    B295 = "B-295", Simulation, "I-7", "the array that the keys of a large map are collected in is no root";
    B296 = "B-296", Simulation, "model", "a channel that grows takes its values from the first place of its ring on";
    B297 = "B-297", Simulation, "model", "a slice of an array is taken from the first place of its storage on";
    B298 = "B-298", Simulation, "books", "the storage of a queue doubles each time that its end is reached";
    B299 = "B-299", Simulation, "E-3", "an account forgets what it has allocated before a minor collection";
    B300 = "B-300", Simulation, "I-6", "a minor collection follows what accounts hold before it looks at the cards, and unmarks those that it has marked";
    B301 = "B-301", Simulation, "liveness", "a signal for whose text there is no memory is tried again before the error that says so";
    B302 = "B-302", Simulation, "E-3", "more than two blocks side by side are never found";
    B303 = "B-303", Simulation, "books", "what a collection of everything has freed is not given back to the operating system";
    B304 = "B-304", Simulation, "E-4", "an allocation that is to fail does not";
    B305 = "B-305", Simulation, "model", "a failed operation whose error found no memory counts as taken: a handler that a cancellation does not reach goes on without it";
    B306 = "B-306", Simulation, "model", "where an error waits, the operation that a handler has interrupted is waited for first";
    B307 = "B-307", Simulation, "liveness", "an instruction that works in steps, has failed, and finds no memory for its error begins anew";
    B308 = "B-308", Simulation, "cancellation", "room for a machine that has grown is made behind the look whether its task is cancelled";
    B309 = "B-309", Simulation, "model", "who is not to have its turn passes it on to one that began to wait after what it was for had been taken";
    B310 = "B-310", Simulation, "books", "what dies with blocks of its own is free at once, quarantine or not";
    B311 = "B-311", Simulation, "books", "large objects that become old do not count as promoted";
    B312 = "B-312", Simulation, "books", "a mode that leaves room for so many copies leaves it for all";
    B313 = "B-313", Simulation, "books", "what dies in an old block is not counted as a zombie";
    B314 = "B-314", Simulation, "books", "an account pays for what was reached before it, too";
    B315 = "B-315", Simulation, "leaks", "a wait for a channel or mutex that a cancellation ends leaves its task on the list";
    B316 = "B-316", Simulation, "model", "an operation in whose middle a handler has run counts as over until it is waited for again";
}

impl Bug {
    /// The bugs that `name` stands for: `B-04a` one, `B-04` all of its sites.
    pub fn named(name: &str) -> Vec<Bug> {
        let exact: Vec<Bug> = Self::ALL
            .iter()
            .copied()
            .filter(|b| b.id() == name)
            .collect();
        if !exact.is_empty() {
            return exact;
        }
        let is_site = |b: &Bug| {
            b.id()
                .strip_prefix(name)
                .is_some_and(|rest| rest.len() == 1 && rest.chars().all(|c| c.is_ascii_lowercase()))
        };
        Self::ALL.iter().copied().filter(is_site).collect()
    }
}

#[cfg(feature = "seeded-bugs")]
mod switch {
    use super::Bug;
    use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

    /// Number of the bug that is on, plus one.
    static ACTIVE: AtomicU32 = AtomicU32::new(0);
    static REACHED: AtomicU64 = AtomicU64::new(0);
    static TRIGGERED: AtomicU64 = AtomicU64::new(0);

    /// Turns one bug on, or all off, for the whole process.
    pub fn activate(bug: Option<Bug>) {
        ACTIVE.store(bug.map_or(0, |b| b as u32 + 1), Relaxed);
        REACHED.store(0, Relaxed);
        TRIGGERED.store(0, Relaxed);
    }

    /// Whether `bug` is on; counts a visit of its line.
    #[inline]
    pub fn is_on(bug: Bug) -> bool {
        let on = ACTIVE.load(Relaxed) == bug as u32 + 1;
        if on {
            REACHED.fetch_add(1, Relaxed);
        }
        on
    }

    /// Notes that the active bug made a difference just now.
    #[inline]
    pub fn note_triggered(bug: Bug) {
        if ACTIVE.load(Relaxed) == bug as u32 + 1 {
            TRIGGERED.fetch_add(1, Relaxed);
        }
    }

    /// `(reached, triggered)` since the last [`activate`].
    pub fn counts() -> (u64, u64) {
        (REACHED.load(Relaxed), TRIGGERED.load(Relaxed))
    }

    /// Whether this build has the switches.
    pub const COMPILED_IN: bool = true;
}

#[cfg(not(feature = "seeded-bugs"))]
mod switch {
    use super::Bug;

    /// Does nothing: this build has no switches.
    pub fn activate(_bug: Option<Bug>) {}

    /// Always `false`: this build has no switches.
    #[inline(always)]
    pub const fn is_on(_bug: Bug) -> bool {
        false
    }

    /// Does nothing: this build has no switches.
    #[inline(always)]
    pub const fn note_triggered(_bug: Bug) {}

    /// Always `(0, 0)`.
    pub fn counts() -> (u64, u64) {
        (0, 0)
    }

    /// Whether this build has the switches.
    pub const COMPILED_IN: bool = false;
}

pub use switch::{COMPILED_IN, activate, counts, is_on, note_triggered};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_letter_stands_for_all_its_sites() {
        assert_eq!(Bug::named("B-03"), [Bug::B03]);
        assert_eq!(Bug::named("B-20").len(), 5);
        assert_eq!(Bug::named("B-20c"), [Bug::B20c]);
        assert!(Bug::named("B-2").is_empty());
    }
}
