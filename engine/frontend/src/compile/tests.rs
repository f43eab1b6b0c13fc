//! The code of small sources.

use gcrucible_bytecode::{Constant, Op, Program, Rule, disassemble, verify};

use crate::{Source, compile};

fn program(text: &str) -> Program {
    match compile(&Source::new("main.crux", text)) {
        Ok(program) => program.into_inner(),
        Err(found) => panic!("{found}"),
    }
}

/// The instructions of the function `name`, one per line, without lines and indexes.
fn code(text: &str, name: &str) -> Vec<String> {
    let listing = disassemble(&program(text));
    let header = format!(" {name} (");
    let lines = listing
        .lines()
        .skip_while(|line| !line.contains(&header))
        .skip(1)
        .take_while(|line| !line.is_empty());
    lines
        .map(|line| line[13..].split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// The function `f` of `text` has the instructions `expected`.
fn check(text: &str, expected: &str) {
    let lines: Vec<&str> = expected
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    let found = code(text, "f");
    assert_eq!(found, lines, "\n{}", disassemble(&program(text)));
}

/// The error of a source that is too large.
fn refusal(text: &str) -> String {
    match compile(&Source::new("main.crux", text)) {
        Ok(_) => panic!("must be refused"),
        Err(found) => found.to_string(),
    }
}

#[test]
fn operands_wait_above_the_locals() {
    check(
        "fn f(a) { let x = g(a) + g(a)\nreturn x }\nfn g(a) {}",
        "LoadGlobal r2, g1 ; g
         Move r3, r0
         Call r2, 1
         LoadGlobal r3, g1 ; g
         Move r4, r0
         Call r3, 1
         Add r1, r2, r3
         Return r1",
    );
}

#[test]
fn comparisons_keep_the_order_of_operands() {
    check(
        "fn f(a) { return a() > a() }",
        "Move r1, r0
         Call r1, 0
         Move r2, r0
         Call r2, 0
         Lt r1, r2, r1
         Return r1",
    );
}

#[test]
fn logic_yields_an_operand_and_conditions_jump() {
    check(
        "fn f(a, b) { let c = a && b || 1\nif a && !b { b = 2 } else { b = 3 } }",
        "Move r2, r0
         JumpIfNot r2, @3
         Move r2, r1
         JumpIf r2, @5
         LoadInt r2, 1
         JumpIfNot r0, @9
         JumpIf r1, @9
         LoadInt r1, 2
         Jump @10
         LoadInt r1, 3
         LoadNil r3
         Return r3",
    );
}

#[test]
fn an_assigned_variable_keeps_its_value_until_the_end() {
    check(
        "fn f(a, g) { a = g() && a\na = [a, a]\na += g() }",
        "Move r2, r1
         Call r2, 0
         JumpIfNot r2, @4
         Move r2, r0
         Move r0, r2
         Move r2, r0
         Move r3, r0
         NewArray r0, r2 x 2
         Move r2, r1
         Call r2, 0
         Add r0, r0, r2
         LoadNil r2
         Return r2",
    );
}

#[test]
fn places_are_read_before_the_value_and_written_after_it() {
    check(
        "fn f(a, i, g) { a[i] = g()\na.x += g()\na[i] -= 1 }",
        "Move r3, r2
         Call r3, 0
         SetIndex r0, r1, r3
         GetField r3, r0, k0 ; \"x\"
         Move r4, r2
         Call r4, 0
         Add r3, r3, r4
         SetField r0, k0, r3 ; \"x\"
         GetIndex r3, r0, r1
         LoadInt r4, 1
         Sub r3, r3, r4
         SetIndex r0, r1, r3
         LoadNil r3
         Return r3",
    );
}

#[test]
fn captured_variables_are_cells_and_fresh_in_each_round() {
    check(
        "fn f(xs) { for x in xs { let y = x\nxs.push(|| x + y) } }",
        "NewIterator r3, r0
         NextOrJump r4, r3, @10
         EndIfNil r4, @10
         NewCell r1, r4
         LoadCell r4, r1
         NewCell r2, r4
         Move r4, r0
         NewClosure r5, f2 ; <lambda>
         CallMethod r4, k0, 1 ; \"push\"
         Loop @1
         LoadNil r3
         Return r3",
    );
    let found = disassemble(&program("fn f(a) { return || { return || { a += 1 } } }"));
    assert!(found.contains("captures r0)"), "{found}");
    assert!(found.contains("captures c0)"), "{found}");
    check(
        "fn f(a) { return || a }",
        "NewCell r0, r0
         NewClosure r1, f2 ; <lambda>
         Return r1",
    );
}

#[test]
fn an_inner_function_can_call_itself() {
    check(
        "fn f() { fn g(n) { return g(n) }\nfn h() {} }",
        "LoadNil r2
         NewCell r0, r2
         NewClosure r2, f2 ; g
         StoreCell r0, r2
         LoadFunction r1, f3 ; h
         LoadNil r2
         Return r2",
    );
}

#[test]
fn globals_are_functions_first_and_exports_are_sorted() {
    let program = program("let b = a()\nfn a() { b = 2 }\nconst c = 3");
    let names: Vec<&str> = program.globals.iter().map(|g| g.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(program.entry_export("c"), Some(2));
    assert_eq!(program.entry_export("d"), None);
    let init = &program.functions[0].code;
    assert_eq!(
        init[0],
        Op::LoadFunction {
            dst: 0,
            function: 1
        }
    );
    assert_eq!(init[1], Op::StoreGlobal { global: 0, src: 0 });
    assert!(
        program.functions[1]
            .code
            .contains(&Op::StoreGlobal { global: 1, src: 0 })
    );
}

#[test]
fn return_runs_finally_blocks_from_the_inside_out() {
    check(
        "fn f(a) { try { try { return a } finally { a = 1 } } finally { a = 2 } }",
        "PushFinally @10
         PushFinally @8
         Move r1, r0
         PopHandler
         EnterFinallyWith r1, @8
         PopHandler
         EnterFinallyWith r1, @10
         Return r1
         LoadInt r0, 1
         EndFinally
         LoadInt r0, 2
         EndFinally",
    );
}

#[test]
fn try_with_catch_and_finally() {
    check(
        "fn f(a) { try { a() } catch e { a = e } finally { a = 2 } }",
        "PushFinally @10
         PushCatch r1, @6
         Move r2, r0
         Call r2, 0
         PopHandler
         Jump @7
         Move r0, r1
         PopHandler
         EnterFinally @10
         Jump @12
         LoadInt r0, 2
         EndFinally
         LoadNil r2
         Return r2",
    );
}

#[test]
fn break_and_continue_run_finally_blocks() {
    check(
        "fn f(a) { while a { try { if a { break }\ncontinue } finally { a() } } }",
        "JumpIfNot r0, @12
         PushFinally @9
         JumpIfNot r0, @6
         PopHandler
         EnterFinally @9
         Jump @12
         PopHandler
         EnterFinally @9
         Loop @0
         Move r1, r0
         Call r1, 0
         EndFinally
         LoadNil r1
         Return r1",
    );
}

#[test]
fn leaving_a_finally_block_drops_its_completion() {
    check(
        "fn f(a) { while a { try { a() } finally { try { break } catch {} } } }",
        "JumpIfNot r0, @13
         PushFinally @7
         Move r1, r0
         Call r1, 0
         PopHandler
         EnterFinally @7
         Jump @12
         PushCatch r1, @11
         PopHandler
         DropCompletion
         Jump @13
         EndFinally
         Loop @0
         LoadNil r1
         Return r1",
    );
    check(
        "fn f() { try {} finally { return 1 } }",
        "PushFinally @4
         PopHandler
         EnterFinally @4
         Jump @7
         LoadInt r0, 1
         DropCompletion
         Return r0
         LoadNil r0
         Return r0",
    );
}

#[test]
fn caught_variables_may_be_cells() {
    check(
        "fn f() { try {} catch e { return || e } }",
        "PushCatch r1, @3
         PopHandler
         Jump @6
         NewCell r0, r1
         NewClosure r1, f2 ; <lambda>
         Return r1
         LoadNil r1
         Return r1",
    );
}

#[test]
fn tasks() {
    check(
        "fn f(a) { let t = spawn a(1)\nlet u = spawn a.go()\ncancel(t)\nreturn await u }",
        "Move r3, r0
         LoadInt r4, 1
         Spawn r3, 1
         Move r1, r3
         GetField r3, r0, k0 ; \"go\"
         Spawn r3, 0
         Move r2, r3
         Cancel r1
         LoadNil r3
         Await r3, r2
         Return r3",
    );
}

#[test]
fn fields_are_evaluated_in_order_of_the_source() {
    check(
        "class P { a, b }\nfn f(g) { return P { b: g(1), a: 2 } }",
        "Move r3, r0
         LoadInt r4, 1
         Call r3, 1
         LoadInt r2, 2
         NewInstance r1, 0, r2 ; P
         Return r1",
    );
}

#[test]
fn strings_are_joined_and_constants_are_not_repeated() {
    check(
        r#"fn f(a) { return "x${a}x${a + 1}${"x"}" + "\u{78}" }"#,
        "LoadConst r2, k0 ; \"x\"
         Move r3, r0
         LoadConst r4, k0 ; \"x\"
         LoadInt r6, 1
         Add r5, r0, r6
         LoadConst r6, k0 ; \"x\"
         Concat r1, r2 x 5
         LoadConst r2, k0 ; \"x\"
         Add r1, r1, r2
         Return r1",
    );
    let found =
        program("let a = [1.5, 1.5, -1.5, 1e3, 2147483648, 2147483648, -2147483648, 0.0, -0.0]");
    let expected = [
        Constant::Float(1.5),
        Constant::Float(-1.5),
        Constant::Float(1e3),
        Constant::Int(1 << 31),
        Constant::Float(0.0),
        Constant::Float(-0.0),
    ];
    assert_eq!(found.constants, expected);
}

#[test]
fn long_literals_are_made_in_parts() {
    let items = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    let small = program(&format!("let a = [{}]", items(32)));
    assert!(
        !small.functions[0]
            .code
            .iter()
            .any(|op| matches!(op, Op::CallMethod { .. }))
    );
    let large = program(&format!("fn f(a) {{ a = [{}] }}", items(1000)));
    let code = &large.functions[1].code;
    let pushes = code
        .iter()
        .filter(|op| matches!(op, Op::CallMethod { argc: 1, .. }))
        .count();
    assert_eq!(pushes, 1000 - 32);
    assert!(
        matches!(code[code.len() - 3], Op::Move { dst: 0, .. }),
        "written at the end"
    );
    let pairs = (0..1000)
        .map(|i| format!("{i}: {i}"))
        .collect::<Vec<_>>()
        .join(",");
    let map = program(&format!("let m = {{ {pairs} }}"));
    let sets = map.functions[0]
        .code
        .iter()
        .filter(|op| matches!(op, Op::SetIndex { .. }))
        .count();
    assert_eq!(sets, 1000 - 32);
}

#[test]
fn places_of_instructions() {
    let found = program("fn f(a) {\n  return a\n    .x\n}");
    let spans: Vec<(u32, u32)> = found.functions[1]
        .spans
        .iter()
        .map(|span| (span.line, span.column))
        .collect();
    assert_eq!(spans, [(3, 6), (2, 3)]);
}

#[test]
fn what_needs_too_many_registers_is_refused() {
    let arguments = vec!["1"; 300].join(",");
    for text in [
        format!("print({arguments})"),
        format!("fn f(g) {{ g({arguments}) }}"),
        format!("fn f(g) {{ g.x({arguments}) }}"),
        format!("fn f() {{ return \"{}\" }}", "${1}".repeat(300)),
        format!(
            "{}{}",
            format!("[{}", "1,".repeat(31)).repeat(120),
            "]".repeat(120)
        ),
    ] {
        let found = refusal(&text);
        assert!(
            found.contains("too large") || found.contains("300 arguments"),
            "{text:.60}: {found}"
        );
    }
}

#[test]
fn too_many_constants_are_refused() {
    let text: String = (0..70_000).map(|n| format!("\"s{n}\"\n")).collect();
    assert!(refusal(&text).contains("too many literals and names"));
}

#[test]
fn loops_without_end_need_no_return() {
    check("fn f() { while true { } }", "Loop @0");
}

#[test]
fn patterns_are_tests_that_jump_to_the_next_arm() {
    check(
        "enum E { A, B(x, y) }\nfn f(a) { return match a { 1 | nil => a, E.B(n, [2]) if n => n, E.A => 0 } }",
        "LoadInt r3, 1
         Eq r3, r0, r3
         JumpIfNot r3, @4
         Jump @7
         LoadNil r3
         Eq r3, r0, r3
         JumpIfNot r3, @9
         Move r2, r0
         Jump @35
         Is r3, r0, t0 ; E.B
         JumpIfNot r3, @28
         GetPayload r1, r0, 0
         GetPayload r3, r0, 1
         Is r4, r3, t2 ; array
         JumpIfNot r4, @28
         Move r4, r3
         CallBuiltin r4, len, 1
         LoadInt r5, 1
         Eq r4, r4, r5
         JumpIfNot r4, @28
         LoadInt r4, 0
         GetIndex r6, r3, r4
         LoadInt r7, 2
         Eq r7, r6, r7
         JumpIfNot r7, @28
         JumpIfNot r1, @28
         Move r2, r1
         Jump @35
         Is r3, r0, t1 ; E.A
         JumpIfNot r3, @32
         LoadInt r2, 0
         Jump @35
         Move r3, r0
         CallBuiltin r3, __no_match, 1
         Throw r3
         Return r2",
    );
}

#[test]
fn an_arm_for_everything_ends_the_match() {
    check(
        "fn f(a) { return match a { P { x, y: 1..3 } => x, _ => { a() } nil => 1 } }\nclass P { x, y }",
        "Is r3, r0, t0 ; P
         JumpIfNot r3, @14
         GetField r1, r0, k0 ; \"x\"
         GetField r3, r0, k1 ; \"y\"
         Is r4, r3, t1 ; int
         JumpIfNot r4, @14
         LoadInt r4, 1
         Le r4, r4, r3
         JumpIfNot r4, @14
         LoadInt r4, 3
         Lt r4, r3, r4
         JumpIfNot r4, @14
         Move r2, r1
         Jump @17
         Move r3, r0
         Call r3, 0
         LoadNil r2
         Return r2",
    );
}

#[test]
fn operands_are_copied_where_a_block_may_assign_them() {
    check(
        "fn f(a) { return a + match a { _ => { a = 2 } } }",
        "Move r2, r0
         LoadInt r0, 2
         LoadNil r3
         Add r1, r2, r3
         Return r1",
    );
    check(
        "fn f(a) { a += match a { n => { a = n } } }",
        "Move r2, r0
         Move r1, r0
         Move r0, r1
         LoadNil r3
         Add r2, r2, r3
         Move r0, r2
         LoadNil r2
         Return r2",
    );
    // The variable of the arm and the one that is defined share a register.
    check(
        "fn f(a) { let x = match a { n => a() && n }\nreturn x }",
        "Move r1, r0
         Move r2, r0
         Call r2, 0
         JumpIfNot r2, @5
         Move r2, r1
         Move r1, r2
         Return r1",
    );
}

#[test]
fn handlers_with_types_are_tried_from_the_first_to_the_last() {
    check(
        "enum E { A }\nfn f(a) { try { a() } catch e is E { a = e } catch e is int { a = 1 } catch { } }",
        "PushCatch r2, @16
         PushCatchIf r1, t1, @13 ; int
         PushCatchIf r1, t0, @9 ; E
         Move r2, r0
         Call r2, 0
         PopHandler
         PopHandler
         PopHandler
         Jump @16
         PopHandler
         PopHandler
         Move r0, r1
         Jump @16
         PopHandler
         LoadInt r0, 1
         Jump @16
         LoadNil r2
         Return r2",
    );
}

#[test]
fn scopes_are_popped_by_jumps_and_left_to_returns() {
    check(
        "fn f(a) { while a { deadline 5ms { sync a { if a { break }\nreturn 1 } } } }",
        "JumpIfNot r0, @10
         LoadInt r1, 5
         PushDeadline r1
         PushGuard r0
         JumpIfNot r0, @8
         PopScope
         PopScope
         Jump @10
         LoadInt r2, 1
         Return r2
         LoadNil r1
         Return r1",
    );
    // A handler further out remembers how many scopes there were.
    check(
        "fn f(a) { try { sync a { return a } } finally { } }",
        "PushFinally @7
         PushGuard r0
         Move r1, r0
         PopScope
         PopHandler
         EnterFinallyWith r1, @7
         Return r1
         EndFinally",
    );
}

#[test]
fn a_squad_is_joined_however_it_is_left() {
    check(
        "fn f(a) { let x = squad { spawn a()\nif a { return x }\nspawn detached a() } }\nlet x = 1",
        "PushSquad r2
         PushFinally @16
         Move r3, r0
         Spawn r3, 0
         JumpIfNot r0, @10
         LoadGlobal r3, g1 ; x
         JoinSquad r2
         PopHandler
         PopScope
         Return r3
         Move r3, r0
         SpawnDetached r3, 0
         JoinSquad r2
         PopHandler
         PopScope
         Jump @18
         DrainSquad r2
         EndFinally
         Move r1, r2
         LoadNil r2
         Return r2",
    );
}

#[test]
fn steps_and_schedules_have_functions_of_their_own() {
    check(
        "fn f(a) { step \"s\" (calls: 3, time: 1s, boundary: continue) { return a }\nschedule every 5ms |t, _| { } }",
        "NewCell r0, r0
         NewClosure r1, f2 ; <step>
         CallStep r1, 0 ; \"s\"
         LoadFunction r1, f4 ; __schedule
         LoadInt r2, 5
         LoadFunction r3, f3 ; <schedule>
         Spawn r1, 2
         LoadNil r1
         Return r1",
    );
    let program = program("step \"a\" { }\nstep \"b\" (instructions: 7, time: 2) { }");
    assert_eq!(
        program.steps[0].boundary,
        gcrucible_bytecode::Boundary::Fail
    );
    assert_eq!(program.steps[1].instructions, Some(7));
    assert_eq!(program.steps[1].time_ms, Some(2));
    assert_eq!(program.steps[1].calls, None);
}

#[test]
fn methods_have_their_receiver_first() {
    let program = program("class P { b, a  fn z(x) { return self.b + x }  fn m() { } }");
    let class = &program.classes[0];
    assert_eq!(class.fields, ["b", "a"]);
    assert_eq!(class.methods, [("m".to_owned(), 2), ("z".to_owned(), 1)]);
    let method = &program.functions[1];
    assert_eq!((method.name.as_str(), method.arity), ("P.z", 2));
}

/// What the front end says about dead registers is right, and says as much as can be said.
#[test]
fn every_live_register_is_needed() {
    let right = program(
        "class P { x
           fn m(a) { return self.x + a } }
         fn f(a, b) {
           let sum = 0
           for x in a { sum += x }
           let add = |n| sum + n
           try { sum = P { x: b }.m(add(1)) } catch e is int { return a } finally { print(b) }
           match sum { 1 => print(a), n => print(n) }
           return [sum, a.map(add), \"${b}\"]
         }",
    );
    let mut killed = 0;
    for (index, function) in right.functions.iter().enumerate() {
        assert!(!function.live.is_empty(), "{} has a map", function.name);
        for at in 0..function.code.len() {
            let alive = function.live.at(function.registers, at);
            for register in (0..function.registers).filter(|&it| alive.has(it)) {
                let mut wrong = right.clone();
                let live = &mut wrong.functions[index].live;
                live.kill(function.registers, at, register);
                let refused = verify(&wrong).expect_err("a register that is read is dead");
                assert_eq!(refused[0].rule, Rule::DeadRegister(register));
                killed += 1;
            }
        }
    }
    assert!(killed > 200, "{killed}");
}
