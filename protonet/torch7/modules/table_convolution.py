"""Convolutions of pairs of planes that a table lists."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from protonet.errors import LayerError
from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import lua, module
from protonet.torch7.modules.convolution import Convolving
from protonet.torch7.modules.sliding import with_batch
from protonet.torch7.objects import Tensor


class _Mapped(Convolving):
    """Base: a table of pairs, input and output plane, and a kernel for each."""

    kind: ClassVar[str]

    def construct(
        self,
        conMatrix: Tensor,
        kW: int,
        kH: int,
        dW: int | None = None,
        dH: int | None = None,
    ) -> None:
        table = getattr(conMatrix, "shape", None)
        if table is None or len(table) != 2 or table[1] != 2:
            raise LayerError(
                f"{self.object.typename}: conMatrix must be a tensor of pairs, as of "
                f"nn.tables.full, got {conMatrix if table is None else 'x'.join(map(str, table))}"
            )
        self.whole(1, kW=kW, kH=kH, dW=1 if dW is None else dW, dH=1 if dH is None else dH)
        self["connTable"] = conMatrix
        inputs, outputs = (int(most) for most in conMatrix.array.max(axis=0))
        self.whole(1, nInputPlane=inputs, nOutputPlane=outputs)
        self.with_gradient("weight", table[0], self["kH"], self["kW"])
        self.with_gradient("bias", outputs)
        self.reset()

    @lua
    def reset(self, stdv: float | None = None) -> None:
        if stdv is not None:
            for name in self.learned:
                self.uniform(name, stdv * math.sqrt(3))
            return
        outputs = self.tensor_field("connTable").array[:, 1].astype(int) - 1
        connected = np.bincount(outputs, minlength=self.integer("nOutputPlane"))
        for name, places in (("weight", outputs), ("bias", np.arange(len(connected)))):
            for row, output in enumerate(places):
                bound = 1 / math.sqrt(self.kernel_count * max(1, connected[output]))
                part = self._row(self[name], row)
                self.session.random.draw(part, "uniform", -bound, bound)

    def _row(self, tensor: Tensor, row: int) -> Tensor:
        """A part of a tensor, along its first axis."""
        step = tensor.strides[0]
        shape, strides = tensor.shape[1:] or (1,), tensor.strides[1:] or (1,)
        return Tensor(tensor.kind, tensor.storage, tensor.offset + row * step, shape, strides)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, undone = with_batch(net, self.one(x), 4)
        if blob.shape[1] < self.integer("nInputPlane"):
            raise LayerError(
                f"expected at least {self.integer('nInputPlane')} input planes, got {self.one(x)}"
            )
        pairs = self.tensor_field("connTable").array.astype(int) - 1
        table: dict[str, Any] = {"input": pairs[:, 0].tolist(), "output": pairs[:, 1].tolist()}
        y = net.layer(
            self.kind,
            blob,
            weights=self.bounds(self.bound("weight")),
            connection_param=table,
            convolution_param=self.settings(self.integer("nOutputPlane")),
        )
        return undone(y)


@module("nn.SpatialConvolutionMap")
class SpatialConvolutionMap(_Mapped):
    """A convolution of the pairs of a table."""

    kind = "TableConvolution"


@module("nn.SpatialFullConvolutionMap")
class SpatialFullConvolutionMap(_Mapped):
    """The transpose of a convolution of the pairs of a table."""

    kind = "TableDeconvolution"
