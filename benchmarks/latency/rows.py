"""Rows: the ways to run a model that are compared, and why one cannot be run here."""

from dataclasses import dataclass
from importlib.util import find_spec

from benchmarks.machine import gpu
from droneseg.engines import unusable
from droneseg.machine import has_bfloat16, has_vnni
from droneseg.mode import Mode, Precision

REFERENCE = "nnunet"


@dataclass(frozen=True)
class Row:
    """One way to run a model.

    Attributes:
        title: for people.
        runtime: of droneseg, the best if None; or None beside `compiled` for nnUNetPredictor.
        precision: what the network computes in; the mode's own if None.
        mode: of the Predictor.
        compiled: for nnUNetPredictor, whether by torch.compile; None for a Predictor.
    """

    title: str
    runtime: str | None = None
    precision: Precision | None = None
    mode: Mode = "exact"
    compiled: bool | None = None

    @property
    def is_nnunet(self) -> bool:
        """Whether nnU-Net's own predictor runs it."""
        return self.compiled is not None

    def unusable(self) -> str | None:
        """Why this machine cannot run it; None if it can."""
        if self.is_nnunet:
            missing = [name for name in ("torch", "nnunetv2") if find_spec(name) is None]
            return f"{missing[0]} is not installed" if missing else None
        reason = unusable(self.runtime) if self.runtime else None
        if reason is None and self.precision == "bf16" and not has_bfloat16():
            return "the processor does not multiply bfloat16"
        if reason is None and self.precision == "int16" and not has_vnni():
            return "the processor has no AVX-512 VNNI"
        return reason


ROWS = {
    REFERENCE: Row("nnUNetPredictor", compiled=False),
    "torch-compile": Row("nnUNetPredictor, torch.compile", compiled=True),
    "onnxruntime": Row("ONNX Runtime CPU", "onnxruntime", "fp32"),
    "winograd": Row("DroneSeg's own, f32", "winograd", "fp32"),
    "winograd-int16": Row("DroneSeg's own, int16", "winograd", "int16"),
    "openvino-fp32": Row("OpenVINO f32", "openvino", "fp32"),
    "openvino-bf16": Row("OpenVINO bf16", "openvino", "bf16"),
    "onnxruntime-cuda": Row("ONNX Runtime CUDA", "onnxruntime-cuda", "fp32"),
    "tensorrt-fp32": Row("TensorRT fp32", "tensorrt", "fp32"),
    "tensorrt-fp16": Row("TensorRT fp16", "tensorrt", "fp16"),
    "fast": Row("DroneSeg, fast mode", mode="fast"),
}


def torch_device() -> str:
    """Where nnUNetPredictor runs: nnU-Net takes a GPU where there is one."""
    return "cuda" if gpu() else "cpu"
