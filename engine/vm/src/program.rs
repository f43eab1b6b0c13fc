//! A program loaded into a heap.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use gcrucible_bytecode::{Constant, ErrorKind, Method, Program, ValueKind, VerifiedProgram};
use gcrucible_heap::{
    Checked, CompileTimeObjects, Home, NeedsMemory, RootAudit, RootKind, RootProvider, RootTracer,
    SharedPermit, Slot, Value,
};

use crate::feedback::Site;
use crate::interpreter::fusion::Entry;
use crate::roots::ROOTS;

/// A program with its compile-time objects. Nothing of it ever changes; its globals are those
/// of a [`Realm`](crate::Realm).
///
/// Constants, functions without captures and variants without payload are compile-time
/// objects, made once: the first major collection after the last reference to the program and
/// to any of them frees them together.
pub struct LoadedProgram {
    program: Arc<VerifiedProgram>,
    /// Each function as the hot loop reads it.
    entries: Box<[Entry]>,
    /// What instructions met before, by the numbers that they have in the entries.
    sites: Box<[Site]>,
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
    /// One for each variant; nil for those with a payload.
    variants: Box<[Slot]>,
    /// For each constant: the number of its text among field and method names.
    name_ids: Box<[u32]>,
    /// For each constant: the built-in method of that name.
    methods: Box<[Option<Method>]>,
    /// For each class: the name numbers of its fields, in order.
    class_fields: Box<[Box<[u32]>]>,
    /// For each class: name numbers and functions of its methods.
    class_methods: Box<[Methods<u32>]>,
    /// For each class: its method `next`.
    next_methods: Box<[Option<u16>]>,
    /// For each constant: the library's methods of that name.
    library: Box<[Methods<ValueKind>]>,
    /// The library's method `next` of streams.
    stream_next: Option<u16>,
    home: Home,
}

/// Functions by what they are looked up with.
type Methods<K> = Box<[(K, u16)]>;

/// A name that no constant has.
const UNNAMED: u32 = u32::MAX;

impl LoadedProgram {
    /// Makes a program's compile-time objects and registers them as roots.
    ///
    /// # Errors
    /// When the heap has no room.
    pub fn load(
        permit: &SharedPermit<'_>,
        program: Arc<VerifiedProgram>,
    ) -> Result<Arc<LoadedProgram>, NeedsMemory> {
        let m = permit.reader::<Checked>();
        let slot = |value: Value<'_>| {
            let slot = Slot::nil(ROOTS);
            m.store(&slot, value);
            slot
        };
        let mut objects = CompileTimeObjects::new(permit);

        let mut constants = Vec::with_capacity(program.constants.len());
        for constant in &program.constants {
            constants.push(match constant {
                Constant::Int(int) => slot(objects.int(*int)?),
                Constant::Float(float) => slot(Value::float(*float)),
                Constant::String(string) => slot(objects.string(string)?),
            });
        }
        let mut functions = Vec::with_capacity(program.functions.len());
        for (index, function) in program.functions.iter().enumerate() {
            functions.push(if function.captures.is_empty() {
                slot(objects.function(index as u16)?)
            } else {
                Slot::nil(ROOTS)
            });
        }
        let mut messages = Vec::new();
        let mut kind_names = Vec::new();
        for kind in ErrorKind::ALL {
            messages.push(slot(objects.string(kind.message())?));
            kind_names.push(slot(objects.string(kind.name())?));
        }
        let mut variants = Vec::with_capacity(program.variants.len());
        for (index, variant) in program.variants.iter().enumerate() {
            variants.push(if variant.arity == 0 {
                slot(objects.variant(index as u16)?)
            } else {
                Slot::nil(ROOTS)
            });
        }
        let kind = ErrorKind::OutOfMemory;
        let out_of_memory = slot(objects.error(kind as u8, kind.message())?);
        let names = Names::of(&program);
        let mut sites = Vec::new();
        let functions_of = program.functions.iter();
        let entries = functions_of.map(|function| Entry::of(function, &mut sites));
        let loaded = Arc::new(LoadedProgram {
            entries: entries.collect(),
            sites: sites.into(),
            constants: constants.into(),
            functions: functions.into(),
            messages: messages.into(),
            kind_names: kind_names.into(),
            out_of_memory,
            variants: variants.into(),
            name_ids: names.ids,
            methods: names.methods,
            class_fields: names.class_fields,
            class_methods: names.class_methods,
            next_methods: names.next_methods,
            library: names.library,
            stream_next: names.stream_next,
            program,
            home: Home::new(permit.heap()),
        });
        permit.heap().add_provider(&loaded);
        Ok(loaded)
    }

    /// The program as the front end made it.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The value of a variant without payload.
    pub(crate) fn variant(&self, index: u16) -> &Slot {
        &self.variants[usize::from(index)]
    }

    /// A function as the hot loop reads it.
    #[inline(always)]
    pub(crate) fn entry(&self, function: u16) -> &Entry {
        &self.entries[usize::from(function)]
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

    /// A site, by the number that its instruction has in the code of an [`Entry`].
    #[inline(always)]
    pub(crate) fn site(&self, number: u16) -> &Site {
        &self.sites[usize::from(number)]
    }

    /// Where instances of `class` have the field that the instruction of a site asks for.
    #[inline(always)]
    pub(crate) fn field_at(&self, site: &Site, class: u16) -> Option<u32> {
        match site.place(class) {
            Some(index) => Some(u32::from(index)),
            None => learn(site, class, self.field(class, site.name)),
        }
    }

    /// Where instances of `class` have the field that string constant `name` names.
    pub(crate) fn field(&self, class: u16, name: u16) -> Option<u32> {
        let id = self.name_ids[usize::from(name)];
        let fields = &self.class_fields[usize::from(class)];
        let index = fields.iter().position(|&field| field == id);
        index.map(|index| index as u32)
    }

    /// The method of `class` that the instruction of a site asks for.
    #[inline(always)]
    pub(crate) fn class_method_at(&self, site: &Site, class: u16) -> Option<u16> {
        match site.place(class) {
            Some(function) => Some(function),
            None => {
                let found = self.class_method(class, site.name);
                learn(site, class, found.map(u32::from)).map(|function| function as u16)
            }
        }
    }

    /// The method of `class` that string constant `name` names.
    pub(crate) fn class_method(&self, class: u16, name: u16) -> Option<u16> {
        let id = self.name_ids[usize::from(name)];
        let methods = &self.class_methods[usize::from(class)];
        let found = methods.iter().find(|(method, _)| *method == id);
        found.map(|&(_, function)| function)
    }

    /// The method `next` of `class`.
    pub(crate) fn next_method(&self, class: u16) -> Option<u16> {
        self.next_methods[usize::from(class)]
    }

    /// The library's method of a built-in kind that string constant `name` names.
    pub(crate) fn library_method(&self, kind: ValueKind, name: u16) -> Option<u16> {
        let methods = &self.library[usize::from(name)];
        let found = methods.iter().find(|(of, _)| *of == kind);
        found.map(|&(_, function)| function)
    }

    /// The library's method `next` of streams.
    pub(crate) fn stream_next(&self) -> Option<u16> {
        self.stream_next
    }

    /// Whether a function is one of the library in Crux.
    pub(crate) fn is_library(&self, function: u16) -> bool {
        let module = self.program.functions[usize::from(function)].module;
        let module = self.program.modules.get(usize::from(module));
        module.is_some_and(|module| module.path == LIBRARY)
    }
}

