//! Values of the program that the host keeps and uses, data or not.

use std::sync::Arc;

use gcrucible_heap::{Checked, Handle, Mutator, SharedPermit, Value};
use gcrucible_vm::host_value::Unfit;
use gcrucible_vm::{HostValue, LoadedProgram, Realm, host_value, type_name};

use crate::call::{CallError, CallHandle};
use crate::conversion::{Carried, Kept, data_of, text_of};
use crate::engine::{Callee, Engine};

/// A value of the program that the host keeps alive: protected once, until this drops.
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// use std::sync::Arc;
///
/// use gcrucible_engine::{Argument, Engine, EngineOptions, HostValue, Source, TokioPlatform, compile};
///
/// let source = Source::new(
///     "main.crux",
///     "fn counter() { let n = 0; return || { n = n + 1; return n } }
///      fn twice(f) { f(); return f() }",
/// );
/// let platform = Arc::new(TokioPlatform::new(1)?);
/// let program = Arc::new(compile(&source)?);
/// let engine = Engine::new(program, &EngineOptions::default(), Arc::clone(&platform) as _, None)?;
/// platform.block_on(async {
///     engine.start_init().await?.join().await;
///     let call = engine.call(1, "counter", &[]).await?;
///     call.join().await;
///     let counter = Arc::new(call.object().await);
///     assert_eq!(counter.type_name().await, "function");
///     let call = engine.call_with(2, "twice", &[Argument::Object(Arc::clone(&counter))]).await?;
///     call.join().await;
///     let call = counter.call(3, &[]).await?;
///     call.join().await;
///     assert_eq!(call.data().await, Some(HostValue::Int(3)));
///     Ok::<(), gcrucible_engine::CallError>(())
/// })?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Object {
    engine: Engine,
    /// What calls of it run in.
    realm: Arc<Realm>,
    /// Whose classes it names.
    program: Arc<LoadedProgram>,
    /// There until the drop.
    handle: Option<Handle>,
}

/// What a call is given.
#[derive(Clone, Debug)]
pub enum Argument {
    /// Plain data.
    Data(HostValue),
    /// A value of the program, the very one.
    Object(Arc<Object>),
}

impl From<HostValue> for Argument {
    fn from(data: HostValue) -> Self {
        Argument::Data(data)
    }
}

impl From<Arc<Object>> for Argument {
    fn from(object: Arc<Object>) -> Self {
        Argument::Object(object)
    }
}

impl CallHandle {
    /// Keeps the value or error that the call ended with, `nil` before that. If it is a function,
    /// calls of it run in the realm that is current now, that of a fork as well.
    pub async fn object(&self) -> Object {
        let engine = self.engine().clone();
        Object {
            realm: engine.realm(),
            program: Arc::clone(self.call().loaded()),
            handle: Some(self.protect().await),
            engine,
        }
    }

    /// Requests cancellation of this call, whoever has its id by now. Harmless if repeated, and
    /// when it has ended.
    pub fn cancel(&self) {
        if self.call().outcome().is_none() {
            self.engine().cancel(self.call().token());
        }
    }
}

impl Engine {
    /// Starts a call of an exported function with data and values of the program.
    ///
    /// # Errors
    /// As [`Engine::call`]; [`CallError::ForeignObject`].
    pub async fn call_with(
        &self,
        id: u32,
        export: &str,
        args: &[Argument],
    ) -> Result<CallHandle, CallError> {
        let realm = self.realm();
        let global = realm
            .program()
            .entry_export(export)
            .ok_or_else(|| CallError::UnknownExport(export.to_owned()))?;
        self.start_with(&realm, id, Callee::Global(global), args)
            .await
    }

