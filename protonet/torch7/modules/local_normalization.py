"""Normalization of planes by the weighted mean and deviation around each place."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from protonet.errors import LayerError
from protonet.torch7.builder import Blob, Bound, NetBuilder, Value
from protonet.torch7.modules.base import Module, create, module, module_class
from protonet.torch7.modules.sliding import Sliding, with_batch
from protonet.torch7.objects import Table, Tensor, TorchObject

_LEAST = 1e-30
"""Means of squares are at least this, so that the root of 0 has a gradient, which nothing passes
on: Torch7's is 0 there.
"""

_MOST = float(np.finfo(np.float32).max)


class LocalNormalization(Sliding):
    """Base: the kernel, and estimators made of fixed convolutions with it."""

    learned = ()

    def set_kernel(self, nInputPlane: int | None, kernel: Tensor | None) -> Tensor:
        """Set the number of planes and the kernel; all ones of 9 x 9 by default.

        Raises:
            LayerError: unless it is of one or two axes of odd extents.
        """
        self.whole(1, nInputPlane=1 if nInputPlane is None else nInputPlane)
        given = self.tensor(9, 9, fill=1) if kernel is None else kernel
        shape = getattr(given, "shape", None)
        if shape is None or len(shape) not in (1, 2) or not all(extent % 2 for extent in shape):
            found = given if shape is None else "x".join(map(str, shape))
            raise LayerError(
                f"{self.object.typename}: kernel must have one or two axes of odd extents, got "
                f"{found}"
            )
        self["kernel"] = given
        return given

    def scale_kernel(self, divisor: float) -> None:
        """Divide the kernel in its place, so that its sum is 1 over ``divisor``."""
        values = self["kernel"].array
        values /= values.sum() * divisor

    def estimator(self, *, squares: bool = False) -> TorchObject:
        """The mean of the places around each one, of all planes; of squares, its root."""
        planes, shape = self["nInputPlane"], self["kernel"].shape
        rows, columns = shape[0], shape[-1]
        pads = [columns // 2] * 2 + [rows // 2] * 2
        parts = [self.bare("nn.Square")] if squares else []
        parts.append(self._create("SpatialZeroPadding", *pads))
        if len(shape) == 2:
            parts.append(self._create("SpatialConvolution", planes, 1, columns, rows))
        else:
            pairs = Tensor.of(np.repeat(np.arange(1, planes + 1), 2).reshape(planes, 2))
            parts.append(self._create("SpatialConvolutionMap", pairs, rows, 1))
            parts.append(self._create("SpatialConvolution", planes, 1, 1, rows))
        parts.append(self._create("Replicate", planes, 1, 3))
        parts += [self.bare("nn.Sqrt", eps=0)] if squares else []
        made = self._create("Sequential")
        made.fields["modules"] = Table.of(parts)
        return made

    def fill_estimator(self, name: str) -> None:
        """Give the convolutions of an estimator the kernel as weight, and no bias."""
        kernel = self["kernel"].array
        for each in self._convolutions(name):
            weight = each["weight"].array
            # a kernel of one axis is that of rows in one convolution, of columns in the other
            weight[...] = kernel.reshape(weight.shape[-2:])
            each["bias"].array[...] = 0

    def _create(self, name: str, *arguments: Any) -> TorchObject:
        return create(f"nn.{name}", arguments, self.session, self.object.line)

    def bare(self, typename: str, **fields: Any) -> TorchObject:
        """A module without parameters, of which only the fields are of interest."""
        kind = self.session.kind
        own = Table(gradInput=Tensor(kind), output=Tensor(kind), _type=f"torch.{kind}Tensor")
        own.update(fields)
        return TorchObject(typename, own, self.object.line)

    def _convolutions(self, name: str) -> list[Module]:
        inside = self[name].fields["modules"].sequence
        return [self.wrap(each) for each in inside if "weight" in each.fields]

    # Translation.

    def estimate(self, net: NetBuilder, blob: Blob, name: str) -> Blob:
        """The sums around each place that an estimator computes, N x 1 x H x W."""
        planes = self.integer("nInputPlane")
        for each in self._convolutions(name):
            weight = each.tensor_field("weight")
            rows, columns = weight.shape[-2:]
            of_table = each.object.name == "SpatialConvolutionMap"
            shape = (planes, 1, rows, columns) if of_table else (1, planes, rows, columns)
            settings: dict[str, Any] = {
                "num_output": planes if of_table else 1,
                "kernel_size": [rows, columns],
                "pad": [rows // 2, columns // 2],
                "bias_term": False,
            }
            if of_table and planes > 1:
                settings["group"] = planes
            fixed = Bound(each.object, "weight", weight, shape, learned=False)
            blob = net.layer("Convolution", blob, weights=[fixed], convolution_param=settings)
        return blob

    def by_coverage(self, net: NetBuilder, sums: Blob) -> Blob:
        """Divide by the sums of an image of ones: the part of the kernel that meets the image."""
        covered = np.ones((self.integer("nInputPlane"), *sums.shape[2:]))
        for each in self._convolutions("meanestimator"):
            weight = each["weight"].array.astype(np.float64)
            if each.object.name == "SpatialConvolutionMap":
                pairs = zip(covered, weight, strict=True)
                covered = np.stack([_correlate(plane, kernel) for plane, kernel in pairs])
            else:
                pairs = zip(covered, weight[0], strict=True)
                covered = np.sum([_correlate(*pair) for pair in pairs], axis=0, keepdims=True)
        fixed = Bound(self.object, "coef", Tensor.of(1 / covered[0]), learned=False)
        return net.layer("Scale", sums, weights=[fixed], scale_param={"axis": 2, "num_axes": 2})

    def replicated(self, net: NetBuilder, blob: Blob) -> Blob:
        """One plane as many."""
        planes = self.integer("nInputPlane")
        return blob if planes == 1 else net.layer("Tile", blob, tile_param={"tiles": planes})

    def images(self, net: NetBuilder, x: Value) -> tuple[Blob, Callable[[Blob], Blob]]:
        """The input with a batch axis, and what removes it."""
        blob, undone = with_batch(net, self.one(x), 4)
        if blob.shape[1] != self.integer("nInputPlane"):
            raise LayerError(
                f"expected {self.integer('nInputPlane')} input planes, got {self.one(x)}"
            )
        return blob, undone


@module("nn.SpatialSubtractiveNormalization")
class SpatialSubtractiveNormalization(LocalNormalization):
    """``y = x - mean``, the weighted mean around each place, of all planes."""

    def construct(self, nInputPlane: int | None = None, kernel: Tensor | None = None) -> None:
        self.set_kernel(nInputPlane, kernel)
        self.scale_kernel(self["nInputPlane"])
        self["meanestimator"] = self.estimator()
        self.fill_estimator("meanestimator")
        self["subtractor"] = self.bare("nn.CSubTable", gradInput=Table())
        self["divider"] = self.bare("nn.CDivTable", gradInput=Table())
        self["coef"] = self.tensor(1, 1, 1)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, undone = self.images(net, x)
        mean = self.by_coverage(net, self.estimate(net, blob, "meanestimator"))
        both = [blob, self.replicated(net, mean)]
        return undone(net.layer("Eltwise", both, eltwise_param={"coeff": [1, -1]}))


@module("nn.SpatialDivisiveNormalization")
class SpatialDivisiveNormalization(LocalNormalization):
    """``y = x / deviation``, the root of the weighted mean of squares around each place, which is
    ``thresval`` where it is not above ``threshold``.
    """

    def construct(
        self,
        nInputPlane: int | None = None,
        kernel: Tensor | None = None,
        threshold: float | None = None,
        thresval: float | None = None,
    ) -> None:
        two = len(self.set_kernel(nInputPlane, kernel).shape) == 2
        least = 1e-4 if threshold is None else threshold
        self["threshold"], self["thresval"] = least, least if thresval is None else thresval
        self["meanestimator"], self["stdestimator"] = self.estimator(), self.estimator(squares=True)
        planes = self["nInputPlane"]
        self.scale_kernel(planes if two else math.sqrt(planes))
        for name in ("meanestimator", "stdestimator"):
            self.fill_estimator(name)
        for name in ("normalizer", "divider"):
            self[name] = self.bare("nn.CDivTable", gradInput=Table())
        self["thresholder"] = self.bare(
            "nn.Threshold", threshold=self["threshold"], val=self["thresval"], inplace=False
        )
        self["coef"] = self.tensor(1, 1, 1)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, undone = self.images(net, x)
        squares = net.layer("Power", blob, power_param={"power": 2})
        sums = self.estimate(net, squares, "stdestimator")
        above = _above(net, sums, _LEAST)
        root = net.layer("Power", above, power_param={"power": 0.5})
        deviation = self._at_least(net, self.by_coverage(net, root))
        inverse = net.layer("Power", deviation, power_param={"power": -1})
        both = [blob, self.replicated(net, inverse)]
        return undone(net.layer("Eltwise", both, eltwise_param={"operation": "PROD"}))

    def _at_least(self, net: NetBuilder, deviation: Blob) -> Blob:
        """The deviation, or ``thresval`` where it is not above ``threshold``."""
        least, value = self.number("threshold"), self.number("thresval")
        if value == least:
            return _above(net, deviation, least)
        made = self.get("thresholder")
        return self.one(net.add(module_class("nn.Threshold")(made), deviation))


@module("nn.SpatialContrastiveNormalization")
class SpatialContrastiveNormalization(LocalNormalization):
    """Subtractive and then divisive normalization with the same kernel."""

    def construct(
        self,
        nInputPlane: int | None = None,
        kernel: Tensor | None = None,
        threshold: float | None = None,
        thresval: float | None = None,
    ) -> None:
        self.set_kernel(nInputPlane, kernel)
        least = 1e-4 if threshold is None else threshold
        self["threshold"], self["thresval"] = least, least if thresval is None else thresval
        shared = (self["nInputPlane"], self["kernel"])
        subtractive = self._create("SpatialSubtractiveNormalization", *shared)
        divisive = self._create("SpatialDivisiveNormalization", *shared, least, self["thresval"])
        self["normalizer"] = self._create("Sequential")
        self["normalizer"].fields["modules"] = Table.of([subtractive, divisive])

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.add(self.wrap(self["normalizer"]), x)


def _above(net: NetBuilder, blob: Blob, least: float) -> Blob:
    """The values, or ``least`` for smaller ones."""
    return net.layer("Clip", blob, clip_param={"min": least, "max": _MOST})


def _correlate(plane: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The sums of a plane under a kernel at each place, with zeros around it."""
    (rows, columns), (height, width) = kernel.shape, plane.shape
    padded = np.pad(plane, [(rows // 2, rows // 2), (columns // 2, columns // 2)])
    total = np.zeros_like(plane)
    for r, c in np.ndindex(rows, columns):
        total += kernel[r, c] * padded[r : r + height, c : c + width]
    return total
