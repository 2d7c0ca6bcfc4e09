"""The floating-point operations of a network, counted in its ONNX graph."""

from math import prod
from pathlib import Path

import onnx


def gigaflops_a_tile(model_path: Path) -> float:
    """Billions of operations of all convolutions for one tile; two for each multiply-add.

    What else there is (norms, activations) takes time, but hardly any operations.
    """
    model = onnx.load(model_path, load_external_data=False)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shapes[value.name] = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    total = 0
    for node in graph.node:
        if node.op_type not in {"Conv", "ConvTranspose"}:
            continue
        # Each pixel of a convolution's output, or of a transposed one's input, meets all weights.
        pixels = shapes[node.output[0] if node.op_type == "Conv" else node.input[0]][2:]
        total += 2 * prod(shapes[node.input[1]]) * prod(pixels)
    return total / 1e9
