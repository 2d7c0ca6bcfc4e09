"""The compiled winograd.c, and its structures."""

import ctypes
from enum import IntEnum
from functools import cache
from pathlib import Path

# Compiled by hatch_build.py when DroneSeg is installed.
PATH = Path(__file__).with_name("libwinograd.so")
# Of what both sides must agree on; as in winograd.c.
VERSION = 2


class Computation(IntEnum):
    """`enum kind`."""

    WINOGRAD = 0
    DIRECT = 1
    TRANSPOSED = 2
    HEAD = 3
    SUM = 4


class Source(ctypes.Structure):
    """`struct source`."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("data", "scale", "shift")),
        ("slope", ctypes.c_float),
        ("channels", ctypes.c_int32),
    ]


class Step(ctypes.Structure):
    """`struct step`, where its fields are explained."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("kind", "planar", "sources", "depth")),
        ("source", Source * 2),
        *(
            (name, ctypes.c_int32)
            for name in (
                "in_height", "in_width", "out_height", "out_width", "channels", "heads", "vectors",
                "kernel_height", "kernel_width", "stride_height", "stride_width", "pad_height",
                "pad_width", "block", "blocks", "splits", "adds", "mirror_rows", "mirror_columns",
            )
        ),
        *(
            (name, ctypes.c_void_p)
            for name in (
                "weights", "units", "bias", "out", "moments", "counts", "gamma", "beta", "scale",
                "shift",
            )
        ),
        ("epsilon", ctypes.c_double),
        ("largest", ctypes.c_float),
    ]  # fmt: skip


@cache
def library() -> ctypes.CDLL:
    """The library.

    Raises:
        OSError: it was not built, for another machine, or of other sources than these.
    """
    loaded = ctypes.CDLL(str(PATH))
    pointer, number = ctypes.c_void_p, ctypes.c_int
    built = [getattr(loaded, f"winograd_{name}", int)() for name in ("version", "step_bytes")]
    if built != [VERSION, ctypes.sizeof(Step)]:
        raise OSError(f"{PATH.name} is of another version: install DroneSeg again")
    loaded.winograd_new.argtypes, loaded.winograd_new.restype = (
        [number, number, ctypes.c_int64],
        pointer,
    )
    loaded.winograd_free.argtypes, loaded.winograd_free.restype = [pointer], None
    loaded.winograd_run.argtypes = [pointer, ctypes.POINTER(Step), number, pointer]
    loaded.winograd_run.restype = None
    return loaded
