"""A host in Python: values, errors, cancellation, handles."""

import unittest

from gcrucible import AbortController, CancelledError, CruxError, Engine

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
"""


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

    def test_a_handle_keeps_an_object(self):
        engines_own = self.engine.stats().protected_objects
        self.assertEqual(engines_own, 1)
        call = self.engine.call("node")
        with self.assertRaises(CruxError):
            call.result()
        with call.protect():
            self.assertEqual(self.engine.stats().protected_objects, engines_own + 1)
        self.assertEqual(self.engine.stats().protected_objects, engines_own)


if __name__ == "__main__":
    unittest.main()