/// What was found in a class goes to the site that asked.
#[cold]
fn learn(site: &Site, class: u16, found: Option<u32>) -> Option<u32> {
    if let Some(place) = found.and_then(|found| u16::try_from(found).ok()) {
        site.learn(class, place);
    }
    found
}

/// Path of the module that the library's functions belong to.
const LIBRARY: &str = "<library>";

/// Names as numbers, so that a field or method is found without comparing text.
struct Names {
    ids: Box<[u32]>,
    methods: Box<[Option<Method>]>,
    class_fields: Box<[Box<[u32]>]>,
    class_methods: Box<[Methods<u32>]>,
    next_methods: Box<[Option<u16>]>,
    library: Box<[Methods<ValueKind>]>,
    stream_next: Option<u16>,
}

impl Names {
    fn of(program: &Program) -> Names {
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut ids = Vec::with_capacity(program.constants.len());
        let mut methods = Vec::with_capacity(program.constants.len());
        let mut library_methods: HashMap<&str, Vec<(ValueKind, u16)>> = HashMap::new();
        for method in &program.library {
            let of_name = library_methods.entry(&method.name).or_default();
            of_name.push((method.receiver, method.function));
        }
        let mut library = Vec::with_capacity(program.constants.len());
        for constant in &program.constants {
            if let Constant::String(name) = constant {
                let next = numbers.len() as u32;
                ids.push(*numbers.entry(name).or_insert(next));
                methods.push(Method::from_name(name));
                let of_name = library_methods.get(name.as_str()).cloned();
                library.push(of_name.unwrap_or_default().into());
            } else {
                ids.push(UNNAMED);
                methods.push(None);
                library.push([].into());
            }
        }
        // A name that no constant has is asked for by nobody.
        let number = |name: &String| numbers.get(name.as_str()).copied().unwrap_or(UNNAMED);
        let classes = program.classes.iter();
        Names {
            class_fields: classes
                .clone()
                .map(|class| class.fields.iter().map(number).collect())
                .collect(),
            class_methods: classes
                .clone()
                .map(|class| {
                    let methods = class.methods.iter();
                    methods
                        .map(|(name, function)| (number(name), *function))
                        .collect()
                })
                .collect(),
            next_methods: classes
                .map(|class| {
                    let mut methods = class.methods.iter();
                    let next = methods.find(|(name, _)| name == "next");
                    next.map(|(_, function)| *function)
                })
                .collect(),
            stream_next: library_methods.get("next").and_then(|methods| {
                let mut methods = methods.iter();
                let stream = methods.find(|(kind, _)| *kind == ValueKind::Stream);
                stream.map(|&(_, function)| function)
            }),
            ids: ids.into(),
            methods: methods.into(),
            library: library.into(),
        }
    }
}

// SAFETY: rule 1: the five lists and `out_of_memory` are all slots that it has; `load` fills them with
// what `CompileTimeObjects` makes, and nothing else writes them. Rule 2: the home is
// made once; realms check it when they are made and keep the program from then on. Rule 3: by
// inspection.
#[allow(unsafe_code, reason = "the collector believes what a provider says")]
unsafe impl RootProvider for LoadedProgram {
    fn name(&self) -> String {
        "program".to_owned()
    }

    fn home(&self) -> &Home {
        &self.home
    }

    fn is_compile_time(&self) -> bool {
        true
    }

    fn trace(&self, tracer: &mut dyn RootTracer) {
        tracer.slot(RootKind::Global, &self.out_of_memory);
        let immortal = [
            &self.constants,
            &self.functions,
            &self.variants,
            &self.messages,
            &self.kind_names,
        ];
        for slot in immortal.into_iter().flatten() {
            tracer.slot(RootKind::Global, slot);
        }
    }

    fn audit(&self, audit: &mut RootAudit<'_>) {
        audit.root(RootKind::Global, &self.out_of_memory);
        for index in 0..self.program.variants.len() {
            audit.root(RootKind::Global, &self.variants[index]);
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
            .finish_non_exhaustive()
    }
}
