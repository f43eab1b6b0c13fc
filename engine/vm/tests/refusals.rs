//! What a safe host of machines is refused: machines, realms and programs of one heap under a
//! permit of another, and such as no heap enumerates any more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use gcrucible_frontend::{Source, compile};
use gcrucible_heap::{Checked, CollectionKind, Heap, HeapConfig, HeapDebug, Value};
use gcrucible_vm::{Forking, LoadedProgram, Realm, SliceEnd, SliceInput, Vm};

const FOREIGN: &str = "the root provider is one of another heap";
const TAKEN_OUT: &str = "the root provider is not registered, or was taken out of what was";

struct World {
    heap: Arc<Heap>,
    realm: Arc<Realm>,
    main: u16,
}

impl World {
    fn new() -> World {
        let source = Source::new(
            "main.crux",
            "let kept = [\"text\"]\nfn main(a) { return [kept, a] }",
        );
        let program = compile(&source).unwrap_or_else(|errors| panic!("{errors}"));
        let heap = Heap::new(HeapConfig::tiny(), HeapDebug::default()).expect("address space");
        let realm = Realm::load(&heap.try_shared().unwrap(), Arc::new(program)).expect("it loads");
        let main = realm.program().entry_export("main").expect("it has one");
        let world = World { heap, realm, main };
        let vm = world.vm();
        vm.start_init();
        assert_eq!(world.slice(&vm), SliceEnd::Returned);
        world.realm.freeze();
        world
    }

    fn vm(&self) -> Arc<Vm> {
        Vm::new(&self.heap, Arc::clone(&self.realm), 1)
    }

    fn slice(&self, vm: &Vm) -> SliceEnd {
        let permit = self.heap.try_shared().expect("nobody collects");
        let input = SliceInput::with_fuel(1000);
        vm.run_slice::<Checked>(&permit, input).end
    }

    fn start(&self, vm: &Vm) {
        let permit = self.heap.try_shared().expect("nobody collects");
        vm.start_global(&permit, self.main, &[Value::TRUE]);
    }

    fn collect(&self) {
        let mut permit = self.heap.try_exclusive().expect("nobody has a permit");
        permit.collect(CollectionKind::Major);
    }
}

/// The message of the panic that refuses it.
fn refusal<R>(act: impl FnOnce() -> R) -> String {
    let panic = match catch_unwind(AssertUnwindSafe(act)) {
        Ok(_) => panic!("it was not refused"),
        Err(panic) => panic,
    };
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .expect("a text")
}

#[test]
fn a_machine_runs_under_permits_of_its_heap() {
    let [a, b] = [World::new(), World::new()];
    let vm = a.vm();
    assert_eq!(refusal(|| b.start(&vm)), FOREIGN);
    a.start(&vm);
    assert_eq!(refusal(|| b.slice(&vm)), FOREIGN);
    {
        let permit = b.heap.try_shared().unwrap();
        let m = permit.reader::<Checked>();
        assert_eq!(refusal(|| vm.load_exchange(&m)), FOREIGN);
        assert_eq!(refusal(|| vm.store_exchange(&m, Value::NIL)), FOREIGN);
        assert_eq!(refusal(|| a.realm.load_global(&m, 0)), FOREIGN);
        assert_eq!(refusal(|| vm.handled::<Checked>(&permit)), FOREIGN);
        assert_eq!(refusal(|| vm.abandon::<Checked>(&permit)), FOREIGN);
    }
    assert_eq!(a.slice(&vm), SliceEnd::Returned);
}

#[test]
fn machines_realms_and_forks_are_made_of_parts_of_one_heap() {
    let [a, b] = [World::new(), World::new()];
    assert_eq!(
        refusal(|| Vm::new(&a.heap, Arc::clone(&b.realm), 1)),
        FOREIGN
    );
    let program = b.realm.loaded();
    assert_eq!(
        refusal(|| Realm::new(&a.heap, Arc::clone(program), 1)),
        FOREIGN
    );
    let forked = || Forking::new(&a.heap, Arc::clone(&b.realm), 1, None);
    assert_eq!(refusal(forked), FOREIGN);
    // A fork of one heap is not made under a permit of another.
    let forking = Forking::new(&b.heap, Arc::clone(&b.realm), 1, None);
    let permit = a.heap.try_shared().unwrap();
    let refused = refusal(|| forking.attempt::<Checked>(&permit).is_ok());
    assert_eq!(refused, "the allocation buffer is one of another heap");
}

#[test]
fn what_was_taken_out_of_its_arc_is_no_root_and_of_no_use() {
    let world = World::new();
    let vm = world.vm();
    world.start(&vm);
    let vm = Arc::into_inner(vm).expect("nobody else has it");
    world.collect();
    assert_eq!(refusal(|| world.slice(&vm)), TAKEN_OUT);
    let vm = Arc::new(vm);
    assert_eq!(refusal(|| world.slice(&vm)), TAKEN_OUT);

    let World { heap, realm, main } = world;
    drop(vm);
    let realm = Arc::new(Arc::into_inner(realm).expect("nobody else has it"));
    let permit = heap.try_shared().unwrap();
    let looked = || realm.load_global(&permit.reader::<Checked>(), main);
    assert_eq!(refusal(looked), TAKEN_OUT);
    assert_eq!(refusal(|| Vm::new(&heap, Arc::clone(&realm), 1)), TAKEN_OUT);
    let forked = || Forking::new(&heap, Arc::clone(&realm), 1, None);
    assert_eq!(refusal(forked), TAKEN_OUT);
}

#[test]
fn a_program_that_was_taken_out_of_its_arc_has_no_realms() {
    let source = Source::new("main.crux", "fn main() { return \"text\" }");
    let program = compile(&source).unwrap_or_else(|errors| panic!("{errors}"));
    let heap = Heap::new(HeapConfig::tiny(), HeapDebug::default()).expect("address space");
    let loaded = LoadedProgram::load(&heap.try_shared().unwrap(), Arc::new(program));
    let loaded = Arc::into_inner(loaded.expect("it loads")).expect("nobody else has it");
    let loaded = Arc::new(loaded);
    assert_eq!(refusal(|| Realm::new(&heap, loaded, 0)), TAKEN_OUT);
}
