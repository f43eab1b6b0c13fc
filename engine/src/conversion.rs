//! Values on their way out of the engine, in steps.

use std::sync::{Arc, Weak};

use gcrucible_heap::{Checked, Handle, RootAudit, RootKind, RootProvider, RootTracer, Slot};
use gcrucible_platform::sync::Mutex;
use gcrucible_vm::HostValue;
use gcrucible_vm::host_value::{self, Converting, Unfit};

use crate::engine::Inner;

/// Units of work that a conversion does under one permit.
const STEP: u32 = 10_000;

/// A conversion whose places are roots between its steps.
struct Conversion(Mutex<Converting>);

/// What keeps a value that is converted.
#[derive(Clone, Copy)]
pub(crate) enum Kept<'a> {
    /// A slot that is a root.
    Slot(&'a Slot),
    /// A handle of this engine's heap.
    Handle(&'a Handle),
}

/// A value as data. Other tasks and collections go between its steps; dropped,
/// it is given up.
///
/// # Errors
/// When the value is unfit for that.
pub(crate) async fn data_of(inner: &Inner, kept: Kept<'_>) -> Result<HostValue, Unfit> {
    let bytes_max = host_value::bytes_max(inner.heap.config());
    let step = inner.heap.debug().steps.unwrap_or(STEP);
    let conversion = Arc::new(Conversion(Mutex::new(Converting::new(bytes_max))));
    let mut has_begun = false;
    loop {
        {
            let permit = inner.heap.shared().await;
            let m = permit.mutator::<Checked>(inner.registry.tlab());
            let mut converting = conversion.0.lock();
            if !has_begun {
                let value = match kept {
                    Kept::Slot(slot) => m.load_root(slot),
                    Kept::Handle(handle) => inner.heap.protected(handle, &permit),
                };
                converting.begin(&m, value)?;
            }
            let mut units = step;
            if converting.step(&m, &mut units)? {
                return Ok(converting.take_data().pop().unwrap_or_default());
            }
            // While nobody collects.
            if !std::mem::replace(&mut has_begun, true) {
                let provider: Weak<Conversion> = Arc::downgrade(&conversion);
                inner.heap.add_provider(provider);
            }
        }
        inner.give_way().await;
    }
}

impl RootProvider for Conversion {
    fn name(&self) -> String {
        "data for the host".to_owned()
    }

    fn trace(&self, tracer: &mut dyn RootTracer) {
        let converting = self.0.lock();
        converting.roots(&mut |slot| tracer.slot(RootKind::Temporary, slot));
    }

    fn audit(&self, audit: &mut RootAudit<'_>) {
        let converting = self.0.lock();
        converting.roots(&mut |slot| audit.root(RootKind::Temporary, slot));
    }
}
