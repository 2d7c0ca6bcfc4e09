"""Bundles of random networks that nobody has proven: their speed alone is looked at."""

from dataclasses import replace
from pathlib import Path

from benchmarks.random_model import TrainedFolder
from droneseg.bundle import PLAN_FILE, Bundle, sha256
from export.ensemble import inference_plan
from export.onnx_model import FoldMean, write_onnx
from export.trained_model import TrainedModel
from export.writer import record_probes

# nnU-Net's default 2D plan for photos of about 736 x 960 px: 46 million parameters.
DEFAULT_PLAN = TrainedFolder(
    patch_size=(768, 1024), features=(32, 64, 128, 256, 512, 512, 512, 512)
)


def write_bundle(kind: TrainedFolder, folder: Path, name: str) -> Bundle:
    """Write a trained folder, `folder/trained`, and its bundle, `folder/name`."""
    model = TrainedModel.load(kind.write(folder / "trained"))
    plan = inference_plan([model], name, {})
    member = plan.members[0]
    output = folder / name
    output.mkdir()
    network = FoldMean(model.networks()).eval()
    files = write_onnx(network, plan, member, output / member.model)
    record_probes(network, plan, member, model.top_intensities).save(output / member.probes)
    hashes = {name: sha256(output / name) for name in (*files, member.probes)}
    replace(plan, files=hashes).sealed().save(output / PLAN_FILE)
    return Bundle.load(output)
