"""Arrays as strict as CuPy's, without a GPU: nothing becomes NumPy's without being asked."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any, cast

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from droneseg.engines.onnxruntime import OnnxRuntimeEngine
from droneseg.mode import Precision

# NumPy's functions that CuPy has, with the keywords that it takes (read in CuPy 14.2).
FUNCTIONS: dict[str, set[str]] = {
    "any": {"axis", "out", "keepdims"},
    "clip": {"out"},
    "copyto": {"casting", "where"},
    "flip": {"axis"},
    "moveaxis": set(),
    "where": set(),
    "zeros_like": {"dtype", "order", "shape"},
}
UFUNCS = {
    *("absolute", "add", "divide", "exp", "greater", "greater_equal", "invert", "less"),
    *("maximum", "minimum", "multiply", "negative", "rint", "subtract"),
}
Scalar = (bool, int, float, np.generic)


class Transfers:
    """What went up to the device and came down from it, as dtypes and sizes in bytes."""

    def __init__(self) -> None:
        self.up: list[tuple[str, int]] = []
        self.down: list[tuple[str, int]] = []


class DeviceArray(NDArrayOperatorsMixin):
    """What of cupy.ndarray the pipeline may use."""

    def __init__(self, values: NDArray[Any], transfers: Transfers):
        self.values = values
        self._transfers = transfers
        self.shape = values.shape
        self.dtype = values.dtype
        self.ndim = values.ndim
        self.size = values.size
        self.nbytes = values.nbytes

    def __array__(self, *_: object, **__: object) -> NDArray[Any]:
        raise TypeError("implicit conversion to a NumPy array is not allowed")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        out = options.pop("out", None)
        if method != "__call__" or ufunc.__name__ not in UFUNCS or options:
            return NotImplemented
        if out is None:
            return self._wrap(ufunc(*map(_bare, inputs)))
        (target,) = out
        ufunc(*map(_bare, inputs), out=_bare(target))
        return target

    def __array_function__(self, func: Any, types: Any, args: Any, options: Any) -> Any:
        if func.__name__ not in FUNCTIONS or not options.keys() <= FUNCTIONS[func.__name__]:
            return NotImplemented
        plain = {name: _option(value) for name, value in options.items()}
        result = func(*map(_option, args), **plain)
        return None if result is None else self._wrap(result)

    def __getitem__(self, index: Any) -> "DeviceArray":
        return self._wrap(self.values[_index(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        self.values[_index(index)] = _bare(value)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator["DeviceArray"]:
        return (self[index] for index in range(len(self)))

    def __bool__(self) -> bool:
        raise AssertionError("this would wait for the GPU")

    __float__ = __int__ = __index__ = __bool__

    def get(self) -> NDArray[Any]:
        self._transfers.down.append((self.dtype.name, self.values.nbytes))
        return self.values.copy()

    def reshape(self, *shape: int) -> "DeviceArray":
        return self._wrap(self.values.reshape(*shape))

    def astype(self, dtype: Any) -> "DeviceArray":
        return self._wrap(self.values.astype(dtype))

    def copy(self) -> "DeviceArray":
        return self._wrap(self.values.copy())

    def max(self, axis: int) -> "DeviceArray":
        return self._wrap(self.values.max(axis))

    def sum(self, axis: int) -> "DeviceArray":
        return self._wrap(self.values.sum(axis))

    def mean(self, axis: int) -> "DeviceArray":
        return self._wrap(self.values.mean(axis))

    def _wrap(self, values: Any) -> "DeviceArray":
        return DeviceArray(np.asarray(values), self._transfers)


def _bare(value: Any) -> Any:
    """What is computed with: arrays of the device, and single numbers."""
    if isinstance(value, DeviceArray):
        return value.values
    if isinstance(value, Scalar):
        return value
    raise TypeError(f"unsupported type {type(value)}")


def _option(value: Any) -> Any:
    """An argument of a function: what is computed with, or says how."""
    return value if value is None or isinstance(value, type | str | tuple) else _bare(value)


def _index(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(map(_index, index))
    if isinstance(index, DeviceArray):
        assert index.dtype == bool
        return index.values
    assert index is None or index is Ellipsis or isinstance(index, int | slice), index
    return index


class DeviceLibrary:
    """What of the module cupy the pipeline may use."""

    def __init__(self) -> None:
        self.transfers = Transfers()

    def empty(self, shape: Any, dtype: Any) -> DeviceArray:
        return DeviceArray(np.full(shape, 99, dtype), self.transfers)

    def zeros(self, shape: Any, dtype: Any) -> DeviceArray:
        return DeviceArray(np.zeros(shape, dtype), self.transfers)

    def asarray(self, array: NDArray[Any]) -> DeviceArray:
        assert isinstance(array, np.ndarray)
        self.transfers.up.append((array.dtype.name, array.nbytes))
        return DeviceArray(array.copy(), self.transfers)


class DeviceEngine:
    """ONNX Runtime behind arrays of the device."""

    name = "device"
    precision: Precision = "fp32"

    def __init__(self, engine: OnnxRuntimeEngine, library: DeviceLibrary, batch_pixels: int):
        self._engine = engine
        self.xp = cast(ModuleType, library)
        self.batch_pixels = batch_pixels
        # How much had come down when each batch was sent.
        self.down: list[int] = []
        self._transfers = library.transfers

    def run(self, tiles: Any, out: Any) -> None:
        for array in (tiles, out):
            assert isinstance(array, DeviceArray)
            assert array.values.flags.c_contiguous
            assert array.dtype == np.float32
        self.down.append(len(self._transfers.down))
        self._engine.run(tiles.values, out.values)
