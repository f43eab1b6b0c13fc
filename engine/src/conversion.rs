//! Values on their way out of the engine and into it, in steps.

use std::sync::Arc;

use gcrucible_bytecode::Program;
use gcrucible_heap::{
    Checked, Checks, Handle, Home, MemoryAccount, Mutator, NeedsMemory, RootAudit, RootKind,
    RootProvider, RootTracer, Slot, Value,
};
use gcrucible_platform::sync::Mutex;
use gcrucible_vm::display::Showing;
use gcrucible_vm::host_value::{self, Building, Converting, Unfit};
use gcrucible_vm::{HostValue, Realm};

use crate::call::CallError;
use crate::engine::Inner;
use crate::roots::ROOTS;

/// What takes several steps, and has places between them that are roots.
trait Steps: Send + 'static {
    fn roots(&self, root: &mut dyn FnMut(&Slot));
}

impl Steps for Converting {
    fn roots(&self, root: &mut dyn FnMut(&Slot)) {
        Converting::roots(self, ROOTS, root);
    }
}

impl Steps for Building {
    fn roots(&self, root: &mut dyn FnMut(&Slot)) {
        Building::roots(self, ROOTS, root);
    }
}

impl Steps for Showing {
    fn roots(&self, root: &mut dyn FnMut(&Slot)) {
        Showing::roots(self, ROOTS, root);
    }
}

/// Something under way whose places are roots.
struct UnderWay<S> {
    steps: Mutex<S>,
    home: Home,
}

impl<S: Steps> UnderWay<S> {
    fn new(inner: &Inner, steps: S) -> Arc<Self> {
        Arc::new(UnderWay {
            steps: Mutex::new(steps),
            home: Home::new(&inner.heap),
        })
    }

    /// Makes its places roots; under a permit, while nobody collects.
    fn add_to(self: &Arc<Self>, inner: &Inner) {
        inner.heap.add_provider(self);
    }
}

/// What keeps a value that is converted.
#[derive(Clone, Copy)]
pub(crate) enum Kept<'a> {
    /// A slot that is a root.
    Slot(&'a Slot),
    /// A handle of this engine's heap.
    Handle(&'a Handle),
}

/// Goes on with what `begin` begins with a value until `step` gives what it has become.
/// Other tasks and collections go between two steps; dropped, it is given up.
async fn in_steps<S: Steps, R>(
    inner: &Inner,
    kept: Kept<'_>,
    steps: S,
    begin: impl for<'p> Fn(&mut S, &Mutator<'p, Checked>, Value<'p>) -> Result<(), R>,
    step: impl Fn(&mut S, &Mutator<'_, Checked>, &mut u32) -> Option<R>,
) -> R {
    let under_way = UnderWay::new(inner, steps);
    let mut has_begun = false;
    let mut taken = 0;
    loop {
        {
            let permit = inner.heap.shared().await;
            let m = permit.reader::<Checked>();
            let mut steps = under_way.steps.lock();
            if !has_begun {
                let value = match kept {
                    Kept::Slot(slot) => m.load_root(slot),
                    Kept::Handle(handle) => permit.protected(handle),
                };
                if let Err(refused) = begin(&mut steps, &m, value) {
                    return refused;
                }
            }
            let mut units = inner.heap.debug().units_of_step(taken);
            taken = taken.saturating_add(1);
            if let Some(done) = step(&mut steps, &m, &mut units) {
                return done;
            }
            if !std::mem::replace(&mut has_begun, true) {
                under_way.add_to(inner);
            }
        }
        inner.give_way().await;
    }
}

/// A value as data.
///
/// # Errors
/// When the value is unfit for that.
pub(crate) async fn data_of(inner: &Inner, kept: Kept<'_>) -> Result<HostValue, Unfit> {
    let converting = Converting::new(ROOTS, host_value::bytes_max(inner.heap.config()));
    in_steps(
        inner,
        kept,
        converting,
        |converting, m, value| converting.begin(m, value).map_err(Err),
        |converting, m, units| match converting.step(m, units) {
            Ok(true) => Some(Ok(converting.take_data().pop().unwrap_or_default())),
            Ok(false) => None,
            Err(unfit) => {
                let refused = std::mem::replace(converting, Converting::new(ROOTS, 0));
                if let Some(data) = refused.into_large() {
                    inner.platform.discard(data);
                }
                Some(Err(unfit))
            }
        },
    )
    .await
}

/// The display text of a value, cut as [`gcrucible_vm::display`] cuts it.
pub(crate) async fn text_of(inner: &Inner, program: &Program, kept: Kept<'_>) -> String {
    in_steps(
        inner,
        kept,
        Showing::new(ROOTS),
        |showing, m, value| {
            showing.begin(m, program, value);
            Ok(())
        },
        |showing, m, units| showing.step(m, program, units),
    )
    .await
}

/// Values that were made under a permit with a buffer that is free again, to be used under the same
/// permit.
pub(crate) struct Carried(Vec<Slot>);

impl Carried {
    pub(crate) fn new<'p, C: Checks>(
        m: &Mutator<'p, C>,
        values: impl IntoIterator<Item = Value<'p>>,
    ) -> Self {
        let slot = |value| {
            let slot = Slot::nil(ROOTS);
            m.store(&slot, value);
            slot
        };
        Carried(values.into_iter().map(slot).collect())
    }

    /// The values.
    pub(crate) fn values<'p, C: Checks>(&self, m: &Mutator<'p, C>) -> Vec<Value<'p>> {
        self.0.iter().map(|slot| m.load(slot)).collect()
    }
}

