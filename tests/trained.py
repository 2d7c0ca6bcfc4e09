"""The trained folder of the default model, restored from its bundle."""

from pathlib import Path

import onnx
import torch

from benchmarks.random_model import TrainedFolder


def restore_trained_folder(model_path: Path, trained: TrainedFolder, folder: Path) -> Path:
    """Write the trained folder of one fold whose weights are those in a model.onnx.

    So nnU-Net's predictor can be compared on a bundle whose checkpoint is not at hand.
    """
    prefix = "networks.0."
    weights = {
        tensor.name.removeprefix(prefix): torch.from_numpy(
            onnx.numpy_helper.to_array(tensor).copy()
        )
        for tensor in onnx.load(model_path).graph.initializer
        if tensor.name.startswith(prefix)
    }
    trained.write(folder)
    path = folder / "fold_0" / "checkpoint_final.pth"
    checkpoint = torch.load(path, weights_only=False)
    network = trained.network(seed=0)
    missing, unexpected = network.load_state_dict(weights, strict=False)
    assert not unexpected
    unused_heads = [name for name in missing if name.startswith("decoder.seg_layers.")]
    assert len(weights) + len(unused_heads) == len(list(network.parameters()))
    checkpoint["network_weights"] = network.state_dict()
    torch.save(checkpoint, path)
    return folder
