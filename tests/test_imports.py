"""The serving process must never load what only training, export or reports need."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "nnunetv2", "evidently", "pandas", "dvc", "drift", "export", "benchmarks")


@pytest.mark.parametrize("module", ["droneseg", "droneseg.cli", "droneseg.engines.onnxruntime"])
def test_droneseg_is_light(module: str) -> None:
    assert_light(module, also=("bentoml", "service", "httpx"))


def test_service_is_light() -> None:
    assert_light("service", also=("onnxruntime", "onnx"))


@pytest.mark.parametrize("module", ["onnxruntime", "openvino"])
def test_runtimes_keep_to_themselves_what_they_run(module: str) -> None:
    code = (
        f"import os, sys, droneseg.engines.{module}\n"
        "print(os.environ['ORT_DISABLE_TELEMETRY'], sys.modules['openvino_telemetry'])\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    told, loaded = done.stdout.splitlines()
    assert told == "1 None"
    assert not any(name.startswith("openvino_telemetry.") for name in loaded.split())


def assert_light(module: str, also: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {*HEAVY, *also}
