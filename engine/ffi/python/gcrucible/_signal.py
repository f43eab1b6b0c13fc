"""Cancellation by a controller, as in JavaScript."""

from __future__ import annotations

import ctypes
import threading
from typing import Callable

_Nothing = ctypes.CFUNCTYPE(None)


def report(error: BaseException, where: Callable) -> None:
    """Gives an exception that nobody can catch to ``sys.unraisablehook``."""

    def listener_failed() -> None:
        raise error

    listener_failed.__qualname__ = f"{getattr(where, '__qualname__', where)!s}"
    # What is raised out of a callback of C goes there, with all that the hook is due.
    _Nothing(listener_failed)()


class AbortSignal:
    """What an :class:`AbortController` tells its listeners."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._aborted = False
        self._listeners: list = []

    @property
    def aborted(self) -> bool:
        """Whether ``abort`` was called."""
        return self._aborted

    def add_listener(self, listener: Callable[[], object]) -> None:
        """Calls ``listener`` once, at ``abort``; at once if that was before. What it raises goes to
        ``sys.unraisablehook``."""
        with self._lock:
            if not self._aborted:
                self._listeners.append(listener)
                return
        _tell([listener])

    def remove_listener(self, listener: Callable[[], object]) -> None:
        """Does not call ``listener``; harmless if it would not be called."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)


class AbortController:
    """Cancels every call that was started with its ``signal``, as in JavaScript."""

    def __init__(self) -> None:
        self.signal = AbortSignal()

    def abort(self) -> None:
        """Cancels; harmless if repeated. Every listener is told, whatever others raise: that goes to
        ``sys.unraisablehook``. Ctrl-C among them is raised when all have been told."""
        with self.signal._lock:
            self.signal._aborted = True
            listeners, self.signal._listeners = self.signal._listeners, []
        _tell(listeners)


def _tell(listeners: list) -> None:
    stop = None
    for listener in listeners:
        try:
            listener()
        except Exception as error:
            report(error, listener)
        except BaseException as error:
            stop = stop or error
    if stop is not None:
        raise stop
