"""The winograd engine against ONNX Runtime, on every architecture that nnU-Net plans."""

import os
import platform
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from benchmarks.bundles import write_bundle
from benchmarks.random_model import TrainedFolder
from droneseg.bundle import Bundle
from droneseg.engines import open_engine, unusable
from droneseg.engines.onnxruntime import OnnxRuntimeEngine
from droneseg.engines.winograd import engine as winograd
from droneseg.engines.winograd import library
from droneseg.engines.winograd.engine import WinogradEngine
from droneseg.engines.winograd.weights import SUM_MAX, Integers
from droneseg.errors import EngineFailed, EngineNotInstalled
from droneseg.machine import float32_lanes, has_vnni
from droneseg.mode import Precision
from tests import CORES

pytestmark = pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"),
    reason="the winograd engine is for Linux on x86-64",
)

# Odd sizes further down: tiles of 4 x 4 and blocks of rows end beyond the border.
UNEVEN = TrainedFolder(patch_size=(52, 124), features=(20, 36, 72))
KINDS = {
    "plain": UNEVEN,
    "folds": replace(UNEVEN, folds=("0", "1", "2")),
    "residual": replace(UNEVEN, architecture="ResidualEncoderUNet"),
    "preset": replace(UNEVEN, architecture="ResidualEncoderUNet preset"),
    "anisotropic": replace(UNEVEN, architecture="PlainConvUNet anisotropic"),
    "batch norm": replace(UNEVEN, architecture="PlainConvUNet BatchNorm"),
    "many classes": replace(UNEVEN, classes=("background", *(f"class {i}" for i in range(40)))),
    "one channel": replace(UNEVEN, channel_names=("R",), features=(16, 32)),
}
LANES = [lanes for lanes in (8, 16) if lanes <= float32_lanes()]
PRECISIONS: list[Precision] = ["fp32", "int16"] if has_vnni() else ["fp32"]
needs_vnni = pytest.mark.skipif(not has_vnni(), reason="the processor has no AVX-512 VNNI")


@pytest.fixture(scope="module", params=KINDS)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_bundle(KINDS[request.param], tmp_path_factory.mktemp("kind"), "bundle")


def logits(engine: WinogradEngine | OnnxRuntimeEngine, bundle: Bundle) -> NDArray[np.float32]:
    """Of two tiles, one of which is mostly padding."""
    member = bundle.plan.members[0]
    shape = (2, len(member.channels), *member.patch_size)
    tiles = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    tiles[1, :, 20:] = 0
    out = np.empty((2, bundle.plan.num_segmentation_heads, *member.patch_size), np.float32)
    engine.run(tiles, out)
    return out


@pytest.mark.parametrize("lanes", LANES)
def test_logits_are_those_of_onnx_runtime(
    bundle: Bundle, lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "float32_lanes", lambda: lanes)
    expected = logits(OnnxRuntimeEngine(bundle.model_path()), bundle)
    found = logits(WinogradEngine(bundle.model_path()), bundle)
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


@needs_vnni
def test_logits_of_integers_are_close_to_them(bundle: Bundle) -> None:
    expected = logits(OnnxRuntimeEngine(bundle.model_path()), bundle)
    found = logits(WinogradEngine(bundle.model_path(), precision="int16"), bundle)
    assert np.abs(found - expected).max() < 5e-3 * np.abs(expected).max()


def test_no_sum_of_integers_can_overflow() -> None:
    rng = np.random.default_rng(0)
    some = rng.normal(0, 1, (36, 32, 16))
    some[:, :, 3] = 0
    for kernels in (np.ones((1, 4608, 1)), rng.uniform(0.9, 1, (36, 1024, 16)), some):
        integers = Integers.of(kernels.astype(np.float32))
        weights = integers.pairs[..., None].view(np.int16).swapaxes(2, 3).reshape(kernels.shape)
        sums = np.abs(weights.astype(np.int64)).sum(axis=1)
        assert (sums * integers.largest <= SUM_MAX).all()
        # Nor are they smaller than they need be.
        largest = np.abs(kernels).max(axis=1, keepdims=True)
        assert (np.abs(weights * integers.units - kernels) <= largest / 300).all()


@needs_vnni
@pytest.mark.parametrize("operator", ["Conv", "Conv, strided", "ConvTranspose"])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_sums_are_right(operator: str, sign: int, tmp_path: Path) -> None:
    """All weights are equal, and so are all inputs."""
    path = one_operation(operator, sign, tmp_path)
    tiles = np.full((1, 64, 48, 48), 3.7, np.float32)
    shape = {"Conv": 48, "Conv, strided": 24, "ConvTranspose": 96}[operator]
    expected, found = (np.empty((1, 64, shape, shape), np.float32) for _ in range(2))
    OnnxRuntimeEngine(path).run(tiles, expected)
    WinogradEngine(path, precision="int16").run(tiles, found)
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 * np.abs(expected).max())


