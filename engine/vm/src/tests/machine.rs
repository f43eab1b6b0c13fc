//! One machine, slice by slice.

use std::sync::Arc;

use gcrucible_bytecode::{
    Boundary, Constant, ErrorKind, Function, Global, Module, Op, Program, SourceSpan, Step,
    VerifiedProgram,
};
use gcrucible_heap::{Checked, Heap, HeapConfig, HeapDebug, Holder, Register};

use super::driver::program;
use crate::{Realm, SliceEnd, SliceInput, SliceOutcome, Vm, display};

/// A machine with its heap and program.
pub(super) struct Machine {
    pub(super) heap: Arc<Heap>,
    pub(super) realm: Arc<Realm>,
    pub(super) vm: Arc<Vm>,
    holder: Holder,
}

impl Machine {
    /// A machine that will call `main` of the text.
    pub(super) fn calling_main(text: &str) -> Machine {
        Machine::new(text).initialised()
    }

    /// A machine that will call `main` of a program by hand.
    pub(super) fn assembled(assembly: Assembly) -> Machine {
        let program = VerifiedProgram::new(assembly.program)
            .unwrap_or_else(|refusal| panic!("the program is refused: {refusal}"));
        Machine::with_program(Arc::new(program)).initialised()
    }

    pub(super) fn new(text: &str) -> Machine {
        Machine::with_program(program(text))
    }

    /// A machine that will call `main` of the text, whose built-ins do so many units at a time.
    pub(super) fn stepping(text: &str, units: u32) -> Machine {
        let debug = HeapDebug {
            steps: Some(units),
            ..HeapDebug::default()
        };
        Machine::with_modes(program(text), debug).initialised()
    }

    /// A machine under these modes that will call `main` of the text.
    pub(super) fn under(text: &str, modes: &str) -> Machine {
        let debug = modes.parse().expect("modes that exist");
        Machine::with_modes(program(text), debug).initialised()
    }

    fn with_program(program: Arc<VerifiedProgram>) -> Machine {
        Machine::with_modes(program, HeapDebug::default())
    }

    fn with_modes(program: Arc<VerifiedProgram>, debug: HeapDebug) -> Machine {
        let heap = Heap::new(HeapConfig::tiny(), debug).unwrap();
        let permit = heap.try_shared().unwrap();
        let realm = Realm::load(&permit, program).expect("the heap has room for the program");
        drop(permit);
        let vm = Vm::new(&heap, realm.clone(), 0);
        let holder = Holder::new(&heap, "test", 4);
        Machine {
            heap,
            realm,
            vm,
            holder,
        }
    }

    fn initialised(mut self) -> Machine {
        self.vm.start_init();
        assert_eq!(self.slice(1000).end, SliceEnd::Returned);
        self.realm.freeze();
        self.vm = Vm::new(&self.heap, self.realm.clone(), 1);
        self.start_main();
        self
    }

    /// Makes the next slices call `main`.
    pub(super) fn start_main(&self) {
        let main = self.realm.program().entry_export("main").unwrap();
        let permit = self.heap.try_shared().unwrap();
        self.vm.start_global(&permit, main, &[]);
    }

    pub(super) fn slice(&self, fuel: u32) -> SliceOutcome {
        self.slice_with(fuel, None, false)
    }

    pub(super) fn slice_with(
        &self,
        fuel: u32,
        deliver: Option<ErrorKind>,
        cancel_requested: bool,
    ) -> SliceOutcome {
        self.run(SliceInput {
            fuel,
            deliver,
            cancel_requested,
            operation_over: true,
            ..SliceInput::default()
        })
    }

    /// A slice with fuel enough at a time.
    pub(super) fn at(&self, now_ms: u64) -> SliceOutcome {
        self.run(SliceInput {
            now_ms,
            ..SliceInput::with_fuel(1000)
        })
    }

    pub(super) fn run(&self, input: SliceInput) -> SliceOutcome {
        let permit = self.heap.try_shared().unwrap();
        self.vm.run_slice::<Checked>(&permit, input)
    }

    /// The display text of what is in the exchange slot.
    pub(super) fn exchange(&self) -> String {
        let permit = self.heap.try_shared().unwrap();
        let m = permit.mutator::<Checked>(self.holder.tlab());
        display(&m, self.realm.program(), self.vm.load_exchange(&m))
    }

    /// Answers a spawned call as the engine does, with a pending future.
    pub(super) fn register(&self, id: u64) -> &Register {
        let permit = self.heap.try_shared().unwrap();
        let m = permit.mutator::<Checked>(self.holder.tlab());
        let future = &self.holder.registers()[id as usize % 4];
        m.store(future, m.future(id).unwrap());
        self.vm.store_exchange(&m, m.load(future));
        future
    }

    /// Settles a future made by [`Machine::register`].
    pub(super) fn settle(&self, id: u64, state: gcrucible_heap::FutureState, value: i32) {
        let permit = self.heap.try_shared().unwrap();
        let m = permit.mutator::<Checked>(self.holder.tlab());
        let future = m.load_root(&self.holder.registers()[id as usize % 4]);
        assert!(m.future_settle(future, state, gcrucible_heap::Value::int32(value)));
    }
}

/// A program by hand. Function 0 is the module's top level, which makes function 1, `main`,
/// the global 0.
pub(super) struct Assembly {
    pub(super) program: Program,
}

impl Assembly {
    /// A program whose `main` has this code.
    pub(super) fn new(main: Vec<Op>) -> Self {
        let mut assembly = Assembly {
            program: Program {
                modules: vec![Module {
                    path: "main.crux".to_owned(),
                    init: 0,
                    exports: vec![("main".to_owned(), 0)],
                }],
                globals: vec![Global {
                    name: "main".to_owned(),
                    module: 0,
                }],
                ..Program::default()
            },
        };
        let init = vec![
            Op::LoadFunction {
                dst: 0,
                function: 1,
            },
            Op::StoreGlobal { global: 0, src: 0 },
            Op::Return { src: 1 },
        ];
        assembly.function("<module>", 0, init);
        assembly.function("main", 0, main);
        assembly
    }

    /// Gives `main` this code.
    pub(super) fn set_main(&mut self, code: Vec<Op>) {
        let main = &mut self.program.functions[1];
        main.spans = vec![SourceSpan::default(); code.len()];
        main.code = code;
    }

    /// Adds a function of eight registers; its number.
    pub(super) fn function(&mut self, name: &str, arity: u8, code: Vec<Op>) -> u16 {
        self.program.functions.push(Function {
            name: name.to_owned(),
            module: 0,
            arity,
            locals: arity,
            registers: 8,
            captures: Vec::new(),
            capture_names: Vec::new(),
            spans: vec![SourceSpan::default(); code.len()],
            code,
            ..Function::default()
        });
        self.program.functions.len() as u16 - 1
    }

    /// Adds a string constant; its number.
    pub(super) fn text(&mut self, text: &str) -> u16 {
        self.program
            .constants
            .push(Constant::String(text.to_owned()));
        self.program.constants.len() as u16 - 1
    }

    /// Adds a step of this name.
    pub(super) fn step(&mut self, name: &str, boundary: Boundary) -> &mut Step {
        self.program.steps.push(Step {
            name: name.to_owned(),
            instructions: None,
            calls: None,
            time_ms: None,
            boundary,
        });
        self.program.steps.last_mut().unwrap()
    }
}
