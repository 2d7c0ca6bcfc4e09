"""What this machine multiplies at the most: the peak that a network is held against."""

import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TypedDict

import numpy as np

from droneseg.machine import available_cores
from droneseg.mode import Precision

Product = Callable[[], object]


class Peak(TypedDict):
    """The best of all kernels."""

    gflops: float
    kernel: str


SIDE = 2048
# A convolution as in a U-Net: the kernels for these are tuned best.
CHANNELS, PIXELS, KERNEL = 256, 128, 3
MATMUL_GFLOP = 2 * SIDE**3 / 1e9
CONV_GFLOP = 2 * (CHANNELS * PIXELS * KERNEL) ** 2 / 1e9
REPEATS = 12


def measured_peaks(device: str) -> dict[str, Peak]:
    """The best GFLOP/s that any kernel at hand reaches in each precision, and which that is.

    Args:
        device: `cpu` or `cuda`.
    """
    peaks: dict[str, Peak] = {}
    for precision, kernel, gflop, product in _products(device):
        reached = gflop / _fastest_s(product)
        if precision not in peaks or reached > peaks[precision]["gflops"]:
            peaks[precision] = {"gflops": reached, "kernel": kernel}
    return peaks


def _fastest_s(product: Product) -> float:
    product()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        product()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _products(device: str) -> Iterator[tuple[Precision, str, float, Product]]:
    """Precision, kernel, GFLOP and what to call."""
    if device == "cpu":
        matrix = np.ones((SIDE, SIDE), np.float32)
        yield "fp32", "NumPy matmul", MATMUL_GFLOP, lambda: matrix @ matrix
        if find_spec("openvino"):
            yield from _openvino_products()
    if find_spec("torch"):
        yield from _torch_products(device)


def _torch_products(device: str) -> Iterator[tuple[Precision, str, float, Product]]:
    import torch

    precisions: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}
    if device == "cuda":
        precisions["fp16"] = torch.float16
    last = torch.channels_last
    for precision, dtype in precisions.items():
        matrix = torch.ones((SIDE, SIDE), dtype=dtype, device=device)
        image = torch.ones((1, CHANNELS, PIXELS, PIXELS), dtype=dtype, device=device)
        image = image.to(memory_format=last)
        weights = torch.ones((CHANNELS, CHANNELS, KERNEL, KERNEL), dtype=dtype, device=device)
        weights = weights.to(memory_format=last)

        def matmul(matrix: torch.Tensor = matrix) -> None:
            torch.mm(matrix, matrix)
            _wait(device)

        def convolution(image: torch.Tensor = image, weights: torch.Tensor = weights) -> None:
            torch.conv2d(image, weights, padding="same")
            _wait(device)

        yield precision, "PyTorch matmul", MATMUL_GFLOP, matmul
        yield precision, "PyTorch (oneDNN or cuDNN) convolution", CONV_GFLOP, convolution


def _wait(device: str) -> None:
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def _openvino_products() -> Iterator[tuple[Precision, str, float, Product]]:
    import openvino
    import openvino.opset13 as ops

    matrix = np.ones((SIDE, SIDE), np.float32)
    image = np.ones((1, CHANNELS, PIXELS, PIXELS), np.float32)
    weights = ops.constant(np.ones((CHANNELS, CHANNELS, KERNEL, KERNEL), np.float32))
    precisions: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16"}
    for precision, hint in precisions.items():
        options = {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": available_cores(),
            "NUM_STREAMS": 1,
        }
        for kernel, gflop, array in (
            ("OpenVINO matmul", MATMUL_GFLOP, matrix),
            ("OpenVINO convolution", CONV_GFLOP, image),
        ):
            given = ops.parameter(array.shape, np.float32)
            one, same = [1, 1], [KERNEL // 2, KERNEL // 2]
            node = (
                ops.matmul(given, ops.constant(matrix), False, False)  # noqa: FBT003
                if array is matrix
                else ops.convolution(given, weights, one, same, same, one)
            )
            network = openvino.Core().compile_model(openvino.Model([node], [given]), "CPU", options)
            request = network.create_infer_request()
            request.set_input_tensor(openvino.Tensor(array, shared_memory=True))
            yield precision, kernel, gflop, request.infer