def one_operation(operator: str, sign: int, folder: Path) -> Path:
    """A model that adds up all it is given; the convolutions around it change nothing."""
    name, _, strided = operator.partition(", ")
    same = np.eye(64, dtype=np.float32).reshape(64, 64, 1, 1)
    taps = 3 if name == "Conv" else 2
    plain: dict[str, Any] = {"kernel_shape": [1, 1], "strides": [1, 1]}
    own: dict[str, Any] = {
        "kernel_shape": [taps] * 2,
        "strides": [2 if strided or taps == 2 else 1] * 2,
    }
    if name == "Conv":
        own["pads"] = [1] * 4
    weights = {"same": same, "all": np.full((64, 64, taps, taps), sign * 0.01, np.float32)}
    return save_model(
        [
            helper.make_node("Conv", ["tiles", "same"], ["a"], **plain),
            helper.make_node(name, ["a", "all"], ["b"], **own),
            helper.make_node("Conv", ["b", "same"], ["logits"], **plain),
        ],
        (64, 48, 48),
        weights,
        folder / "one.onnx",
    )


@needs_vnni
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_a_number_is_not_hidden(value: float, tmp_path: Path) -> None:
    tiles = np.ones((1, 64, 48, 48), np.float32)
    tiles[0, 5, 20, 20] = value
    for operator, size in (("Conv", 48), ("Conv, strided", 24), ("ConvTranspose", 96)):
        logits = np.empty((1, 64, size, size), np.float32)
        WinogradEngine(one_operation(operator, 1, tmp_path), precision="int16").run(tiles, logits)
        middle = size * 20 // 48
        assert not np.isfinite(logits[0, :, middle, middle]).any()


def test_norms_are_accurate_on_tiles_of_padding(tmp_path: Path) -> None:
    """Equal values add up to rounding errors where they are added one after the other."""
    rng = np.random.default_rng(0)
    x = np.full((1, 16, 384, 384), 0.7123, np.float32)
    x[:, :, :150] = rng.normal(0.7, 0.5, (1, 16, 150, 384))
    exact = x.astype(np.float64)
    exact -= exact.mean(axis=(2, 3), keepdims=True)
    exact /= np.sqrt(exact.var(axis=(2, 3), keepdims=True) + 1e-5)
    for kernel in (1, 3):
        y = np.empty_like(x)
        WinogradEngine(norm_between_convolutions(x.shape, kernel, tmp_path)).run(x, y)
        assert np.abs(y - exact).max() < 2e-5


def norm_between_convolutions(shape: tuple[int, ...], kernel: int, folder: Path) -> Path:
    """A model of one InstanceNormalization; the convolutions change nothing."""
    channels = shape[1]
    same = np.eye(channels, dtype=np.float32).reshape(channels, channels, 1, 1)
    pad = kernel // 2
    weights = {
        "same": same,
        "wide": np.pad(same, ((0, 0), (0, 0), (pad, pad), (pad, pad))),
        "ones": np.ones(channels, np.float32),
        "zeros": np.zeros(channels, np.float32),
    }
    plain: dict[str, Any] = {"kernel_shape": [1, 1], "strides": [1, 1]}
    wide: dict[str, Any] = {"kernel_shape": [kernel] * 2, "strides": [1, 1], "pads": [pad] * 4}
    return save_model(
        [
            helper.make_node("Conv", ["tiles", "same"], ["a"], **plain),
            helper.make_node("Conv", ["a", "wide"], ["b"], **wide),
            helper.make_node("InstanceNormalization", ["b", "ones", "zeros"], ["c"], epsilon=1e-5),
            helper.make_node("Conv", ["c", "same"], ["logits"], **plain),
        ],
        shape[1:],
        weights,
        folder / f"norm{kernel}.onnx",
    )


def save_model(
    nodes: list[onnx.NodeProto],
    shape: tuple[int, ...],
    weights: dict[str, NDArray[np.float32]],
    path: Path,
) -> Path:
    """A model of `tiles` of a shape, whose `logits` have as many channels."""
    logits: list[str | int | None] = ["batch", shape[0], None, None]
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("tiles", TensorProto.FLOAT, ["batch", *shape])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, logits)],
        [onnx.numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), path)
    return path


