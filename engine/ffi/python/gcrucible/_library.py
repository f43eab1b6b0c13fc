"""The shared library and the signatures of its functions."""

import ctypes
import os
import pathlib
import sys


class Options(ctypes.Structure):
    """See ``GcrOptions`` in gcrucible.h."""

    _fields_ = [
        ("workers", ctypes.c_uint32),
        ("heap_limit_bytes", ctypes.c_uint64),
        ("heap_modes", ctypes.c_char_p),
    ]


class Stats(ctypes.Structure):
    """See ``GcrStats`` in gcrucible.h."""

    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            "active_futures",
            "open_calls",
            "protected_objects",
            "collections_minor",
            "collections_major",
            "used_bytes",
        )
    ]


def _load() -> ctypes.CDLL:
    name = {"darwin": "libgcrucible.dylib", "win32": "gcrucible.dll"}.get(sys.platform, "libgcrucible.so")
    path = os.environ.get("GCRUCIBLE_LIBRARY")
    if path is None:
        beside = pathlib.Path(__file__).parent / name
        path = str(beside) if beside.exists() else name
    try:
        return ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(
            f"cannot load {path}: {error}; build it with `cargo build -p gcrucible-ffi` and set GCRUCIBLE_LIBRARY"
        ) from error


library = _load()

_pointer, _text, _size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
_out = ctypes.POINTER(ctypes.c_void_p)
_int, _u32, _i64, _f64, _bool = ctypes.c_int, ctypes.c_uint32, ctypes.c_int64, ctypes.c_double, ctypes.c_bool

for _name, _result, *_parameters in [
    ("gcr_error_message", _text, _pointer),
    ("gcr_error_free", None, _pointer),
    ("gcr_nil", _pointer),
    ("gcr_bool", _pointer, _bool),
    ("gcr_int", _pointer, _i64),
    ("gcr_float", _pointer, _f64),
    ("gcr_string", _pointer, _text),
    ("gcr_array", _pointer),
    ("gcr_map", _pointer),
    ("gcr_array_push", _bool, _pointer, _pointer),
    ("gcr_map_set", _bool, _pointer, _text, _pointer),
    ("gcr_kind", _int, _pointer),
    ("gcr_as_bool", _bool, _pointer),
    ("gcr_as_int", _i64, _pointer),
    ("gcr_as_float", _f64, _pointer),
    ("gcr_as_string", _text, _pointer),
    ("gcr_len", _size, _pointer),
    ("gcr_at", _pointer, _pointer, _size),
    ("gcr_key_at", _text, _pointer, _size),
    ("gcr_value_free", None, _pointer),
    ("gcr_engine_new", _int, _text, _text, ctypes.POINTER(Options), _out, _out),
    ("gcr_engine_free", None, _pointer),
    ("gcr_cancel", _int, _pointer, _u32, _out),
    ("gcr_stats", Stats, _pointer),
    ("gcr_call", _int, _pointer, _u32, _text, _pointer, _size, _out, _out),
    ("gcr_call_wait", _int, _pointer, _i64, _out),
    ("gcr_call_value", _int, _pointer, _out, _out),
    ("gcr_call_free", None, _pointer),
    ("gcr_protect", _int, _pointer, _out, _out),
    ("gcr_handle_free", None, _pointer),
]:
    _function = getattr(library, _name)
    _function.restype = _result
    _function.argtypes = _parameters
