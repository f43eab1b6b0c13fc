"""Engines, calls and handles."""

from __future__ import annotations

import atexit
import ctypes
import itertools
import os
import threading
import weakref
from typing import Any, Callable, Iterable, Optional, TypeVar, Union

from . import _waiting
from ._library import Print, Stats, library
from ._signal import AbortSignal
from ._values import (
    CALL_NOT_FOUND,
    NOT_DATA,
    CruxError,
    checked,
    integer,
    made,
    taken,
    to_crux,
)

#: What ``allow_fs``, ``allow_net`` and ``allow_env`` take: some by name, or all.
Allowed = Union[bool, str, os.PathLike, Iterable]

_LEVELS = ("print", "debug", "info", "warn", "error")
_CALL_IDS = 2**32 - 2

#: Engines that are open: those that are left at the end of the process are closed before
#: Python is torn down, since their threads call it.
_open: "weakref.WeakSet[Engine]" = weakref.WeakSet()
#: Set on a thread while it is in a callback.
_callback = threading.local()
#: Callbacks that may still be running: of engines that were closed within one.
_running: list = []


def _names(allowed: Allowed, everything: str) -> list:
    if allowed is True:
        return [everything]
    if allowed is False or allowed is None:
        return []
    if isinstance(allowed, (str, os.PathLike)):
        allowed = [allowed]
    return [os.fsdecode(one) if isinstance(one, os.PathLike) else one for one in allowed]


_Self = TypeVar("_Self")


class _Owned:
    """Something of the library's, which is freed once: by ``close``, or with the last that knows it."""

    #: What it is called in errors.
    _what: str
    _raw: Optional[int] = None

    def close(self) -> None:
        raise NotImplementedError

    def _own(self) -> int:
        if not self._raw:
            raise ValueError(f"the {self._what} is closed")
        return self._raw

    def __del__(self) -> None:
        if self._raw:
            self.close()


class _Managed(_Owned):
    """The same as a context manager."""

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


class Handle(_Managed):
    """A value of the program that Python keeps alive, data or not; also a context manager. It can be given to
    calls as an argument, and called if it is a function. Two are equal if their values are, as ``==`` in Crux
    says."""

    _what = "handle"

    def __init__(self, raw: int, engine: "Engine"):
        self._raw, self._engine = raw, engine

    def call(self, *args: Any, call_id: Optional[int] = None, signal: Optional[AbortSignal] = None) -> "Call":
        """Starts a call of it and returns at once."""
        return self._engine._start(library.gcr_handle_call, (self._own(),), args, call_id, signal)

    def value(self) -> Any:
        """It as plain data; :class:`CruxError` if it is none."""
        return taken(made(library.gcr_handle_value, self._own()))

    @property
    def type(self) -> str:
        """The name of its type in Crux, that of its class if it is an instance."""
        return taken(made(library.gcr_handle_type, self._own()))

    @property
    def protects(self) -> int:
        """How many handles keep its value."""
        count = ctypes.c_uint32()
        checked(library.gcr_handle_count, self._own(), ctypes.byref(count))
        return count.value

    def __str__(self) -> str:
        return taken(made(library.gcr_handle_text, self._own()))

    def __repr__(self) -> str:
        if not self._raw:
            return "<gcrucible.Handle, closed>"
        try:
            return f"<gcrucible.Handle of {self.type}>"
        except CruxError as error:
            return f"<gcrucible.Handle: {error}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Handle):
            return NotImplemented
        if self._engine is not other._engine:
            return False
        is_equal = ctypes.c_bool()
        checked(library.gcr_handle_equals, self._own(), other._own(), ctypes.byref(is_equal))
        return is_equal.value

    #: Equal handles would need equal hashes, which their values have none to make from.
    __hash__ = None  # type: ignore[assignment]

    def close(self) -> None:
        """Lets go of the value; harmless if repeated."""
        raw, self._raw = self._raw, None
        if raw:
            library.gcr_handle_free(raw)