@pytest.fixture
def all_cores() -> Iterator[None]:
    """Threads run at the same time, also where tests have a core each."""
    if CORES is None:
        yield
        return
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES)
    yield
    os.sched_setaffinity(0, own)


@pytest.mark.usefixtures("all_cores")
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("threads", [2, 5])
def test_logits_do_not_depend_on_the_threads(
    bundle: Bundle, threads: int, precision: Precision
) -> None:
    alone = logits(WinogradEngine(bundle.model_path(), threads=1, precision=precision), bundle)
    together = WinogradEngine(bundle.model_path(), threads=threads, precision=precision)
    for _ in range(5):
        np.testing.assert_array_equal(logits(together, bundle), alone)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_mirror_images_are_those_of_mirrored_tiles(
    two_folds_bundle: Bundle, axes: tuple[int, ...], precision: Precision
) -> None:
    engine = WinogradEngine(two_folds_bundle.model_path(), precision=precision)
    tiles = np.random.default_rng(0).normal(0, 1, (2, 3, 64, 48)).astype(np.float32)
    expected, mirrored, sums = (np.full((2, 4, 64, 48), 0.5, np.float32) for _ in range(3))
    flipped = tuple(axis + 2 for axis in axes)
    engine.run(np.ascontiguousarray(np.flip(tiles, flipped)), mirrored)
    expected += np.flip(mirrored, flipped)
    engine.add_mirrored(tiles, sums, axes)
    np.testing.assert_allclose(sums, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("tiles", "out"),
    [
        (np.zeros((1, 3, 64, 44), np.float32), np.zeros((1, 4, 64, 44), np.float32)),
        (np.zeros((1, 3, 64, 48), np.float32), np.zeros((1, 3, 64, 48), np.float32)),
        (np.zeros((1, 3, 64, 48)), np.zeros((1, 4, 64, 48), np.float32)),
        (np.zeros((1, 3, 64, 48), np.float32)[..., ::-1], np.zeros((1, 4, 64, 48), np.float32)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    two_folds_bundle: Bundle, tiles: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    with pytest.raises(ValueError, match="must be contiguous float32"):
        WinogradEngine(two_folds_bundle.model_path()).run(tiles, out)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_is_told_to_open_its_own(two_folds_bundle: Bundle) -> None:
    engine = WinogradEngine(two_folds_bundle.model_path(), threads=2)
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            tiles = np.zeros((1, 3, 64, 48), np.float32)
            engine.run(tiles, np.zeros((1, 4, 64, 48), np.float32))
        except EngineFailed:
            os.write(writer, b"refused")
        finally:
            os._exit(0)
    os.close(writer)
    assert os.read(reader, 100) == b"refused"
    os.wait()


def test_a_library_of_other_sources_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "VERSION", 0)
    library.library.cache_clear()
    reason = unusable("winograd")
    assert reason is not None
    assert "install DroneSeg again" in reason
    monkeypatch.undo()
    assert unusable("winograd") is None


@needs_vnni
def test_of_zeros_come_the_biases(two_folds_bundle: Bundle) -> None:
    tiles = np.zeros((1, 3, 64, 48), np.float32)
    exact, whole = (np.empty((1, 4, 64, 48), np.float32) for _ in range(2))
    WinogradEngine(two_folds_bundle.model_path()).run(tiles, exact)
    WinogradEngine(two_folds_bundle.model_path(), precision="int16").run(tiles, whole)
    assert np.abs(whole - exact).max() < 1e-2 * np.abs(exact).max()


def test_fast_mode_takes_integers_where_the_processor_has_them(
    two_folds_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "has_vnni", lambda: False)
    assert open_engine(two_folds_bundle, runtime="winograd", mode="fast").precision == "fp32"
    with pytest.raises(EngineNotInstalled, match="no AVX-512 VNNI"):
        open_engine(two_folds_bundle, runtime="winograd", precision="int16")
    monkeypatch.undo()
    expected = "int16" if has_vnni() else "fp32"
    assert open_engine(two_folds_bundle, runtime="winograd", mode="fast").precision == expected
    assert open_engine(two_folds_bundle, runtime="winograd").precision == "fp32"


def test_it_does_not_compute_in_bfloat16(two_folds_bundle: Bundle) -> None:
    with pytest.raises(EngineNotInstalled, match="cannot compute in bf16"):
        open_engine(two_folds_bundle, runtime="winograd", precision="bf16")
    assert open_engine(two_folds_bundle, precision="bf16").name == "openvino-cpu"
