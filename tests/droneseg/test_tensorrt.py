"""Engines are built for real, without a GPU. What runs them there is not tested here."""

import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from onnx import ModelProto, helper

from droneseg import cache
from droneseg.bundle import Bundle
from droneseg.engines import open_engine, unusable
from droneseg.engines.gpu import CudaGraphs
from droneseg.engines.tensorrt_build import (
    EngineBuild,
    largest_batch,
    targets,
    tensorrt,
    trt_logger,
)
from droneseg.errors import EngineFailed, EngineNotInstalled

trt = pytest.importorskip("tensorrt_rtx", reason="there are wheels for Linux and Windows alone")


@pytest.fixture
def build(two_folds_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineBuild:
    """A small model, and an empty cache."""
    monkeypatch.setenv("DRONESEG_CACHE", str(tmp_path / "cache"))
    return EngineBuild.of(two_folds_bundle.model_path(), "fp16", "SM89")


def parsed(build: EngineBuild) -> Any:
    builder = trt.Builder(trt_logger())
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, trt_logger())
    assert parser.parse(build.onnx)
    return [network.get_layer(index) for index in range(network.num_layers)], parser


def test_tensorrt_takes_the_types_of_the_model(default_bundle: Bundle) -> None:
    layers, _parser = parsed(EngineBuild.of(default_bundle.model_path(), "fp16", "SM89"))
    computed = {
        kind: {layer.get_output(0).dtype for layer in layers if layer.type == kind}
        for kind in (
            trt.LayerType.CONVOLUTION,
            trt.LayerType.DECONVOLUTION,
            trt.LayerType.NORMALIZATION,
        )
    }
    assert computed == {
        trt.LayerType.CONVOLUTION: {trt.DataType.HALF},
        trt.LayerType.DECONVOLUTION: {trt.DataType.HALF},
        trt.LayerType.NORMALIZATION: {trt.DataType.FLOAT},
    }