    async fn start_with(
        &self,
        realm: &Arc<Realm>,
        id: u32,
        callee: Callee<'_>,
        args: &[Argument],
    ) -> Result<CallHandle, CallError> {
        let inner = &self.inner;
        let mut data = Vec::new();
        for arg in args {
            match arg {
                Argument::Data(arg) if arg.levels() > HostValue::LEVELS_MAX => {
                    return Err(CallError::ArgumentTooDeep);
                }
                Argument::Data(arg) => data.push(arg.clone()),
                Argument::Object(object)
                    if !object.is_of(self) || !object.is_of_program(realm.loaded()) =>
                {
                    return Err(CallError::ForeignObject);
                }
                Argument::Object(_) => {}
            }
        }
        let built = match inner.is_large(&data) {
            true => Some(inner.build_arguments(realm, &data).await?),
            false => None,
        };
        let mut attempts = 0;
        loop {
            let needs = {
                let permit = inner.heap.shared().await;
                let made = inner.registry.allocate::<Checked, _>(&permit, |m| {
                    let data = match &built {
                        Some(built) => built.values(m),
                        None => host_value::build_all(&data, m)?,
                    };
                    let mut data = data.into_iter();
                    let value = |arg: &Argument| match arg {
                        Argument::Data(_) => data.next().unwrap_or(Value::NIL),
                        Argument::Object(object) => object.value(&permit),
                    };
                    Ok(Carried::new(m, args.iter().map(value)))
                });
                match made {
                    Ok(args) => {
                        return self.start_under_permit(&permit, realm, id, callee, &args);
                    }
                    Err(needs) => needs.words,
                }
            };
            let account = realm.account();
            if !inner.make_room_for(account, needs, &mut attempts).await {
                return Err(CallError::OutOfMemory);
            }
        }
    }
}

impl Object {
    /// The engine that it belongs to.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether it belongs to an engine.
    pub fn is_of(&self, engine: &Engine) -> bool {
        Arc::ptr_eq(&self.engine.inner, &engine.inner)
    }

    /// Whether its functions and classes are those of this program: they are numbers, which mean
    /// something else in another version of it.
    fn is_of_program(&self, program: &Arc<LoadedProgram>) -> bool {
        Arc::ptr_eq(&self.program, program)
    }

    /// Calls it. What is no function ends the call with the `TypeError` of that.
    ///
    /// # Errors
    /// As [`Engine::call_with`], but for [`CallError::UnknownExport`];
    /// [`CallError::ForeignObject`] also if its version had been replaced when it was kept.
    pub async fn call(&self, id: u32, args: &[Argument]) -> Result<CallHandle, CallError> {
        if !self.is_of_program(self.realm.loaded()) {
            return Err(CallError::ForeignObject);
        }
        let realm = Arc::clone(&self.realm);
        let callee = Callee::Kept(self.handle());
        self.engine.start_with(&realm, id, callee, args).await
    }

    /// It as plain data, if it is that.
    pub async fn data(&self) -> Option<HostValue> {
        self.try_data().await.ok()
    }

    /// The same, or why there is none, as [`CallHandle::try_data`].
    ///
    /// # Errors
    /// See [`Unfit`].
    pub async fn try_data(&self) -> Result<HostValue, Unfit> {
        data_of(&self.engine.inner, Kept::Handle(self.handle())).await
    }

    /// Its display text.
    pub async fn text(&self) -> String {
        let kept = Kept::Handle(self.handle());
        text_of(&self.engine.inner, self.program.program(), kept).await
    }

    /// The name of its type, as `type(v)` in the language gives it: `"int"`, `"function"`, the
    /// name of its class.
    pub async fn type_name(&self) -> String {
        let program = self.program.program();
        self.look(|m, value| type_name(m, program, value).to_owned())
            .await
    }

    /// Whether it is equal to another, as `==` in the language says. Values of different engines
    /// are not.
    pub async fn equals(&self, other: &Object) -> bool {
        if !self.is_of(&other.engine) {
            return false;
        }
        let inner = &self.engine.inner;
        let permit = inner.heap.shared().await;
        let m = permit.reader::<Checked>();
        m.are_equal(self.value(&permit), other.value(&permit))
    }

    /// How often the value is protected now: once for each object of the host's that is this
    /// value.
    pub fn protect_count(&self) -> u32 {
        self.engine.heap().protect_count(self.handle())
    }

    async fn look<T>(&self, look: impl FnOnce(&Mutator<'_, Checked>, Value<'_>) -> T) -> T {
        let inner = &self.engine.inner;
        let permit = inner.heap.shared().await;
        let m = permit.reader::<Checked>();
        look(&m, self.value(&permit))
    }

    fn value<'p>(&self, permit: &'p SharedPermit<'_>) -> Value<'p> {
        permit.protected(self.handle())
    }

    fn handle(&self) -> &Handle {
        let handle = self.handle.as_ref();
        handle.expect("it is taken by the drop alone")
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            // The table of handles has a lock of its own: nothing is read or written in the
            // heap, so no permit is needed.
            self.engine.heap().unprotect(handle);
        }
    }
}
