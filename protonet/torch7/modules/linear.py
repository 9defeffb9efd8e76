"""Products with weights."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from protonet.errors import LayerError
from protonet.torch7.arguments import flag, real, whole
from protonet.torch7.axes import concat, drop, insert, narrow, replace_axes
from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import Module, create, lua, module
from protonet.torch7.modules.compounds import filled
from protonet.torch7.modules.norms import learned_blob, normalized
from protonet.torch7.modules.tables import multiply
from protonet.torch7.objects import Table, Tensor, TorchObject


@module("nn.Linear")
class Linear(Module):
    """``y = x W' + b`` over the last axis of one or two."""

    def construct(
        self,
        inputSize: int | None = None,
        outputSize: int | None = None,
        bias: bool | None = None,
    ) -> None:
        inputs = whole("inputSize", inputSize, least=1)
        outputs = whole("outputSize", outputSize, least=1)
        self.with_gradient("weight", outputs, inputs)
        if flag("bias", bias, True):
            self.with_gradient("bias", outputs)
        self.reset()

    @lua
    def noBias(self) -> TorchObject:
        """Remove the bias; returns the module."""
        self["bias"] = self["gradBias"] = None
        return self.object

    @lua
    def reset(self, stdv: float | None = None) -> None:
        inputs = self["weight"].shape[1]
        bound = stdv * math.sqrt(3) if stdv is not None else 1 / math.sqrt(inputs)
        self.uniform("weight", bound)
        self.uniform("bias", bound)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        weight = self.tensor_field("weight", axes=2)
        blob = self.one(x)
        if len(blob.shape) not in (1, 2) or blob.shape[-1] != weight.shape[1]:
            raise LayerError(f"expected vectors of {weight.shape[1]}, got {blob}")
        has_bias = self.get("bias") is not None
        return net.layer(
            "InnerProduct",
            blob,
            weights=[self.bound("weight")] + ([self.bound("bias")] if has_bias else []),
            inner_product_param={
                "num_output": weight.shape[0],
                "bias_term": has_bias,
                "axis": len(blob.shape) - 1,
            },
        )


@module("nn.Bilinear")
class Bilinear(Module):
    """``y_k = a' W_k b + bias_k``, of a table of two batches of vectors."""

    def construct(
        self,
        inputSize1: int | None = None,
        inputSize2: int | None = None,
        outputSize: int | None = None,
        bias: bool | None = None,
    ) -> None:
        outputs = whole("outputSize", outputSize, least=1)
        first = whole("inputSize1", inputSize1, least=1)
        second = whole("inputSize2", inputSize2, least=1)
        self.with_gradient("weight", outputs, first, second)
        if flag("bias", bias, True):
            self.with_gradient("bias", outputs)
        self["gradInput"] = Table.of([Tensor(self.session.kind), Tensor(self.session.kind)])
        self.reset()

    @lua
    def reset(self, stdv: float | None = None) -> None:
        bound = 1 / math.sqrt(self["weight"].shape[1])
        for name in ("weight", "bias"):
            self.uniform(name, stdv * math.sqrt(3) if stdv is not None else bound)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        outputs, first, second = self.tensor_field("weight", axes=3).shape
        given = self.several(x)
        if len(given) != 2:
            raise LayerError(f"expected a table of 2 tensors, got {len(given)}")
        a, b = self.one(given[0]), self.one(given[1])
        if len(a.shape) != 2 or len(b.shape) != 2 or a.shape[0] != b.shape[0]:
            raise LayerError(f"expected two batches of as many vectors, got {a} and {b}")
        if (a.shape[1], b.shape[1]) != (first, second):
            raise LayerError(f"expected vectors of {first} and of {second}, got {a} and {b}")
        # for each item the matrix of all a' W_k, times b
        rows = net.layer(
            "InnerProduct",
            a,
            weights=[self.bound("weight", axes=(0, 2, 1))],
            inner_product_param={"num_output": outputs * second, "bias_term": False},
        )
        matrices = replace_axes(net, rows, 1, 1, [outputs, second])
        y = drop(net, multiply(net, matrices, insert(net, b, 2)), 2)
        if self.get("bias") is None:
            return y
        return net.layer("Bias", y, weights=[self.bound("bias")], bias_param={"axis": 1})


