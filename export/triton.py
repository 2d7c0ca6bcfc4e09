"""Write a model repository for NVIDIA's Triton server, and a client that does the rest."""

import argparse
import shutil
from pathlib import Path

from droneseg.bundle import Bundle, find_bundle
from droneseg.plan import InferencePlan, Member
from export.errors import ExportError

CLIENT = Path(__file__).parent / "templates" / "triton_client.py"
MAX_BATCH_SIZE = 8
CONFIG = """\
# {source}
name: "{name}"
backend: "onnxruntime"
max_batch_size: {max_batch_size}
input [
  {{ name: "tiles" data_type: TYPE_FP32 dims: [ {channels}, {height}, {width} ] }}
]
output [
  {{ name: "logits" data_type: TYPE_FP32 dims: [ {heads}, {height}, {width} ] }}
]
dynamic_batching {{ }}
"""
README = """\
# {name} on Triton

The networks of the bundle `{name}`, for NVIDIA's Triton Inference Server:

    docker run --rm --gpus all -p 8000:8000 -e NVIDIA_TF32_OVERRIDE=0 -v "$PWD":/models \\
      nvcr.io/nvidia/tritonserver:YY.MM-py3 tritonserver --model-repository /models

The network alone is not nnU-Net: normalisation over the whole photo, windows, Gaussian weights,
mirroring and the label decision are around it. `client.py` lets `droneseg` do them:

    pip install droneseg "tritonclient[http]"
    python client.py path/to/{name} photo.jpg --url localhost:8000

TF32, the default of NVIDIA's convolutions, has 10 bits of mantissa: without it (as above) the
logits are those of float32. The client compares the server's logits with the bundle's probe tiles
before it predicts. On a CPU, Triton's ONNX Runtime backend adds up InstanceNormalization's means
less carefully than droneseg's own engine: logits of tiles that are mostly padding are off by up to
1e-4 of the largest.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("bundle", type=Path, help="a bundle, or its name below models/")
    parser.add_argument("--output", type=Path, required=True, help="the new model repository")


def run(options: argparse.Namespace) -> int:
    """Write the model repository.

    Raises:
        ExportError: the folder exists.
    """
    bundle = Bundle.load(find_bundle(options.bundle))
    if options.output.exists():
        raise ExportError(f"{options.output} exists; --output names a new folder")
    options.output.mkdir(parents=True)
    for member in bundle.plan.members:
        _write_model(bundle, member, options.output)
    shutil.copyfile(CLIENT, options.output / "client.py")
    (options.output / "README.md").write_text(
        README.format(name=bundle.plan.name), encoding="utf-8"
    )
    print(f"{options.output}: a model repository, its README.md says how to serve and use it")
    return 0


def _write_model(bundle: Bundle, member: Member, output: Path) -> None:
    name = Path(member.model).stem.replace("model", bundle.plan.name, 1)
    version = output / name / "1"
    version.mkdir(parents=True)
    (output / name / "config.pbtxt").write_text(config(bundle.plan, member, name), encoding="utf-8")
    # Weights of their own are named in the model: their name stays.
    shutil.copyfile(bundle.path / member.model, version / "model.onnx")
    weights = f"{member.model}.data"
    if weights in bundle.plan.files:
        shutil.copyfile(bundle.path / weights, version / weights)


def config(plan: InferencePlan, member: Member, name: str) -> str:
    """config.pbtxt of one network."""
    height, width = member.patch_size
    return CONFIG.format(
        source=f"{plan.name} {plan.content_hash}",
        name=name,
        max_batch_size=MAX_BATCH_SIZE,
        channels=len(member.channels),
        heads=plan.num_segmentation_heads,
        height=height,
        width=width,
    )
