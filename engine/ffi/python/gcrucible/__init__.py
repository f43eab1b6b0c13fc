"""Crux in Python, over the C API.

>>> engine = Engine("fn add(a, b) { return a + b }")
>>> engine.call("add", 2, 40).result()
42

A call can be cancelled by its own ``cancel`` or through an :class:`AbortController`; its ``result`` raises
:class:`CancelledError` then, whatever the program did with the cancellation on its way out.

A program touches no file, no host and no variable of the environment, unless ``allow_fs``, ``allow_net`` or
``allow_env`` says so, and what it prints and logs goes nowhere, unless ``on_print`` or ``on_log`` takes it:

>>> engine = Engine('print("hello")', on_print=print)
hello
"""

from ._engine import Call, Engine, Handle
from ._signal import AbortController, AbortSignal
from ._values import CancelledError, CruxError

__all__ = ["AbortController", "AbortSignal", "Call", "CancelledError", "CruxError", "Engine", "Handle"]
