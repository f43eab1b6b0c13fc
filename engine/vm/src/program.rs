//! A program loaded into a heap.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use gcrucible_bytecode::{Constant, ErrorKind, Method, Program, VerifyError, verify};
use gcrucible_heap::{
    Checked, Heap, NeedsMemory, RootAudit, RootKind, RootProvider, RootTracer, SharedPermit, Slot,
    Tlab, Value,
};

/// A program with its compile-time objects and its globals.
///
/// Constants and functions without captures are immortal objects, made once. Globals are
/// writable until [`LoadedProgram::freeze`] and shared by all machines (I-10).
pub struct LoadedProgram {
    program: Arc<Program>,
    /// One for each constant.
    constants: Box<[Slot]>,
    /// One for each function; nil for those with captures.
    functions: Box<[Slot]>,
    /// Messages of the errors that the machine raises, one for each kind.
    messages: Box<[Slot]>,
    /// Names of the error kinds.
    kind_names: Box<[Slot]>,
    /// Thrown when there is no memory for another error.
    out_of_memory: Slot,
    globals: Box<[Slot]>,
    is_frozen: AtomicBool,
    /// For each constant: the number of its text among field and method names.
    name_ids: Box<[u32]>,
    /// For each constant: the built-in method of that name.
    methods: Box<[Option<Method>]>,
    /// For each class: the name numbers of its fields, in order.
    class_fields: Box<[Box<[u32]>]>,
}

/// Why a program was not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The verifier refused it.
    Refused(Vec<VerifyError>),
    /// The heap has no room for its compile-time objects.
    OutOfMemory(NeedsMemory),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Refused(errors) => {
                f.write_str("the program breaks the rules of the bytecode")?;
                for error in errors {
                    write!(f, "\n  {error}")?;
                }
                Ok(())
            }
            LoadError::OutOfMemory(needs) => write!(
                f,
                "no room for the program's constants: {} more words are needed",
                needs.words
            ),
        }
    }
}

impl std::error::Error for LoadError {}

impl From<NeedsMemory> for LoadError {
    fn from(needs: NeedsMemory) -> Self {
        LoadError::OutOfMemory(needs)
    }
}

/// A name that no constant has.
const UNNAMED: u32 = u32::MAX;

impl LoadedProgram {
    /// Verifies a program, makes its compile-time objects and registers its globals as
    /// roots.
    ///
    /// # Errors
    /// When the verifier refuses the program or the heap has no room.
    pub fn load(
        heap: &Heap,
        permit: &SharedPermit<'_>,
        program: Arc<Program>,
    ) -> Result<Arc<LoadedProgram>, LoadError> {
        verify(&program).map_err(LoadError::Refused)?;
        // Nothing is allocated from this buffer: compile-time objects have a place of
        // their own. It is what a mutator needs to fill slots.
        let tlab = Tlab::new(0);
        let m = permit.mutator::<Checked>(&tlab);
        let slot = |value: Value<'_>| {
            let slot = Slot::nil();
            m.store(&slot, value);
            slot
        };
        let text = |text: &str| Ok::<_, LoadError>(slot(heap.immortal_string(permit, text)?));