class Call(_Owned):
    """A call in progress or ended."""

    _what = "call"

    def __init__(self, raw: int, engine: "Engine", call_id: int):
        self._raw, self._engine, self.id = raw, engine, call_id
        self._forget: Optional[Callable[[], None]] = None

    def cancel(self) -> None:
        """Requests cancellation of this call, whoever has its id by now; harmless if repeated or if it has
        ended."""
        checked(library.gcr_call_cancel, self._own())

    def result(self, timeout: Optional[float] = None) -> Any:
        """Waits for at most ``timeout`` seconds, for ever if that is ``None`` or infinite; what a handler of
        a signal raises, as ``KeyboardInterrupt``, ends the wait, and the call goes on. Gives what the call
        returned: data, or a :class:`Handle` on what is none. Raises ``TimeoutError``,
        :class:`CancelledError` or :class:`CruxError`."""
        raw = self._own()
        _waiting.wait(library.gcr_call_wait, raw, _waiting.seconds(timeout))
        try:
            value = made(library.gcr_call_value, raw)
        except CruxError as error:
            if error.status != NOT_DATA:
                raise
            return self.protect()
        return taken(value)

    def protect(self) -> Handle:
        """Keeps what the call returned alive, data or not."""
        return Handle(made(library.gcr_protect, self._own()), self._engine)

    def close(self) -> None:
        """Drops the call, which cancels it if it has not ended."""
        raw, self._raw = self._raw, None
        if raw:
            library.gcr_call_free(raw)
        if self._forget is not None:
            self._forget()
            self._forget = None


