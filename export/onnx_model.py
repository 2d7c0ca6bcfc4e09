"""The network as ONNX: what torch.onnx writes, without the traces of the machine that wrote it."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from droneseg.plan import InferencePlan

INPUT, OUTPUT, BATCH = "tiles", "logits", "batch"
OPSET = 20
DESCRIBED = (
    "schema_version", "name", "labels", "ignore_label", "channels", "patch_size",
    "tile_step_size", "gaussian_sigma_scale", "mirror_axes", "source",
)  # fmt: skip


class FoldMean(nn.Module):
    """The mean of several folds' logits: nnUNetPredictor adds up the folds and divides."""

    def __init__(self, networks: Sequence[nn.Module]):
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, tiles: Tensor) -> Tensor:
        """Logits [N, K, H, W] of tiles [N, C, H, W]."""
        first, *others = self.networks
        total: Tensor = first(tiles)
        for network in others:
            total = total + network(tiles)
        return total / len(self.networks) if others else total


def write_onnx(network: nn.Module, plan: InferencePlan, path: Path) -> None:
    """Write the network with a dynamic batch: `tiles` [N, C, H, W] to `logits` [N, K, H, W].

    Its metadata holds what another runtime needs around the network: the fields of the plan by
    name, as JSON.

    Args:
        network: in evaluation mode on the CPU.
        plan: its channels and patch size are fixed in the graph.
        path: where model.onnx goes.
    """
    tile_shape = (len(plan.channels), *plan.patch_size)
    # A batch of two: torch.export takes a size of 1 for a constant.
    example = torch.zeros(2, *tile_shape)
    with warnings.catch_warnings():
        # torch warns about its own internals.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim(BATCH)},),
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    model = program.model_proto
    _strip(model)
    content = plan.as_dict()
    onnx.helper.set_model_props(model, {name: json.dumps(content[name]) for name in DESCRIBED})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _strip(model: onnx.ModelProto) -> None:
    """Remove the stack traces and notes that torch leaves at every node: they name local paths."""
    model.doc_string = ""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        part.ClearField("metadata_props")
        part.doc_string = ""
    for initializer in graph.initializer:
        initializer.ClearField("metadata_props")