@module("nn.LinearWeightNorm")
class LinearWeightNorm(Module):
    """``y = x W' + b`` with rows ``W = g v / |v|`` (Salimans and Kingma, NIPS 2016)."""

    learned = ("v", "g", "bias")

    def construct(
        self,
        inputSize: int | None = None,
        outputSize: int | None = None,
        bias: bool | None = None,
        eps: float | None = None,
    ) -> None:
        inputs = whole("inputSize", inputSize, least=1)
        outputs = whole("outputSize", outputSize, least=1)
        self["eps"] = real("eps", eps, 1e-16)
        self["outputSize"], self["inputSize"] = outputs, inputs
        self.with_gradient("v", outputs, inputs)
        self["weight"] = self.tensor(outputs, inputs)
        self.with_gradient("g", outputs, 1)
        self["norm"], self["scale"] = self.tensor(outputs, 1), self.tensor(outputs, 1)
        if flag("bias", bias, True):
            self.with_gradient("bias", outputs)
        self.reset()

    @lua
    def reset(self, stdv: float | None = None) -> None:
        bound = 1 / math.sqrt(self.integer("inputSize"))
        bound = stdv * math.sqrt(3) if stdv is not None else bound
        self.uniform("weight", bound)
        self.initFromWeight()
        self.uniform("bias", bound)

    @lua
    def initFromWeight(self, weight: Tensor | None = None) -> TorchObject:
        """Let v be the weight and g its lengths; returns the module."""
        values = self["weight"].array if weight is None else weight.array
        lengths = np.sqrt((values.astype(np.float64) ** 2).sum(1, keepdims=True))
        self["g"].array[...] = np.maximum(lengths, self.number("eps", 1e-16))
        self["v"].array[...] = values
        return self.object

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, (outputs, inputs) = self.one(x), self.tensor_field("v", axes=2).shape
        if len(blob.shape) not in (1, 2) or blob.shape[-1] != inputs:
            raise LayerError(f"expected vectors of {inputs}, got {blob}")
        units = normalized(net, learned_blob(net, self, "v"), eps=1e-32)
        weight = net.layer(
            "Scale", units, weights=[self.bound("g", shape=(outputs,))], scale_param={"axis": 0}
        )
        flat = len(blob.shape) == 1
        y = multiply(net, insert(net, blob, 0) if flat else blob, weight, turn_b=True)
        if self.get("bias") is not None:
            y = net.layer("Bias", y, weights=[self.bound("bias")], bias_param={"axis": 1})
        return drop(net, y, 0) if flat else y


@module("nn.PartialLinear")
class PartialLinear(Module):
    """``y = x W' + b``, of all outputs or of those of a partition."""

    def construct(
        self,
        inputsize: int | None = None,
        outputsize: int | None = None,
        bias: bool | None = None,
    ) -> None:
        inputs = whole("inputsize", inputsize, least=1)
        outputs = whole("outputsize", outputsize, least=1)
        table = create("nn.LookupTable", [outputs, inputs], self.session)
        identity = create("nn.Identity", [], self.session)
        both = filled(self, "nn.ParallelTable", [], [identity, table])
        product = create("nn.MM", [False, True], self.session)
        self["network"] = filled(self, "nn.Sequential", [], [both, product])
        if flag("bias", bias, True):
            self.with_gradient("bias", 1, outputs)
        self["inputsize"], self["outputsize"] = inputs, outputs
        self["allcolumns"] = Tensor.of(np.arange(1.0, outputs + 1), self.session.kind)
        self.resetPartition()

    @lua
    def setPartition(self, indices: Tensor) -> None:
        """Compute these outputs only."""
        self["partition"] = Tensor.of(indices.array, self["allcolumns"].kind)

    @lua
    def resetPartition(self) -> None:
        """Compute all outputs."""
        self["partition"] = self["allcolumns"]

    @property
    def table(self) -> Module:
        """The module that has the weight."""
        found = self.wrap(self["network"])
        for place in (0, 1):
            if len(found.children) <= place:
                raise LayerError("nn.PartialLinear: network has no table of weights inside")
            found = found.children[place]
        return found

    def parameters(self) -> Iterator[tuple[TorchObject, str]]:
        yield self.table.object, "weight"
        yield from super().parameters()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        table, blob = self.table, self.one(x)
        outputs, inputs = table.tensor_field("weight", axes=2).shape
        if len(blob.shape) != 2 or blob.shape[1] != inputs:
            raise LayerError(f"expected a batch of vectors of {inputs}, got {blob}")
        has_bias = self.get("bias") is not None
        y = net.layer(
            "InnerProduct",
            blob,
            weights=[table.bound("weight")] + ([self.bound("bias")] if has_bias else []),
            inner_product_param={"num_output": outputs, "bias_term": has_bias},
        )
        chosen = self.tensor_field("partition").array.astype(np.int64)
        if np.array_equal(chosen, np.arange(1, outputs + 1)):
            return y
        if not len(chosen) or chosen.min() < 1 or chosen.max() > outputs:
            raise LayerError(f"expected a partition of outputs 1 to {outputs}, got {chosen}")
        parts = [narrow(net, y, 1, int(index) - 1, 1) for index in chosen]
        return concat(net, parts, 1)
