"""nnU-Net's ResEnc-L at its full size, with random weights, exported and proven once.

python -m benchmarks.full_size writes benchmarks/results/full_size.json; about an hour on two cores.
"""

import json
import resource
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks.machine import RESULTS, describe
from benchmarks.random_model import TrainedFolder
from export.trained_model import TrainedModel
from export.writer import BundleWriter

# What nnUNetPlannerResEncL plans for photos of 1500 x 2000 px.
RESENC_L = TrainedFolder(
    architecture="ResidualEncoderUNet preset",
    patch_size=(768, 896),
    features=(32, 64, 128, 256, 512, 512, 512, 512),
)


def main() -> None:
    """Export, prove, and write down the figures."""
    machine = describe()
    with tempfile.TemporaryDirectory() as folder:
        model = TrainedModel.load(RESENC_L.write(Path(folder) / "trained"))
        (checkpoint,) = model.checkpoints
        tensors = {tensor.data_ptr(): tensor.numel() for tensor in checkpoint.weights.values()}
        start = time.perf_counter()
        bundle = BundleWriter([model], "resenc_l", {}).write(Path(folder) / "resenc_l")
        report = {
            "machine": machine,
            "parameters": sum(tensors.values()),
            "model_bytes": bundle.model_path().stat().st_size,
            "export_and_proof_s": round(time.perf_counter() - start),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "patch_size": RESENC_L.patch_size,
            "verifications": [asdict(verification) for verification in bundle.plan.verifications],
        }
    (RESULTS / "full_size.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
