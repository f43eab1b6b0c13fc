"""Crux in Python, over the C API.

>>> engine = Engine("fn add(a, b) { return a + b }")
>>> engine.call("add", 2, 40).result()
42

A call can be cancelled by its own ``cancel`` or through an :class:`AbortController`; its ``result`` raises
:class:`CancelledError` then, whatever the program did with the cancellation on its way out.
"""

from __future__ import annotations

import ctypes
import itertools
import threading
from typing import Any, Optional

from ._library import Options, Stats, library

__all__ = ["AbortController", "AbortSignal", "Call", "CancelledError", "CruxError", "Engine", "Handle"]

_OK, _TIMED_OUT, _CANCELLED, _CALL_NOT_FOUND = 0, 8, 11, 6
_NIL, _BOOL, _INT, _FLOAT, _STRING, _ARRAY, _MAP = range(7)


class CruxError(Exception):
    """What the engine refused or the program threw; ``status`` is the C API's code."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class CancelledError(CruxError):
    """The call was cancelled."""


def _checked(function, *args) -> None:
    """Calls a function whose last parameter is the error, and raises what it reports."""
    error = ctypes.c_void_p()
    status = function(*args, ctypes.byref(error))
    if status == _OK:
        return
    message = library.gcr_error_message(error).decode()
    library.gcr_error_free(error)
    if status == _TIMED_OUT:
        raise TimeoutError(message)
    raise (CancelledError if status == _CANCELLED else CruxError)(status, message)


def _to_crux(value: Any) -> int:
    """A new value of the C API, which belongs to the caller."""
    if value is None:
        return library.gcr_nil()
    if isinstance(value, bool):
        return library.gcr_bool(value)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise OverflowError(f"{value} does not fit in 64 bits")
        return library.gcr_int(value)
    if isinstance(value, float):
        return library.gcr_float(value)
    if isinstance(value, str):
        return library.gcr_string(value.encode())
    if isinstance(value, (list, tuple)):
        array = library.gcr_array()
        try:
            for element in value:
                if not library.gcr_array_push(array, _to_crux(element)):
                    raise ValueError("nested too deep to be plain data")
        except BaseException:
            library.gcr_value_free(array)
            raise
        return array
    if isinstance(value, dict):
        table = library.gcr_map()
        try:
            for key, element in value.items():
                if not isinstance(key, str):
                    raise TypeError(f"a map's key must be a str, not {type(key).__name__}")
                if not library.gcr_map_set(table, key.encode(), _to_crux(element)):
                    raise ValueError("nested too deep to be plain data")
        except BaseException:
            library.gcr_value_free(table)
            raise
        return table
    raise TypeError(f"{type(value).__name__} is no plain data")


def _to_python(value: int) -> Any:
    kind = library.gcr_kind(value)
    if kind == _BOOL:
        return library.gcr_as_bool(value)
    if kind == _INT:
        return library.gcr_as_int(value)
    if kind == _FLOAT:
        return library.gcr_as_float(value)
    if kind == _STRING:
        return library.gcr_as_string(value).decode()
    parts = range(library.gcr_len(value)) if kind in (_ARRAY, _MAP) else ()
    if kind == _ARRAY:
        return [_to_python(library.gcr_at(value, index)) for index in parts]
    if kind == _MAP:
        return {
            library.gcr_key_at(value, index).decode(): _to_python(library.gcr_at(value, index))
            for index in parts
        }
    return None


class AbortSignal:
    """What an :class:`AbortController` tells its listeners."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._aborted = False
        self._listeners: list = []

    @property
    def aborted(self) -> bool:
        """Whether ``abort`` was called."""
        return self._aborted

    def add_listener(self, listener) -> None:
        """Calls ``listener`` once, at ``abort``; at once if that was before."""
        with self._lock:
            if not self._aborted:
                self._listeners.append(listener)
                return
        listener()


