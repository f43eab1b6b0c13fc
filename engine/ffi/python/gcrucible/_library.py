"""The shared library and the signatures of its functions."""

import ctypes
import os
import pathlib
import sys


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

#: ``GcrPrint``. Text comes as an address: ``c_char_p`` would cut it at a zero byte.
Print = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)

_pointer, _size = ctypes.c_void_p, ctypes.c_size_t
#: Bytes that are passed; their length comes next.
_bytes = ctypes.c_char_p
_out, _len = ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_size_t)
_int, _u32, _u64, _i64 = ctypes.c_int, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int64
_f64, _bool = ctypes.c_double, ctypes.c_bool

for _name, _result, *_parameters in [
    ("gcr_error_message", _pointer, _pointer, _len),
    ("gcr_error_free", None, _pointer),
    ("gcr_nil", _pointer),
    ("gcr_bool", _pointer, _bool),
    ("gcr_int", _pointer, _i64),
    ("gcr_float", _pointer, _f64),
    ("gcr_string", _int, _bytes, _size, _out, _out),
    ("gcr_array", _pointer),
    ("gcr_map", _pointer),
    ("gcr_array_push", _int, _pointer, _pointer, _out),
    ("gcr_map_set", _int, _pointer, _bytes, _size, _pointer, _out),
    ("gcr_kind", _int, _pointer),
    ("gcr_as_bool", _bool, _pointer),
    ("gcr_as_int", _i64, _pointer),
    ("gcr_as_float", _f64, _pointer),
    ("gcr_as_string", _pointer, _pointer, _len),
    ("gcr_len", _size, _pointer),
    ("gcr_at", _pointer, _pointer, _size),
    ("gcr_key_at", _pointer, _pointer, _size, _len),
    ("gcr_value_free", None, _pointer),
    ("gcr_options_new", _pointer),
    ("gcr_options_workers", _int, _pointer, _u32, _out),
    ("gcr_options_heap_limit", _int, _pointer, _u64, _out),
    ("gcr_options_heap_modes", _int, _pointer, _bytes, _size, _out),
    ("gcr_options_arg", _int, _pointer, _bytes, _size, _out),
    ("gcr_options_on_print", _int, _pointer, Print, _pointer, _out),
    ("gcr_options_allow_fs", _int, _pointer, _bytes, _size, _out),
    ("gcr_options_allow_net", _int, _pointer, _bytes, _size, _out),
    ("gcr_options_allow_env", _int, _pointer, _bytes, _size, _out),
    ("gcr_options_free", None, _pointer),
    ("gcr_engine_start", _int, _bytes, _size, _bytes, _size, _pointer, _out, _out),
    ("gcr_engine_wait", _int, _pointer, _i64, _out),
    ("gcr_engine_free", None, _pointer),
    ("gcr_cancel", _int, _pointer, _u32, _out),
    ("gcr_stats", _int, _pointer, ctypes.POINTER(Stats), _out),
    ("gcr_call", _int, _pointer, _u32, _bytes, _size, _pointer, _size, _out, _out),
    ("gcr_call_wait", _int, _pointer, _i64, _out),
    ("gcr_call_value", _int, _pointer, _out, _out),
    ("gcr_call_cancel", _int, _pointer, _out),
    ("gcr_call_free", None, _pointer),
    ("gcr_protect", _int, _pointer, _out, _out),
    ("gcr_handle_value", _int, _pointer, _out, _out),
    ("gcr_handle_type", _int, _pointer, _out, _out),
    ("gcr_handle_text", _int, _pointer, _out, _out),
    ("gcr_handle_equals", _int, _pointer, _pointer, ctypes.POINTER(_bool), _out),
    ("gcr_handle_count", _int, _pointer, ctypes.POINTER(_u32), _out),
    ("gcr_handle_arg", _int, _pointer, _out, _out),
    ("gcr_handle_call", _int, _pointer, _u32, _pointer, _size, _out, _out),
    ("gcr_handle_free", None, _pointer),
]:
    _function = getattr(library, _name)
    _function.restype = _result
    _function.argtypes = _parameters
