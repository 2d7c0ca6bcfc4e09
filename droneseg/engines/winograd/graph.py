"""Graph: an nnU-Net's model.onnx as operations."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

from droneseg.engines.winograd.operation import Image, Kind, Lazy, Norm, Operation, Pair
from droneseg.engines.winograd.weights import Floats, padded_vector
from droneseg.errors import UnsupportedNetwork


class Graph:
    """The operations of a model.onnx, in order.

    Attributes:
        tile: what comes in.
        tile_shape: [C, H, W].
        logits_shape: [K, H, W].
        operations: the logits are the sum of what the heads among them write.
    """

    def __init__(self, path: Path):
        """Read the model, of a fixed tile.

        Raises:
            UnsupportedNetwork: it has something that is not computed here.
        """
        graph = onnx.load(path).graph
        self._constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
        self._nodes = {name: node for node in graph.node for name in node.output}
        shape = graph.input[0].type.tensor_type.shape.dim
        channels, height, width = (axis.dim_value for axis in shape[1:])
        if 0 in (channels, height, width):
            raise UnsupportedNetwork(
                "the runtime winograd cannot be used: tiles have no fixed size"
            )
        self.tile_shape = (channels, height, width)
        self.tile = Image(height, width, channels)
        self.operations: list[Operation] = []
        self._images: dict[str, tuple[Lazy, ...]] = {graph.input[0].name: (Lazy.of(self.tile),)}
        self._sums: set[str] = set()
        self._shares: dict[str, float] = {}
        try:
            self._find_heads(graph.output[0].name, 1.0)
            for node in graph.node:
                if node.output[0] not in self._sums:
                    self._reader(node)(node)
        except LookupError as error:
            raise UnsupportedNetwork(
                f"the runtime winograd cannot be used: this network lacks {error}"
            ) from error
        heads = [o.out for o in self.operations if o.kind is Kind.HEAD]
        if len({(head.height, head.width, head.channels) for head in heads}) != 1:
            raise UnsupportedNetwork("the runtime winograd cannot be used: heads differ in size")
        self.logits_shape = (heads[0].channels, heads[0].height, heads[0].width)

    def _find_heads(self, name: str, share: float) -> None:
        """What is added up to the logits, and its share: a model of many folds gives their mean."""
        node = self._nodes[name]
        if node.op_type == "Div":
            self._sums.add(name)
            self._find_heads(node.input[0], share / float(self._constant(node.input[1])))
        elif node.op_type == "Add":
            self._sums.add(name)
            for term in node.input:
                self._find_heads(term, share)
        else:
            _require(node, node.op_type == "Conv")
            self._shares[name] = self._shares.get(name, 0) + share

    def _reader(self, node: NodeProto) -> Callable[[NodeProto], None]:
        readers = {
            "Constant": lambda _: None,
            "Conv": self._convolution,
            "ConvTranspose": self._transposed,
            "AveragePool": self._pooling,
            "Add": self._sum,
            "Concat": self._concatenation,
            "InstanceNormalization": self._instance_norm,
            "BatchNormalization": self._batch_norm,
            "LeakyRelu": self._leaky_relu,
            "Relu": self._leaky_relu,
        }
        if node.op_type not in readers:
            raise _unsupported(node)
        return readers[node.op_type]

    def _convolution(self, node: NodeProto) -> None:
        attributes = _attributes(node, group=1, pads=[0, 0, 0, 0])
        pads, kernel, stride = (attributes[name] for name in ("pads", "kernel_shape", "strides"))
        _require(node, attributes["group"] == 1, pads[:2] == pads[2:])
        _require(node, all(pad < taps for pad, taps in zip(pads[:2], kernel, strict=True)))
        sources = self._images[node.input[0]]
        height, width = (
            (length + 2 * pad - taps) // step + 1
            for length, pad, taps, step in zip(
                _size(sources), pads[:2], kernel, stride, strict=True
            )
        )
        weights = self._constant(node.input[1])
        bias = self._bias(node, len(weights))
        kind = Kind.CONVOLUTION
        if node.output[0] in self._shares:
            _require(node, kernel == stride == [1, 1], not any(pads))
            kind, share = Kind.HEAD, np.float32(self._shares[node.output[0]])
            weights, bias = weights * share, bias * share
        self._append(node, Operation(
            kind, sources, Image(height, width, len(weights)), tuple(kernel), tuple(stride),
            tuple(pads[:2]), weights, bias,
        ))  # fmt: skip

    def _transposed(self, node: NodeProto) -> None:
        attributes = _attributes(node, group=1, pads=[], output_padding=[], output_shape=[])
        kernel = attributes["kernel_shape"]
        _require(node, attributes["strides"] == kernel, attributes["group"] == 1)
        _require(node, not any(attributes["pads"] + attributes["output_padding"]))
        _require(node, not attributes["output_shape"])
        sources = self._images[node.input[0]]
        height, width = (a * b for a, b in zip(_size(sources), kernel, strict=True))
        weights = self._constant(node.input[1]).transpose(1, 0, 2, 3)
        self._append(node, Operation(
            Kind.TRANSPOSED, sources, Image(height, width, len(weights)),
            tuple(kernel), tuple(kernel), weights=weights, bias=self._bias(node, len(weights)),
        ))  # fmt: skip

    def _pooling(self, node: NodeProto) -> None:
        attributes = _attributes(node, pads=[], ceil_mode=0)
        kernel = attributes["kernel_shape"]
        _require(node, attributes["strides"] == kernel, not attributes["ceil_mode"])
        _require(node, not any(attributes["pads"]))
        source = self._image(node, node.input[0])
        height, width = (a // b for a, b in zip(_size([source]), kernel, strict=True))
        out = Image(height, width, source.image.channels)
        self._append(node, Operation(Kind.MEAN, (source,), out, tuple(kernel), tuple(kernel)))

    def _sum(self, node: NodeProto) -> None:
        sources = tuple(self._image(node, name) for name in node.input)
        first, second = (source.image for source in sources)
        _require(node, _size(sources[:1]) == _size(sources[1:]), first.channels == second.channels)
        out = Image(first.height, first.width, first.channels)
        self._append(node, Operation(Kind.SUM, sources, out))

    def _concatenation(self, node: NodeProto) -> None:
        _require(node, _attributes(node)["axis"] == 1, len(node.input) == 2)
        sources = tuple(self._image(node, name) for name in node.input)
        _require(node, _size(sources[:1]) == _size(sources[1:]))
        self._images[node.output[0]] = sources

    def _instance_norm(self, node: NodeProto) -> None:
        source = self._image(node, node.input[0])
        operation = self.operations[-1]
        _require(node, operation.out is source.image, operation.kind is Kind.CONVOLUTION)
        _require(node, source.raw, operation.norm is None)
        gamma, beta = (
            padded_vector(self._constant(name), source.image.channels) for name in node.input[1:]
        )
        normalized = Lazy(source.image, np.zeros_like(gamma), np.zeros_like(beta))
        epsilon = _attributes(node, epsilon=1e-5)["epsilon"]
        _require(node, epsilon > 0)
        operation.norm = Norm(gamma, beta, epsilon, normalized.scale, normalized.shift)
        self._images[node.output[0]] = (normalized,)

    def _batch_norm(self, node: NodeProto) -> None:
        source = self._image(node, node.input[0])
        _require(node, source.raw, not _attributes(node, training_mode=0)["training_mode"])
        gamma, beta, mean, variance = (
            self._constant(name).astype(np.float64) for name in node.input[1:]
        )
        factor = gamma / np.sqrt(variance + _attributes(node, epsilon=1e-5)["epsilon"])
        scale, shift = (
            padded_vector(values, source.image.channels)
            for values in (factor, beta - mean * factor)
        )
        self._images[node.output[0]] = (Lazy(source.image, scale, shift),)

    def _leaky_relu(self, node: NodeProto) -> None:
        slope = _attributes(node, alpha=0.01)["alpha"] if node.op_type == "LeakyRelu" else 0.0
        source = self._image(node, node.input[0])
        _require(node, 0 <= slope <= 1, source.slope == 1)
        self._images[node.output[0]] = (replace(source, slope=slope),)

    def _image(self, node: NodeProto, name: str) -> Lazy:
        """One image, which is not the tile: only convolutions read that."""
        sources = self._images.get(name, ())
        _require(node, len(sources) == 1)
        _require(node, sources[0].image is not self.tile)
        return sources[0]

    def _constant(self, name: str) -> Floats:
        if name in self._constants:
            return self._constants[name]
        node = self._nodes[name]
        _require(node, node.op_type == "Constant" and node.attribute[0].name == "value")
        return numpy_helper.to_array(node.attribute[0].t)

    def _bias(self, node: NodeProto, channels: int) -> Floats:
        if len(node.input) == 2:
            return np.zeros(channels, np.float32)
        return self._constant(node.input[2])

    def _append(self, node: NodeProto, operation: Operation) -> None:
        self.operations.append(operation)
        self._images[node.output[0]] = (Lazy.of(operation.out),)


def _size(sources: Sequence[Lazy]) -> Pair:
    return sources[0].image.height, sources[0].image.width


def _attributes(node: NodeProto, **defaults: Any) -> dict[str, Any]:
    found = defaults | {a.name: helper.get_attribute_value(a) for a in node.attribute}
    # Of whatever has them.
    _require(node, found.get("auto_pad", b"NOTSET") == b"NOTSET", node.domain in {"", "ai.onnx"})
    _require(node, found.get("dilations", [1, 1]) == [1, 1])
    return found


def _require(node: NodeProto, *conditions: bool) -> None:
    if not all(conditions):
        raise _unsupported(node)


def _unsupported(node: NodeProto) -> UnsupportedNetwork:
    return UnsupportedNetwork(
        f"the runtime winograd cannot be used: it does not compute the {node.op_type} "
        f"{node.name!r} of this network"
    )
