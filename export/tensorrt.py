"""Build a bundle's TensorRT engines ahead of time, so that a GPU image builds none at its start."""

import argparse
from pathlib import Path

from droneseg import cache
from droneseg.bundle import Bundle, find_bundle
from droneseg.engines.gpu import compute_capability, no_gpu
from droneseg.engines.tensorrt_build import EngineBuild, is_rtx, targets, tensorrt
from droneseg.engines.typed_onnx import typed_onnx
from export.errors import ExportError

# Cloud Run's GPUs: L4 and RTX PRO 6000.
DEFAULT_TARGETS: tuple[str, ...] = ("SM89", "SM120")
BYTES_PER_MB = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("bundle", type=Path, help="a bundle, or its name below models/")
    parser.add_argument(
        "--precision",
        choices=("fp16", "fp32"),
        default="fp16",
        help="default: %(default)s, with float32 norms, which is what engines are opened in",
    )
    parser.add_argument(
        "--targets",
        type=lambda names: tuple(names.split(",")),
        metavar="SM89,SM120",
        help="compute capabilities of GPUs, which need not be here; default: "
        f"{','.join(DEFAULT_TARGETS)}, or with TensorRT, which needs it, the GPU at hand",
    )


def run(options: argparse.Namespace) -> int:
    """Build into the cache what is not there yet.

    Raises:
        ExportError: engines cannot be built for a target.
        EngineNotInstalled, EngineFailed: TensorRT is not installed, or cannot build.
    """
    bundle = Bundle.load(find_bundle(options.bundle))
    capabilities = _checked(options.targets)
    for index in range(len(bundle.plan.members)):
        model_path = bundle.model_path(index)
        onnx = typed_onnx(model_path, options.precision)
        for target in capabilities:
            _build(EngineBuild(model_path, options.precision, onnx, target))
    trt = tensorrt()
    print(
        f"{cache.cache_folder('tensorrt')}: for {trt.__name__} {trt.__version__} alone. An image "
        f"finds them where DRONESEG_CACHE names its copy of {cache.cache_root()}"
    )
    return 0


def _build(build: EngineBuild) -> None:
    serialized = cache.load(build.path)
    if serialized is None:
        serialized = memoryview(build.build())
        if not cache.store(build.path, serialized):
            raise ExportError(f"{build.path} cannot be written; DRONESEG_CACHE names a folder")
    size = serialized.nbytes / BYTES_PER_MB
    print(f"{build.model_path.name}, {build.target}, {build.precision}: {size:.1f} MB")


def _checked(wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    """The targets to build for.

    Raises:
        ExportError: one is not among those that can be built for.
    """
    if is_rtx():
        possible, default = targets(), DEFAULT_TARGETS
    else:
        reason = no_gpu()
        if reason:
            raise ExportError(f"TensorRT builds for the GPU at hand, but {reason}")
        possible = default = (compute_capability(),)
    for name in wanted or ():
        if name not in possible:
            raise ExportError(
                f"{tensorrt().__name__} cannot build for '{name}' here, but for "
                f"{', '.join(possible)}"
            )
    return wanted or default
