"""model.onnx with the types of a precision written into it, for runtimes that take them from there.

TensorRT does: its networks are strongly typed. In `fp16` what multiplies is float16, as under the
autocast in which nnU-Net runs on a GPU. Norms stay float32: in float16 their variance overflows
once a feature is 255.9 from its mean, and the mask goes black (MIC-DKFZ/nnUNet #2874, #3026).
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from droneseg.errors import EngineNotInstalled
from droneseg.mode import Precision

FLOAT16_OPERATORS = frozenset(
    {"Conv", "ConvTranspose", "LeakyRelu", "Relu", "MaxPool", "AveragePool", "Add", "Concat"}
)
FLOAT16_MAX = float(np.finfo(np.float16).max)
# Protobuf holds no more in a message.
MAX_MESSAGE_BYTES = 2**31 - 1


def typed_onnx(model_path: Path, precision: Precision) -> bytes:
    """The ONNX model in a precision: `tiles` float32 [N, C, H, W] in, `logits` float32 out.

    Weights that lie in a file of their own stay there in `fp32`, and are embedded in `fp16`.

    Raises:
        EngineNotInstalled: the precision is neither, or float16 cannot hold the weights.
    """
    if precision not in ("fp32", "fp16"):
        raise EngineNotInstalled(f"GPUs are run in fp16 or fp32, not in {precision}")
    model = onnx.load(model_path, load_external_data=precision == "fp16")
    _fold_identities(model.graph)
    if precision == "fp16":
        _Float16(model.graph).write()
        if model.ByteSize() > MAX_MESSAGE_BYTES:
            raise EngineNotInstalled(f"{model_path} has more than 2 GB of weights in fp16")
    content: bytes = model.SerializeToString()
    return content


def _fold_identities(graph: GraphProto) -> None:
    """Name what an Identity copies itself.

    torch's exporter lets equal weights share one by Identity, which TensorRT takes for values that
    are computed.
    """
    outputs = {value.name for value in graph.output}
    sources: dict[str, str] = {}
    kept = []
    for node in graph.node:
        node.input[:] = [sources.get(name, name) for name in node.input]
        if node.op_type == "Identity" and node.output[0] not in outputs:
            sources[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)


class _Float16:
    """A graph whose float32 becomes float16 where an operator takes it, and back."""

    def __init__(self, graph: GraphProto):
        self._graph = graph
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._outputs = {value.name for value in graph.output}
        # The element type of each float tensor by its name, as the nodes so far have made it.
        self._types = {
            value.name: TensorProto.FLOAT
            for value in (*graph.input, *graph.output, *graph.value_info)
            if value.type.tensor_type.elem_type == TensorProto.FLOAT
        } | {
            tensor.name: TensorProto.FLOAT
            for tensor in graph.initializer
            if tensor.data_type == TensorProto.FLOAT
        }
        self._known: set[str] = set()

    def write(self) -> None:
        """Change the graph."""
        nodes = [written for node in self._graph.node for written in self._typed(node)]
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        # They say what was; onnx.shape_inference finds the new ones.
        del self._graph.value_info[:]
        self._drop_unused(nodes)

    def _typed(self, node: NodeProto) -> list[NodeProto]:
        """The node between the casts that it needs."""
        half = node.op_type in FLOAT16_OPERATORS
        wanted = TensorProto.FLOAT16 if half else TensorProto.FLOAT
        before: list[NodeProto] = []
        for index, name in enumerate(node.input):
            if self._types.get(name, wanted) != wanted:
                node.input[index] = self._converted(name, wanted, before)
        after = []
        for index, name in enumerate(node.output):
            if half and name in self._outputs:
                node.output[index] = f"{name}.float16"
                after.append(_cast(node.output[index], name, TensorProto.FLOAT))
            elif name in self._types:
                self._types[name] = wanted
        return [*before, node, *after]

    def _converted(self, name: str, wanted: int, before: list[NodeProto]) -> str:
        """The name of the tensor in another type: cast, or if it is a weight rounded here, once."""
        converted = f"{name}.{'float16' if wanted == TensorProto.FLOAT16 else 'float32'}"
        if converted not in self._known:
            self._known.add(converted)
            if name in self._weights:
                self._graph.initializer.append(_half(self._weights[name], converted))
            else:
                before.append(_cast(name, converted, wanted))
        return converted

    def _drop_unused(self, nodes: Iterable[NodeProto]) -> None:
        used = {name for node in nodes for name in node.input}
        kept = [tensor for tensor in self._graph.initializer if tensor.name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)


def _cast(source: str, target: str, element_type: int) -> NodeProto:
    return helper.make_node("Cast", [source], [target], name=target, to=element_type)


def _half(tensor: TensorProto, name: str) -> TensorProto:
    values = numpy_helper.to_array(tensor)
    if values.size and not np.abs(values).max() <= FLOAT16_MAX:
        raise EngineNotInstalled(
            f"the weights {tensor.name} are beyond {FLOAT16_MAX:.0f}, float16's largest: use fp32"
        )
    return numpy_helper.from_array(values.astype(np.float16), name)
