"""The interface of converters: a layer, its blobs, and a graph to add nodes to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from protonet.blob import Shape
from protonet.errors import LayerError
from protonet.graph.plan import Step
from protonet.layers import Layer

OPSET: Final = 18
"""The operator set version: ONNX 1.13, December 2022."""

Converter = Callable[["Conversion"], "str | Sequence[str]"]
"""Adds a layer's nodes and returns the names of its tops."""

CONVERTERS: dict[str, Converter] = {}
"""The converter of each layer type that ONNX can express."""


def converts(*types: str) -> Callable[[Converter], Converter]:
    """Function decorator: register a converter for these layer types."""

    def enter(converter: Converter) -> Converter:
        for name in types:
            assert name not in CONVERTERS, f"{name} has two converters"
            CONVERTERS[name] = converter
        return converter

    return enter


class OnnxError(LayerError):
    """A layer or setting that ONNX cannot express."""


class Graph:
    """Nodes and constants with unique names."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._names: set[str] = set()
        self._params: dict[tuple[int, Shape], str] = {}

    def unique(self, wanted: str) -> str:
        """``wanted``, with a number appended if it is taken."""
        name, number = wanted, 1
        while name in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name)
        return name

    def constant(self, values: np.ndarray, wanted: str) -> str:
        """Store an array; returns its name."""
        name = self.unique(wanted)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def param(self, values: np.ndarray, wanted: str) -> str:
        """Store a parameter once, however many layers share it."""
        key = (values.__array_interface__["data"][0], values.shape)
        if key not in self._params:
            self._params[key] = self.constant(values, wanted)
        return self._params[key]


class Conversion:
    """The conversion of one layer.

    ``bottoms`` are names in the graph; ``shapes`` and ``top_shapes`` are for this batch size.
    Other batch sizes must give the same nodes: extents that depend on it are written as -1.
    """

    def __init__(self, graph: Graph, step: Step, layer: Layer, bottoms: Sequence[str]) -> None:
        self.graph = graph
        self.layer: Any = layer
        self.spec = layer.spec
        self.name = step.name
        self.bottoms = list(bottoms)
        self.shapes = step.shapes
        self.top_shapes: list[Shape] = [value.shape or () for value in step.tops]
        self._params = [np.asarray(param.data) for param in layer.params]

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node; returns the name of its output, or a list of several."""
        names = [self.graph.unique(f"{self.name}/{kind}") for _ in range(outputs)]
        self.graph.nodes.append(helper.make_node(kind, inputs, names, name=names[0], **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """A constant of the graph."""
        return self.graph.constant(np.asarray(values, dtype), f"{self.name}/constant")

    def integers(self, values: Sequence[int]) -> str:
        """A constant of int64, for shapes and axes."""
        return self.constant(list(values), np.int64)

    def param(self, index: int, shape: Shape | None = None) -> str:
        """A parameter of the layer, reshaped if ``shape`` is given."""
        values = self._params[index]
        seen = values if shape is None else values.reshape(shape)
        return self.graph.param(seen, f"{self.name}/{index}")

    def values(self, index: int) -> np.ndarray:
        """The values of a parameter, to compute others from."""
        return self._params[index]

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        """``x`` in another shape of the same count; the first extent is that of the batch."""
        dims = (-1, *shape[1:]) if shape else ()
        return str(self.op("Reshape", x, self.integers(dims)))

    def cast(self, x: str, dtype: int = TensorProto.FLOAT) -> str:
        """``x`` cast to another type."""
        return str(self.op("Cast", x, to=dtype))

    def seen(self, x: str, shape: Shape, wanted: Shape) -> str:
        """``x`` reshaped from ``shape`` to ``wanted``; ``x`` itself if they are equal."""
        return x if shape == wanted else self.reshape(x, wanted)


def part_of(conversion: Conversion, layer: Layer, bottoms: Sequence[str]) -> Conversion:
    """The conversion of a layer inside another one."""
    part = object.__new__(Conversion)
    part.__dict__.update(conversion.__dict__)
    part.layer, part.spec, part.bottoms = layer, layer.spec, list(bottoms)
    part._params = [np.asarray(param.data) for param in layer.params]
    part.top_shapes = [tuple(shape) for shape in layer.infer(conversion.shapes)]
    return part
