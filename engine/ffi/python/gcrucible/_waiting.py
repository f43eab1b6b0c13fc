"""Waiting so that signals get a word in."""

from __future__ import annotations

import math
import time
from typing import Any, Optional

from ._values import checked

#: Python runs the handlers of signals between two calls of the library: Ctrl-C is seen this late
#: at most, in milliseconds.
_SLICE_MS = 50


def seconds(timeout: Any) -> Optional[float]:
    """A timeout; ``None``, for ever, for infinity as well."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not hasattr(timeout, "__float__"):
        raise TypeError(f"timeout must be a number or None, not {type(timeout).__name__}")
    try:
        timeout = float(timeout)
    except OverflowError:
        # An int beyond every float.
        timeout = math.inf if timeout > 0 else -math.inf
    if math.isnan(timeout) or timeout < 0:
        raise ValueError(f"timeout must be at least 0, not {timeout}")
    return None if math.isinf(timeout) else timeout


def wait(function, raw: Any, timeout: Optional[float]) -> None:
    """Waits by a function of the C API that takes an object and milliseconds. Raises
    ``TimeoutError`` when the time is over, and what a handler of a signal raises."""
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        slice_ms = _SLICE_MS
        if end is not None:
            # Rounded up, lest the last part of a millisecond is spent asking.
            slice_ms = min(slice_ms, math.ceil(max(0.0, end - time.monotonic()) * 1000))
        try:
            return checked(function, raw, slice_ms)
        except TimeoutError:
            if end is not None and time.monotonic() >= end:
                raise