/// Values of the program that were made of data, and are roots as long as this lives.
pub(crate) struct Built(Arc<UnderWay<Building>>);

impl Built {
    /// The values, in the order of the data.
    pub(crate) fn values<'p, C: Checks>(&self, m: &Mutator<'p, C>) -> Vec<Value<'p>> {
        self.0.steps.lock().values(m)
    }
}

impl Inner {
    /// Whether it would take too long to make values of the data in one go.
    pub(crate) fn is_large(&self, data: &[HostValue]) -> bool {
        host_value::takes_more_than(data, self.heap.debug().units_of_step(0))
    }

    /// Makes the arguments of a call in a realm in steps.
    ///
    /// # Errors
    /// [`CallError::OutOfMemory`].
    pub(crate) async fn build_arguments(
        self: &Arc<Self>,
        realm: &Realm,
        args: &[HostValue],
    ) -> Result<Built, CallError> {
        let built = self.build_in_steps(realm.account(), args).await;
        built.map_err(|_| CallError::OutOfMemory)
    }

    /// Makes values of data in steps, for somebody whose memory is counted in an account.
    ///
    /// # Errors
    /// When there is no room for them.
    pub(crate) async fn build_in_steps(
        self: &Arc<Self>,
        account: Option<&Arc<MemoryAccount>>,
        data: &[HostValue],
    ) -> Result<Built, NeedsMemory> {
        let under_way = UnderWay::new(self, Building::new(ROOTS));
        let mut has_begun = false;
        let mut attempts = 0;
        let mut taken = 0;
        loop {
            let units_at_once = self.heap.debug().units_of_step(taken);
            taken = taken.saturating_add(1);
            let stepped = {
                let permit = self.heap.shared().await;
                let mut building = under_way.steps.lock();
                let mut units = units_at_once;
                let stepped = self
                    .registry
                    .allocate::<Checked, _>(&permit, |m| building.step(data, m, &mut units));
                if !std::mem::replace(&mut has_begun, true) {
                    under_way.add_to(self);
                }
                if units < units_at_once {
                    // It got further: for what comes next it has not asked in vain.
                    attempts = 0;
                }
                stepped
            };
            match stepped {
                Ok(true) => return Ok(Built(under_way)),
                Ok(false) => self.give_way().await,
                Err(needs) => {
                    if !self
                        .make_room_for(account, needs.words, &mut attempts)
                        .await
                    {
                        return Err(needs);
                    }
                }
            }
        }
    }
}

// SAFETY: rule 1: what works in steps knows its slots, and is registered before its second step.
// Rule 2: the home is made once, and nobody outside of this module sees it. Rule 3: by inspection.
#[allow(unsafe_code, reason = "the collector believes what a provider says")]
unsafe impl<S: Steps> RootProvider for UnderWay<S> {
    fn name(&self) -> String {
        "a conversion for the host".to_owned()
    }

    fn home(&self) -> &Home {
        &self.home
    }

    fn trace(&self, tracer: &mut dyn RootTracer) {
        let steps = self.steps.lock();
        steps.roots(&mut |slot| tracer.slot(RootKind::Temporary, slot));
    }

    fn audit(&self, audit: &mut RootAudit<'_>) {
        let steps = self.steps.lock();
        steps.roots(&mut |slot| audit.root(RootKind::Temporary, slot));
    }
}
