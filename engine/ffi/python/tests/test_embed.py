"""A host in Python: values, errors, cancellation, handles, signals, callbacks, capabilities, fork."""

import contextlib
import decimal
import gc
import http.server
import math
import os
import pathlib
import signal
import sys
import tempfile
import threading
import unittest
from unittest import mock

from gcrucible import AbortController, CancelledError, CruxError, Engine, Handle

SOURCE = """
class Node { value }
fn add(a, b) { return a + b }
fn same(v) { return v }
fn fail() { throw error("no good") }
fn wait() { sleep(3600000) }
fn cancels() {
  let f = spawn wait()
  cancel(f)
  try { await f } catch e { throw error("wrapped", error("twice", e)) }
}
fn node() { return Node { value: 1 } }
fn value_of(node) { return node.value }
fn counter() { let n = 0; return |by| { n = n + by; return n } }
fn fail_with(text) { throw error(text) }
fn speak(text) { print(text, 1); log.warn("careful", nil); log.debug("deep") }
fn touch(f) { try { return [f()] } catch e { return e.message } }
fn read(path) { return touch(|| fs.read(path)) }
fn env(name) { return touch(|| sys.env(name)) }
fn get(url) { return touch(|| http.get(url).status) }
fn args() { return sys.args() }
"""


@contextlib.contextmanager
def ctrl_c_soon():
    """Ctrl-C, while what is within runs; also where whoever started this process ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        yield
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def answering():
    """A server that answers everything; its host and port."""

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def unraisable():
    """What nobody could catch."""
    seen = []
    with mock.patch.object(sys, "unraisablehook", lambda args: seen.append(args.exc_value)):
        yield seen


class Embed(unittest.TestCase):
    def setUp(self):
        self.engine = Engine(SOURCE, heap_modes="zombie,scribble,verify=full")

    def tearDown(self):
        self.engine.close()

    def test_data_goes_there_and_back(self):
        self.assertEqual(self.engine.call("add", 2, 40).result(), 42)
        data = {"a": [1, 2.5, None, True, "ü"], "b": {"c": -(2**63)}}
        self.assertEqual(self.engine.call("same", data).result(), data)

    def test_what_is_no_data_is_refused(self):
        for bad in ({1: 2}, object(), [set()]):
            with self.assertRaises(TypeError):
                self.engine.call("same", bad)
        with self.assertRaises(OverflowError):
            self.engine.call("same", 2**63)
        deep = []
        for _ in range(63):
            deep = [deep]
        self.assertEqual(self.engine.call("same", deep).result(), deep)
        with self.assertRaisesRegex(ValueError, "too deep"):
            self.engine.call("same", [deep])

    def test_errors_say_what_happened(self):
        with self.assertRaisesRegex(CruxError, "no good"):
            self.engine.call("fail").result()
        with self.assertRaisesRegex(CruxError, "nobody"):
            self.engine.call("nobody")
        with self.assertRaisesRegex(CruxError, "bad.crux:1:8"):
            Engine("fn f(a b) {}", path="bad.crux")

    def test_a_controller_cancels_its_calls(self):
        controller = AbortController()
        calls = [self.engine.call("wait", signal=controller.signal) for _ in range(3)]
        with self.assertRaises(TimeoutError):
            calls[0].result(timeout=0)
        controller.abort()
        controller.abort()
        late = self.engine.call("wait", signal=controller.signal)
        for call in [*calls, late]:
            with self.assertRaises(CancelledError):
                call.result()
        self.assertTrue(controller.signal.aborted)

    def test_a_cancellation_is_recognised_whatever_wraps_it(self):
        with self.assertRaisesRegex(CancelledError, "wrapped"):
            self.engine.call("cancels").result()

    def test_an_id_is_taken_until_its_call_has_ended(self):
        first = self.engine.call("wait", call_id=1000)
        with self.assertRaisesRegex(CruxError, "1000"):
            self.engine.call("wait", call_id=1000)
        first.cancel()
        with self.assertRaises(CancelledError):
            first.result()
        first.cancel()
        with self.assertRaises(CruxError):
            self.engine.cancel(1000)

    def test_text_is_never_cut(self):
        data = {"a\0b": "x\0y", "a\0c": "\0", "": ""}
        self.assertEqual(self.engine.call("same", data).result(), data)
        with self.assertRaisesRegex(CruxError, "no\0good"):
            self.engine.call("fail_with", "no\0good").result()
        with self.assertRaisesRegex(CruxError, "add\0"):
            self.engine.call("add\0", 1, 2)
        with self.assertRaises(CruxError):
            Engine("fn f() {}\0 nonsense (")
        with self.assertRaises(UnicodeEncodeError):
            self.engine.call("same", "\ud800")

    def test_what_contains_itself_is_too_deep(self):
        endless = []
        endless.append(endless)
        with self.assertRaisesRegex(ValueError, "too deep"):
            self.engine.call("same", endless)

    def test_a_large_map_is_made_in_good_time(self):
        large = {f"key {n}": n for n in range(100_000)}
        self.assertEqual(self.engine.call("same", large).result(), large)

    def test_numbers_beyond_their_range_are_refused(self):
        for workers in (-1, 1025, 2**32 - 1, 2**32, 2**64):
            with self.assertRaises(ValueError):
                Engine(SOURCE, workers=workers)
        for limit in (-1, 2**64):
            with self.assertRaises(ValueError):
                Engine(SOURCE, heap_limit_bytes=limit)
        for limit in (1, 2**63):
            with self.assertRaises(CruxError):
                Engine(SOURCE, heap_limit_bytes=limit)
        for call_id in (-1, 2**32 - 2, 2**32):
            with self.assertRaises(ValueError):
                self.engine.call("args", call_id=call_id)
        for wrong in ("1", 1.0, None, True):
            with self.assertRaises(TypeError):
                Engine(SOURCE, workers=wrong)

    def test_a_timeout_is_a_number_of_seconds(self):
        waiting = self.engine.call("wait")
        for wrong in (math.nan, -1, -0.5, -math.inf, -(10**400), decimal.Decimal("NaN")):
            with self.assertRaises(ValueError):
                waiting.result(timeout=wrong)
        for wrong in ("1", [], True):
            with self.assertRaises(TypeError):
                waiting.result(timeout=wrong)
        for short in (0, 0.0, 1e-300, 0.01, decimal.Decimal("0.01")):
            with self.assertRaises(TimeoutError):
                waiting.result(timeout=short)
        for long in (None, math.inf, 1e300, 10**400, 2**63, 1e18):
            self.assertEqual(self.engine.call("add", 1, 2).result(timeout=long), 3)

    def test_ctrl_c_ends_a_wait_and_the_call_goes_on(self):
        for timeout in (None, math.inf, 3600):
            call = self.engine.call("wait")
            with self.assertRaises(KeyboardInterrupt), ctrl_c_soon():
                call.result(timeout=timeout)
            with self.assertRaises(TimeoutError):
                call.result(timeout=0)
            call.cancel()
            with self.assertRaises(CancelledError):
                call.result()

    def test_a_top_level_that_loops_ends(self):
        with self.assertRaises(TimeoutError):
            Engine("while true {}", timeout=0.05)
        with self.assertRaises(TimeoutError):
            Engine("sleep(3600000)", timeout=0)
        with self.assertRaises(KeyboardInterrupt), ctrl_c_soon():
            Engine("while true {}")

    def test_what_listeners_raise_keeps_nobody_from_being_told(self):
        controller = AbortController()
        told = []

        def fails():
            told.append("fails")
            raise RuntimeError("no")

        def stops():
            told.append("stops")
            raise KeyboardInterrupt

        call = self.engine.call("wait", signal=controller.signal)
        for listener in (fails, stops, lambda: told.append("last")):
            controller.signal.add_listener(listener)
        second = self.engine.call("wait", signal=controller.signal)
        with unraisable() as seen, self.assertRaises(KeyboardInterrupt):
            controller.abort()
        self.assertEqual(told, ["fails", "stops", "last"])
        self.assertEqual([str(error) for error in seen], ["no"])
        for cancelled in (call, second):
            with self.assertRaises(CancelledError):
                cancelled.result()
        with unraisable() as seen:
            controller.signal.add_listener(fails)
        self.assertEqual(len(seen), 1)

    def test_a_signal_keeps_no_calls(self):
        controller = AbortController()
        for _ in range(3):
            self.engine.call("add", 1, 2, signal=controller.signal).result()
        gc.collect()
        self.assertEqual(controller.signal._listeners, [])
        removed = []
        controller.signal.add_listener(removed.append)
        controller.signal.remove_listener(removed.append)
        controller.abort()
        self.assertEqual(removed, [])

    def test_a_call_is_cancelled_and_not_its_id(self):
        first = self.engine.call("add", 1, 2, call_id=1000)
        first.result()
        second = self.engine.call("wait", call_id=1000)
        first.cancel()
        with self.assertRaises(TimeoutError):
            second.result(timeout=0.01)
        second.cancel()
        with self.assertRaises(CancelledError):
            second.result()

    def test_a_handle_keeps_an_object(self):
        engines_own = self.engine.stats().protected_objects
        self.assertEqual(engines_own, 1)
        call = self.engine.call("node")
        node = call.result()
        self.assertIsInstance(node, Handle)
        self.assertEqual(self.engine.stats().protected_objects, engines_own + 1)
        with call.protect() as again:
            self.assertEqual(self.engine.stats().protected_objects, engines_own + 2)
            self.assertEqual((node.protects, node == again), (2, True))
        self.assertNotEqual(node, self.engine.call("node").result())
        self.assertEqual((node.type, node.protects), ("Node", 1))
        self.assertIn("Node", str(node))
        with self.assertRaises(CruxError):
            node.value()
        self.assertEqual(self.engine.call("value_of", node).result(), 1)
        self.assertEqual(self.engine.call("same", node).result(), node)
        with self.assertRaises(TypeError):
            self.engine.call("same", [node])
        with self.assertRaises(CruxError):
            node.call().result()
        node.close()
        node.close()
        with self.assertRaises(ValueError):
            node.type
        gc.collect()
        self.assertEqual(self.engine.stats().protected_objects, engines_own)

    def test_a_function_is_called(self):
        counter = self.engine.call("counter").result()
        self.assertEqual(counter.type, "function")
        self.assertEqual([counter.call(20).result() for _ in range(2)], [20, 40])
        data = self.engine.call("add", 1, 2)
        self.assertEqual(data.result(), 3)
        self.assertEqual(data.protect().value(), 3)
        with Engine(SOURCE) as stranger:
            with self.assertRaisesRegex(CruxError, "another engine"):
                stranger.call("same", counter)
            foreign = stranger.call("counter").result()
            self.assertNotEqual(foreign, counter)
        with self.assertRaisesRegex(CruxError, "freed"):
            foreign.type

    def test_what_is_closed_says_so(self):
        engine = Engine(SOURCE)
        call = engine.call("wait")
        engine.close()
        engine.close()
        for use in (engine.stats, lambda: engine.call("args"), lambda: engine.cancel(1)):
            with self.assertRaisesRegex(ValueError, "closed"):
                use()
        with self.assertRaisesRegex(CruxError, "freed"):
            call.result()
        call.close()
        with self.assertRaisesRegex(ValueError, "closed"):
            call.result()

    def test_lines_go_to_callbacks(self):
        printed, logged = [], []
        with Engine(
            'print("top")\n' + SOURCE,
            on_print=printed.append,
            on_log=lambda level, text: logged.append((level, text)),
        ) as engine:
            engine.call("speak", "a\0b").result()
        self.assertEqual(printed, ["top", "a\0b 1"])
        self.assertEqual(logged, [("warn", "careful nil"), ("debug", "deep")])
        for one in ({"on_print": printed.append}, {"on_log": lambda *_: None}, {}):
            with Engine(SOURCE, **one) as engine:
                engine.call("speak", "b").result()
        self.assertEqual(printed, ["top", "a\0b 1", "b 1"])

    def test_what_a_callback_raises_harms_nobody(self):
        def fails(text):
            raise RuntimeError(text)

        with unraisable() as seen:
            with Engine(SOURCE, on_print=fails) as engine:
                self.assertIsNone(engine.call("speak", "no").result())
                self.assertEqual(engine.call("add", 1, 2).result(), 3)
        self.assertEqual([str(error) for error in seen], ["no 1"])

    def test_a_callback_must_not_wait_for_its_engine(self):
        seen = []
        engine = None

        def waits(text):
            try:
                engine.call("args").result()
            except CruxError as error:
                seen.append(error.status)

        engine = Engine(SOURCE, on_print=waits)
        engine.call("speak", "x").result()
        engine.close()
        self.assertEqual(seen, [17])

    def test_an_engine_may_be_closed_in_its_callback(self):
        begun = threading.Event()
        engine = None

        def closes(_text):
            begun.wait()
            engine.close()

        engine = Engine(SOURCE, on_print=closes)
        call = engine.call("speak", "x")
        begun.set()
        with self.assertRaises(CruxError):
            call.result()

    def test_a_program_touches_what_it_may(self):
        closed = Engine(SOURCE, args=["one", "t\0o"])
        with tempfile.TemporaryDirectory() as folder:
            inside, outside = pathlib.Path(folder, "in"), pathlib.Path(folder, "secret")
            inside.mkdir()
            (inside / "a").write_text("text")
            outside.write_text("secret")
            (inside / "link").symlink_to(outside)
            self.assertIn("not allowed", closed.call("read", str(inside / "a")).result())
            self.assertIn("not allowed", closed.call("env", "PATH").result())
            self.assertIn("not allowed", closed.call("get", "http://127.0.0.1:9/").result())
            self.assertEqual(closed.call("args").result(), ["one", "t\0o"])
            with Engine(SOURCE, allow_fs=inside, allow_env=["HOME"], allow_net="a.example") as some:
                self.assertEqual(some.call("read", str(inside / "a")).result(), ["text"])
                for path in (outside, inside / "link", inside / ".." / "secret"):
                    self.assertIn("not allowed", some.call("read", str(path)).result())
                self.assertIn("not allowed", some.call("env", "PATH").result())
                self.assertIsInstance(some.call("env", "HOME").result(), list)
                self.assertIn("not allowed", some.call("get", "http://b.example/").result())
            with answering() as address, Engine(SOURCE, allow_net=["a.example", address]) as some:
                self.assertEqual(some.call("get", f"http://{address}/").result(), [200])
                self.assertIn("not allowed", some.call("read", str(inside / "a")).result())
            with Engine(SOURCE, allow_fs=True, allow_env=True) as most:
                self.assertEqual(most.call("read", str(outside)).result(), ["secret"])
                self.assertEqual(most.call("env", "PATH").result(), [os.environ["PATH"]])
            with self.assertRaises(CruxError):
                Engine(SOURCE, allow_fs=[inside / "absent"])
        closed.close()

    @unittest.skipUnless(hasattr(os, "fork"), "there is no fork")
    def test_a_forked_child_is_told(self):
        call = self.engine.call("wait")
        child = os.fork()
        if child == 0:
            code = 1
            try:
                signal.alarm(60)
                statuses = []
                for use in (call.result, self.engine.stats, lambda: self.engine.call("args")):
                    try:
                        use()
                    except CruxError as error:
                        statuses.append(error.status)
                call.close()
                self.engine.close()
                with Engine(SOURCE) as own:
                    if own.call("add", 1, 2).result() == 3 and statuses == [16, 16, 16]:
                        code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        self.assertEqual(status, 0)
        call.cancel()
        with self.assertRaises(CancelledError):
            call.result()


if __name__ == "__main__":
    unittest.main()
