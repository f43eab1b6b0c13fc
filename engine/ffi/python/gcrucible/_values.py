"""Values and errors, from Python to the C API and back."""

from __future__ import annotations

import ctypes
from typing import Any

from ._library import library

OK, TIMED_OUT, CANCELLED, NOT_DATA, CALL_NOT_FOUND = 0, 8, 11, 12, 6
_NIL, _BOOL, _INT, _FLOAT, _STRING, _ARRAY, _MAP = range(7)

#: Levels of lists and dicts within each other, at most.
LEVELS_MAX = 64


class CruxError(Exception):
    """What the engine refused or the program threw; ``status`` is the C API's code."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class CancelledError(CruxError):
    """The call was cancelled."""


def text_at(function, *args: Any) -> str:
    """The text that a function of the C API lends."""
    length = ctypes.c_size_t()
    at = function(*args, ctypes.byref(length))
    return ctypes.string_at(at, length.value).decode() if at else ""


def checked(function, *args: Any) -> None:
    """Calls a function whose last parameter is the error, and raises what it reports."""
    error = ctypes.c_void_p()
    status = function(*args, ctypes.byref(error))
    if status == OK:
        return
    message = text_at(library.gcr_error_message, error)
    library.gcr_error_free(error)
    if status == TIMED_OUT:
        raise TimeoutError(message)
    raise (CancelledError if status == CANCELLED else CruxError)(status, message)


def made(function, *args: Any) -> int:
    """What a function gives through its last parameter but one."""
    out = ctypes.c_void_p()
    checked(function, *args, ctypes.byref(out))
    assert out.value is not None, "what was made is somewhere"
    return out.value


def integer(value: Any, what: str, least: int, most: int) -> int:
    """An int of the C API's, which would cut it without a word."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} must be an int, not {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(f"{what} must be from {least} to {most}, not {value}")
    return value


def to_crux(value: Any, levels: int = 0) -> int:
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
        data = value.encode()
        return made(library.gcr_string, data, len(data))
    if not isinstance(value, (list, tuple, dict)):
        raise TypeError(f"{type(value).__name__} is no plain data")
    if levels >= LEVELS_MAX:
        raise ValueError("nested too deep to be plain data")
    whole = library.gcr_map() if isinstance(value, dict) else library.gcr_array()
    try:
        if isinstance(value, dict):
            for key, element in value.items():
                if not isinstance(key, str):
                    raise TypeError(f"a map's key must be a str, not {type(key).__name__}")
                data = key.encode()
                checked(library.gcr_map_set, whole, data, len(data), to_crux(element, levels + 1))
        else:
            for element in value:
                checked(library.gcr_array_push, whole, to_crux(element, levels + 1))
    except BaseException:
        library.gcr_value_free(whole)
        raise
    return whole


def to_python(value: int) -> Any:
    """What a value is in Python."""
    kind = library.gcr_kind(value)
    if kind == _BOOL:
        return library.gcr_as_bool(value)
    if kind == _INT:
        return library.gcr_as_int(value)
    if kind == _FLOAT:
        return library.gcr_as_float(value)
    if kind == _STRING:
        return text_at(library.gcr_as_string, value)
    parts = range(library.gcr_len(value)) if kind in (_ARRAY, _MAP) else ()
    if kind == _ARRAY:
        return [to_python(library.gcr_at(value, index)) for index in parts]
    if kind == _MAP:
        return {
            text_at(library.gcr_key_at, value, index): to_python(library.gcr_at(value, index))
            for index in parts
        }
    return None


def taken(value: int) -> Any:
    """The same for a value that belongs to us, which is freed."""
    try:
        return to_python(value)
    finally:
        library.gcr_value_free(value)