class Engine(_Managed):
    """A program on threads of its own; also a context manager.

    :param source: the program's text.
    :param path: its name in messages.
    :param workers: threads that run tasks, from 1 to 1024; 0 for two.
    :param heap_limit_bytes: bytes that the program may keep alive, at least 1 MiB; 0 for the usual limit.
    :param heap_modes: debug modes of the heap.
    :param timeout: seconds that the top level may take; then it is cancelled, and ``TimeoutError`` raised.
    :param args: what ``sys.args()`` gives.
    :param allow_fs: folders or files that the program may touch, or ``True`` for all.
    :param allow_net: hosts, as ``"example.com:443"`` or ``"*.example.com"``, or ``True`` for all.
    :param allow_env: variables of the environment, or ``True`` for all.
    :param on_print: called with each line that the program prints. Both are called on threads of the engine,
        on several at once; nothing that waits for the engine may be called in them. What they raise goes to
        ``sys.unraisablehook``.
    :param on_log: called with the level (``"debug"``, ``"info"``, ``"warn"``, ``"error"``) and text of each
        line that it logs.
    """

    _what = "engine"

    def __init__(
        self,
        source: str,
        path: str = "main.crux",
        workers: int = 0,
        heap_limit_bytes: int = 0,
        heap_modes: str = "",
        *,
        timeout: Optional[float] = None,
        args: Iterable[str] = (),
        allow_fs: Allowed = (),
        allow_net: Allowed = (),
        allow_env: Allowed = (),
        on_print: Optional[Callable[[str], object]] = None,
        on_log: Optional[Callable[[str, str], object]] = None,
    ):
        self._raw: Optional[int] = None
        self._ids = itertools.count(1)
        self._print = _printer(on_print, on_log)
        self._process = os.getpid()
        timeout = _waiting.seconds(timeout)
        options = library.gcr_options_new()
        try:
            if integer(workers, "workers", 0, 1024):
                checked(library.gcr_options_workers, options, workers)
            if integer(heap_limit_bytes, "heap_limit_bytes", 0, 2**64 - 1):
                checked(library.gcr_options_heap_limit, options, heap_limit_bytes)
            if self._print is not None:
                checked(library.gcr_options_on_print, options, self._print, None)
            for function, texts in (
                (library.gcr_options_heap_modes, [heap_modes]),
                (library.gcr_options_arg, args),
                (library.gcr_options_allow_fs, _names(allow_fs, "/")),
                (library.gcr_options_allow_net, _names(allow_net, "*")),
                (library.gcr_options_allow_env, _names(allow_env, "*")),
            ):
                for text in texts:
                    data = text.encode()
                    checked(function, options, data, len(data))
            name, text = path.encode(), source.encode()
            self._raw = made(library.gcr_engine_start, name, len(name), text, len(text), options)
        finally:
            library.gcr_options_free(options)
        _open.add(self)
        try:
            _waiting.wait(library.gcr_engine_wait, self._raw, timeout)
        except BaseException:
            # Ctrl-C, too: there is no engine then.
            self.close()
            raise

    def call(
        self,
        function: str,
        *args: Any,
        call_id: Optional[int] = None,
        signal: Optional[AbortSignal] = None,
    ) -> Call:
        """Starts a call and returns at once."""
        name = function.encode()
        return self._start(library.gcr_call, (self._own(),), args, call_id, signal, name, len(name))

    def _start(
        self,
        function: Callable,
        callee: tuple,
        args: tuple,
        call_id: Optional[int],
        signal: Optional[AbortSignal],
        *name: Any,
    ) -> Call:
        if call_id is None:
            call_id = next(self._ids) % _CALL_IDS
        integer(call_id, "call_id", 0, _CALL_IDS - 1)
        values = []
        try:
            for arg in args:
                is_handle = isinstance(arg, Handle)
                values.append(made(library.gcr_handle_arg, arg._own()) if is_handle else to_crux(arg))
            array = (ctypes.c_void_p * len(values))(*values)
            raw = made(function, *callee, call_id, *name, array, len(values))
        finally:
            for value in values:
                library.gcr_value_free(value)
        call = Call(raw, self, call_id)
        if signal is not None:
            _listen(call, signal)
        return call

    def cancel(self, call_id: int, missing_ok: bool = False) -> None:
        """Requests cancellation of a call by its id."""
        integer(call_id, "call_id", 0, 2**32 - 1)
        try:
            checked(library.gcr_cancel, self._own(), call_id)
        except CruxError as error:
            if not (missing_ok and error.status == CALL_NOT_FOUND):
                raise

    def stats(self) -> Stats:
        """Numbers of the engine, exact when nothing runs."""
        stats = Stats()
        checked(library.gcr_stats, self._own(), ctypes.byref(stats))
        return stats

    def close(self) -> None:
        """Stops the engine, and what runs on it; harmless if repeated. Its calls and handles are of no use
        afterwards."""
        raw, self._raw = self._raw, None
        _open.discard(self)
        if not raw:
            return
        if getattr(_callback, "depth", 0) > 0 and self._print is not None:
            # It is not waited for callbacks then: this one and others may be running.
            _running.append(self._print)
        library.gcr_engine_free(raw)


def _listen(call: Call, signal: AbortSignal) -> None:
    # A signal outlives its calls: it keeps none of them.
    weak = weakref.ref(call)

    def abort() -> None:
        known = weak()
        if known is not None and known._raw:
            known.cancel()

    call._forget = lambda: signal.remove_listener(abort)
    signal.add_listener(abort)


def _printer(on_print: Optional[Callable], on_log: Optional[Callable]) -> Any:
    if on_print is None and on_log is None:
        return None

    def line(_user: Any, level: int, at: int, length: int) -> None:
        _callback.depth = getattr(_callback, "depth", 0) + 1
        try:
            text = ctypes.string_at(at, length).decode()
            if level == 0:
                if on_print is not None:
                    on_print(text)
            elif on_log is not None:
                on_log(_LEVELS[level], text)
        finally:
            _callback.depth -= 1

    return Print(line)


@atexit.register
def _close_all() -> None:
    for engine in list(_open):
        if engine._process == os.getpid():
            engine.close()