class AbortController:
    """Cancels every call that was started with its ``signal``, as in JavaScript."""

    def __init__(self) -> None:
        self.signal = AbortSignal()

    def abort(self) -> None:
        """Cancels; harmless if repeated."""
        with self.signal._lock:
            self.signal._aborted = True
            listeners, self.signal._listeners = self.signal._listeners, []
        for listener in listeners:
            listener()


class Handle:
    """An object that Python keeps alive in the engine; also a context manager."""

    def __init__(self, raw: ctypes.c_void_p, engine: "Engine"):
        self._raw, self._engine = raw, engine

    def close(self) -> None:
        """Lets go of the object; harmless if repeated."""
        raw, self._raw = self._raw, None
        if raw:
            library.gcr_handle_free(raw)

    def __enter__(self) -> "Handle":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    __del__ = close


class Call:
    """A call in progress or ended."""

    def __init__(self, raw: ctypes.c_void_p, engine: "Engine", call_id: int):
        self._raw, self._engine, self.id = raw, engine, call_id

    def cancel(self) -> None:
        """Requests cancellation; harmless if repeated or if the call has ended."""
        self._engine.cancel(self.id, missing_ok=True)

    def result(self, timeout: Optional[float] = None) -> Any:
        """Waits for at most ``timeout`` seconds; raises ``TimeoutError``, :class:`CancelledError` or
        :class:`CruxError`."""
        milliseconds = -1 if timeout is None else max(0, int(timeout * 1000))
        _checked(library.gcr_call_wait, self._raw, milliseconds)
        value = ctypes.c_void_p()
        _checked(library.gcr_call_value, self._raw, ctypes.byref(value))
        try:
            return _to_python(value)
        finally:
            library.gcr_value_free(value)

    def protect(self) -> Handle:
        """Keeps what the call returned alive."""
        raw = ctypes.c_void_p()
        _checked(library.gcr_protect, self._raw, ctypes.byref(raw))
        return Handle(raw, self._engine)

    def close(self) -> None:
        """Drops the call, which cancels it if it has not ended."""
        raw, self._raw = self._raw, None
        if raw:
            library.gcr_call_free(raw)

    __del__ = close


class Engine:
    """A program on threads of its own."""

    def __init__(
        self,
        source: str,
        path: str = "main.crux",
        workers: int = 0,
        heap_limit_bytes: int = 0,
        heap_modes: str = "",
    ):
        self._raw = None
        self._ids = itertools.count(1)
        options = Options(workers, heap_limit_bytes, heap_modes.encode())
        raw = ctypes.c_void_p()
        _checked(
            library.gcr_engine_new,
            path.encode(),
            source.encode(),
            ctypes.byref(options),
            ctypes.byref(raw),
        )
        self._raw = raw

    def call(
        self,
        function: str,
        *args: Any,
        call_id: Optional[int] = None,
        signal: Optional[AbortSignal] = None,
    ) -> Call:
        """Starts a call and returns at once."""
        call_id = next(self._ids) if call_id is None else call_id
        values = []
        try:
            for arg in args:
                values.append(_to_crux(arg))
            array = (ctypes.c_void_p * len(values))(*values)
            raw = ctypes.c_void_p()
            _checked(
                library.gcr_call, self._raw, call_id, function.encode(), array, len(values), ctypes.byref(raw)
            )
        finally:
            for value in values:
                library.gcr_value_free(value)
        call = Call(raw, self, call_id)
        if signal is not None:
            signal.add_listener(call.cancel)
        return call

    def cancel(self, call_id: int, missing_ok: bool = False) -> None:
        """Requests cancellation of a call by its id."""
        try:
            _checked(library.gcr_cancel, self._raw, call_id)
        except CruxError as error:
            if not (missing_ok and error.status == _CALL_NOT_FOUND):
                raise

    def stats(self) -> Stats:
        """Numbers of the engine, exact when nothing runs."""
        return library.gcr_stats(self._raw)

    def close(self) -> None:
        """Stops the engine; its calls and handles must be closed before."""
        raw, self._raw = self._raw, None
        if raw:
            library.gcr_engine_free(raw)

    __del__ = close