def test_an_engine_is_built_once(build: EngineBuild, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def accept(serialized: bytes | memoryview) -> bool:
        seen.append(bytes(serialized))
        return True

    assert build.open(accept)
    assert build.path.is_file()
    monkeypatch.setattr(EngineBuild, "build", lambda _: pytest.fail("it was built again"))
    assert build.open(accept)
    first, second = seen
    assert first == second


def test_a_damaged_engine_is_built_again(
    build: EngineBuild, caplog: pytest.LogCaptureFixture
) -> None:
    build.open(lambda _: True)
    content = bytearray(build.path.read_bytes())
    content[len(content) // 2] ^= 1
    build.path.write_bytes(content)
    opened = build.open(bytes)
    assert "it is built again" in caplog.text
    assert bytes(cache.load(build.path) or b"") == opened != content[cache.SEAL_BYTES :]


def test_an_engine_that_does_not_fit_is_built_again(
    build: EngineBuild, caplog: pytest.LogCaptureFixture
) -> None:
    cache.store(build.path, b"of another driver")
    opened = build.open(lambda s: None if bytes(s) == b"of another driver" else "opened")
    assert opened == "opened"
    assert "does not fit this machine" in caplog.text
    assert bytes(cache.load(build.path) or b"") not in {b"", b"of another driver"}


def test_an_engine_just_built_that_does_not_fit_is_an_error(build: EngineBuild) -> None:
    with pytest.raises(EngineFailed, match="cannot load the engine that it has built"):
        build.open(lambda _: None)


def test_an_engine_belongs_to_all_that_it_depends_on(
    build: EngineBuild, one_axis_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [
        replace(build, target="SM120"),
        EngineBuild.of(build.model_path, "fp32", build.target),
        EngineBuild.of(one_axis_bundle.model_path(), "fp16", build.target),
    ]
    paths = {build.path, *(other.path for other in others)}
    monkeypatch.setattr(tensorrt(), "__version__", "1.8.0.1")
    assert len(paths | {build.path}) == 5


def test_the_largest_batch_is_bounded_in_pixels() -> None:
    assert largest_batch(384, 384) == 8
    assert largest_batch(1024, 1024) == 1
    assert largest_batch(4096, 4096) == 1


def test_what_tensorrt_cannot_read_is_said(
    build: EngineBuild, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = ModelProto.FromString(build.onnx)
    model.graph.node.append(helper.make_node("Det", [model.graph.node[0].input[0]], ["d"]))
    unreadable = replace(build, onnx=model.SerializeToString())
    with pytest.raises(EngineFailed, match=r"tensorrt_rtx cannot read .*model.onnx: .*Det"):
        unreadable.build()
    assert any(
        record.levelno >= logging.WARNING and record.message.startswith("TensorRT: ")
        for record in caplog.records
    )


def test_targets_are_those_of_this_version() -> None:
    assert {"SM89", "SM120"} <= set(targets())


def test_without_a_gpu_the_reason_is_said(two_folds_bundle: Bundle) -> None:
    reason = unusable("tensorrt")
    assert reason is not None
    assert "CuPy is not installed" in reason or "there is no NVIDIA GPU" in reason
    with pytest.raises(EngineNotInstalled, match="the runtime tensorrt cannot be used: "):
        open_engine(two_folds_bundle, runtime="tensorrt")


@pytest.fixture
def other_tensorrt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of that name, to write a version into."""
    package = tmp_path / "tensorrt"
    package.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    yield package / "__init__.py"
    sys.modules.pop("tensorrt", None)


@pytest.mark.parametrize("version", ["10.13.3.9.post1", "10.16.1.11", "11.4.0.106"])
def test_tensorrt_comes_before_tensorrt_rtx(other_tensorrt: Path, version: str) -> None:
    other_tensorrt.write_text(f"__version__ = '{version}'")
    assert tensorrt.__wrapped__().__name__ == "tensorrt"


@pytest.mark.parametrize("version", ["8.6.1", "10.12.0.36", "12.0.0.1"])
def test_other_releases_are_refused(other_tensorrt: Path, version: str) -> None:
    other_tensorrt.write_text(f"__version__ = '{version}'")
    with pytest.raises(EngineNotInstalled, match=f"TensorRT {version} is not supported"):
        tensorrt.__wrapped__()


class RecordedStream:
    """A stream that notes what was sent to it, and captures that as CUDA does: without doing it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self._captured: list[str] | None = None

    def send(self, work: str) -> None:
        (self.done if self._captured is None else self._captured).append(work)

    def begin_capture(self) -> None:
        assert self._captured is None
        self._captured = []

    def end_capture(self) -> "RecordedGraph":
        assert self._captured is not None
        work, self._captured = self._captured, None
        return RecordedGraph(work)


class RecordedGraph:
    def __init__(self, work: list[str]):
        self._work = work

    def launch(self, stream: RecordedStream) -> None:
        for work in self._work:
            stream.send(f"graph of {work}")


def test_what_comes_again_is_launched_as_a_graph() -> None:
    stream = RecordedStream()
    graphs = CudaGraphs(stream, most=2)
    for key in (1, 1, 2, 1, 3, 1, 2):
        graphs.launch((key,), lambda key=key: stream.send(str(key)))  # type: ignore[misc]
    # With the third the first, the oldest, went.
    assert stream.done == ["1", "graph of 1", "2", "graph of 1", "3", "1", "2"]


def test_a_failed_capture_ends() -> None:
    stream = RecordedStream()
    graphs = CudaGraphs(stream)
    sent: list[int] = []

    def send() -> None:
        sent.append(1)
        if len(sent) == 2:
            raise EngineFailed("no")

    with pytest.raises(EngineFailed):
        graphs.launch((1,), send)
    graphs.launch((1,), lambda: stream.send("1"))
    assert stream.done == ["1"]