        let mut constants = Vec::with_capacity(program.constants.len());
        for constant in &program.constants {
            constants.push(match constant {
                Constant::Int(int) => slot(heap.immortal_int(permit, *int)?),
                Constant::Float(float) => slot(Value::float(*float)),
                Constant::String(string) => text(string)?,
            });
        }
        let mut functions = Vec::with_capacity(program.functions.len());
        for (index, function) in program.functions.iter().enumerate() {
            functions.push(if function.captures.is_empty() {
                slot(heap.immortal_function(permit, index as u16)?)
            } else {
                Slot::nil()
            });
        }
        let mut messages = Vec::new();
        let mut kind_names = Vec::new();
        for kind in ErrorKind::ALL {
            messages.push(text(kind.message())?);
            kind_names.push(text(kind.name())?);
        }
        let message = m.load_root(&messages[ErrorKind::OutOfMemory as usize]);
        let number = ErrorKind::OutOfMemory as u8;
        let out_of_memory = slot(heap.immortal_error(permit, number, message)?);
        let names = Names::of(&program);
        let loaded = Arc::new(LoadedProgram {
            constants: constants.into(),
            functions: functions.into(),
            messages: messages.into(),
            kind_names: kind_names.into(),
            out_of_memory,
            globals: program.globals.iter().map(|_| Slot::nil()).collect(),
            is_frozen: AtomicBool::new(false),
            name_ids: names.ids,
            methods: names.methods,
            class_fields: names.class_fields,
            program,
        });
        let weak: Weak<LoadedProgram> = Arc::downgrade(&loaded);
        heap.add_provider(weak);
        Ok(loaded)
    }

    /// The program as the front end made it.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// A module-level variable.
    ///
    /// # Panics
    /// If the program has no global of that index.
    pub fn global(&self, index: u16) -> &Slot {
        &self.globals[usize::from(index)]
    }

    /// Ends initialisation: a store to a global throws from now on.
    pub fn freeze(&self) {
        self.is_frozen.store(true, Ordering::Release);
    }

    /// Whether initialisation has ended.
    #[inline]
    pub fn is_frozen(&self) -> bool {
        self.is_frozen.load(Ordering::Acquire)
    }

    #[inline(always)]
    pub(crate) fn constant(&self, index: u16) -> &Slot {
        &self.constants[usize::from(index)]
    }

    /// The closure of a function without captures.
    #[inline(always)]
    pub(crate) fn function(&self, index: u16) -> &Slot {
        &self.functions[usize::from(index)]
    }

    pub(crate) fn message(&self, kind: ErrorKind) -> &Slot {
        &self.messages[kind as usize]
    }

    /// The error that is there even if there is no memory for one.
    pub(crate) fn out_of_memory(&self) -> &Slot {
        &self.out_of_memory
    }

    /// The name of an error kind by the number in an error object.
    pub(crate) fn kind_name(&self, number: u8) -> Option<&Slot> {
        self.kind_names.get(usize::from(number))
    }

    /// The built-in method that string constant `name` names.
    #[inline]
    pub(crate) fn method(&self, name: u16) -> Option<Method> {
        self.methods[usize::from(name)]
    }

    /// Where instances of `class` have the field that string constant `name` names.
    #[inline]
    pub(crate) fn field(&self, class: u16, name: u16) -> Option<u32> {
        let id = self.name_ids[usize::from(name)];
        let fields = &self.class_fields[usize::from(class)];
        fields
            .iter()
            .position(|&field| field == id)
            .map(|index| index as u32)
    }
}

/// Names as numbers, so that a field is found without comparing text.
struct Names {
    ids: Box<[u32]>,
    methods: Box<[Option<Method>]>,
    class_fields: Box<[Box<[u32]>]>,
}

impl Names {
    fn of(program: &Program) -> Names {
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut ids = Vec::with_capacity(program.constants.len());
        let mut methods = Vec::with_capacity(program.constants.len());
        for constant in &program.constants {
            if let Constant::String(name) = constant {
                let next = numbers.len() as u32;
                ids.push(*numbers.entry(name).or_insert(next));
                methods.push(Method::from_name(name));
            } else {
                ids.push(UNNAMED);
                methods.push(None);
            }
        }
        let number = |name: &String| numbers.get(name.as_str()).copied().unwrap_or(UNNAMED);
        let class_fields = program
            .classes
            .iter()
            .map(|class| class.fields.iter().map(number).collect());
        Names {
            class_fields: class_fields.collect(),
            ids: ids.into(),
            methods: methods.into(),
        }
    }
}

impl RootProvider for LoadedProgram {
    fn name(&self) -> String {
        "program".to_owned()
    }

    fn trace(&self, tracer: &mut dyn RootTracer) {
        for slot in &self.globals {
            tracer.slot(RootKind::Global, slot);
        }
        tracer.slot(RootKind::Global, &self.out_of_memory);
        let immortal = [
            &self.constants,
            &self.functions,
            &self.messages,
            &self.kind_names,
        ];
        for slot in immortal.into_iter().flatten() {
            tracer.slot(RootKind::Global, slot);
        }
    }

    fn audit(&self, audit: &mut RootAudit<'_>) {
        audit.root(RootKind::Global, &self.out_of_memory);
        for index in 0..self.program.globals.len() {
            audit.root(RootKind::Global, &self.globals[index]);
        }
        for index in 0..self.program.constants.len() {
            audit.root(RootKind::Global, &self.constants[index]);
        }
        for index in 0..self.program.functions.len() {
            audit.root(RootKind::Global, &self.functions[index]);
        }
        for kind in ErrorKind::ALL {
            audit.root(RootKind::Global, &self.messages[*kind as usize]);
            audit.root(RootKind::Global, &self.kind_names[*kind as usize]);
        }
    }
}

impl fmt::Debug for LoadedProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedProgram")
            .field("modules", &self.program.modules.len())
            .field("functions", &self.functions.len())
            .field("globals", &self.globals)
            .field("is_frozen", &self.is_frozen)
            .finish_non_exhaustive()
    }
}
