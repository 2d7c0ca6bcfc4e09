"""The network as ONNX: what torch.onnx writes, without the traces of the machine that wrote it."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from droneseg.plan import InferencePlan, Member

INPUT, OUTPUT, BATCH = "tiles", "logits", "batch"
OPSET = 20
DESCRIBED = (
    "schema_version", "name", "labels", "ignore_label", "channels", "patch_size",
    "tile_step_size", "gaussian_sigma_scale", "mirror_axes", "source",
)  # fmt: skip
# Protobuf holds 2 GB in a message; above, with room for the graph, weights get a file of their own.
MAX_EMBEDDED_BYTES = 1_900_000_000


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


def write_onnx(network: nn.Module, plan: InferencePlan, member: Member, path: Path) -> list[str]:
    """Write the network with a dynamic batch: `tiles` [N, C, H, W] to `logits` [N, K, H, W].

    Its metadata holds what another runtime needs around the network: the fields of the plan and
    its member by name, as JSON.

    Args:
        network: in evaluation mode on the CPU.
        plan: of the bundle.
        member: its channels and patch size are fixed in the graph.
        path: where the model goes.

    Returns:
        The names of the files: the model, and its weights where they are too large for it.
    """
    program = _to_onnx(network, (len(member.channels), *member.patch_size))
    props = metadata(plan, member)
    if _weight_bytes(network) <= MAX_EMBEDDED_BYTES:
        model = program.model_proto
        _finish(model, props)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)
        return [path.name]
    program.save(path, external_data=True)
    model = onnx.load(path, load_external_data=False)
    _finish(model, props)
    onnx.save(model, path)
    onnx.checker.check_model(path, full_check=True)
    return [path.name, f"{path.name}.data"]


def metadata(plan: InferencePlan, member: Member) -> dict[str, str]:
    """What `model.onnx` says of itself: JSON by the name of the field."""
    content = plan.as_dict()
    content |= next(
        dumped
        for dumped, other in zip(content["members"], plan.members, strict=True)
        if other is member
    )
    content["channels"] = [_set_fields(channel) for channel in content["channels"]]
    described = [*DESCRIBED, *(["regions"] if plan.regions else [])]
    return {name: json.dumps(content[name]) for name in described}


def _set_fields(channel: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in channel.items() if value}


def _to_onnx(network: nn.Module, tile_shape: tuple[int, ...]) -> torch.onnx.ONNXProgram:
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
    return program


def _weight_bytes(network: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in network.parameters())


def _finish(model: onnx.ModelProto, props: dict[str, str]) -> None:
    _strip(model)
    onnx.helper.set_model_props(model, props)


def _strip(model: onnx.ModelProto) -> None:
    """Remove the stack traces and notes that torch leaves at every node: they name local paths."""
    model.doc_string = ""
    graph = model.graph
    described: list[Any] = [*graph.node, *graph.input, *graph.output, *graph.value_info]
    for part in (model, graph, *described):
        part.ClearField("metadata_props")
        part.doc_string = ""
    for initializer in graph.initializer:
        initializer.ClearField("metadata_props")
