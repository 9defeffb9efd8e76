"""Batch normalization."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from protonet.blob import Array, Param, Shape
from protonet.errors import LayerError
from protonet.kernels.normalization import RunningStatistics
from protonet.layers.base import Kind, Layer, LowPrecision, Reads, Traits, Weight
from protonet.layers.batch_moments import moments_of
from protonet.layers.fillers import filled_weight
from protonet.layers.registry import register
from protonet.layers.scaling import Scale
from protonet.proto.caffe_pb2 import FillerParameter

_PARAM = "batch_norm_param"

_KINDS = {
    (False, False): Kind.NORMALIZATION,
    (False, True): Kind.FIXED_NORMALIZATION,
    (True, False): Kind.SCALED_NORMALIZATION,
    (True, True): Kind.FIXED_SCALED_NORMALIZATION,
}
"""By whether it has a scale and whether it uses running statistics."""


@register("BatchNorm")
class BatchNorm(Layer):
    """y = (x - mean) / sqrt(var + eps) for each channel (Ioffe and Szegedy, ICML 2015).

    In TRAIN mean and var are those of the batch, dx = (dy - mean(dy) - y mean(dy y)) / sqrt(var +
    eps),
    and running sums are updated: sums = f sums + batch, with var times m / (m - 1) for m values a
    channel. With global statistics mean and var are those sums divided by their weight, and
    dx = dy / sqrt(var + eps).

    With ``scale_bias``, the top is z = s y + b for each channel (ds = sum(dz y), db = sum(dz)).
    With it, or ``running_averages``, the statistics are running averages of weight 1: mean = f mean
    + (1 - f) batch, var likewise; the first batch initializes them. With ``running_averages``, a
    batch of one item in TRAIN is normalized with them and leaves them as they are, unless
    use_global_stats is given.

    With global statistics and ``add_eps_before_sqrt: false``, eps is added to sqrt(var) instead of
    var.

    Bottom:
        0: x, N x C x ...; of one axis, a single channel.
    Top:
        0: y, the shape of x.
    Params:
        0: sum of means, C. Not updated by the solver.
        1: sum of variances, C. Not updated by the solver.
        2: weight of the sums, 1. Not updated by the solver.
        3 and 4, with scale_bias: s and b, C each.
    Spec:
        batch_norm_param: use_global_stats (true in TEST), moving_average_fraction f (0.999),
        eps (1e-5), running_averages (false); of NVIDIA's fork: scale_bias (false; a scale_filler
        or bias_filler implies it), scale_filler (constant 1), bias_filler (constant 0); of
        Synopsys' fork: add_eps_before_sqrt (true); of Intel's: filler, which is read as that of
        the Scale layer that follows.
    Raises:
        LayerError: for an invalid filler, and for add_eps_before_sqrt: false with the statistics of
        a batch.
    Differs:
        no, but for running_averages, which Torch7 has. A weight of 0 gives mean and variance 0, as
        in Caffe. scale_bias is of NVIDIA's fork, which takes the first two batches whole, keeps
        var + eps without the m / (m - 1) on the CPU, ignores use_global_stats and the lr_mult and
        decay_mult of s and b, and takes an eps of at least 1e-5. Three parameters of a file load
        into five: s and b stay as they are. So do five in the order of its 0.15, which a fifth of
        a single value tells.
    """

    traits = Traits(
        backward_reads=frozenset({Reads.TOPS}),
        in_place=True,
        low_precision=LowPrecision.WITH_BOTTOMS,
        in_kernels=True,
        absorbs=True,
    )

    def setup(self) -> None:
        param = self.spec.batch_norm_param
        self.scales = (
            param.scale_bias or param.HasField("scale_filler") or param.HasField("bias_filler")
        )
        self.averages = self.scales or param.running_averages
        self.uses_global = not self.training
        if param.HasField("use_global_stats"):
            self.uses_global = param.use_global_stats
        self.alone_uses_global = param.running_averages and not param.HasField("use_global_stats")
        self.traits = replace(self.traits, kind=_KINDS[self.scales, self.uses_global])
        if self.scales:
            # x cannot be recovered from the top where s is 0
            self.traits = replace(self.traits, backward_reads=frozenset({Reads.BOTTOMS}))
        self.fraction, self.eps = float(param.moving_average_fraction), float(param.eps)
        self.eps_outside = not param.add_eps_before_sqrt
        if self.eps_outside and (not self.uses_global or self.eps <= 0):
            raise LayerError(
                "add_eps_before_sqrt: false needs global statistics and an eps above 0",
                (_PARAM, "add_eps_before_sqrt"),
                "use_global_stats: true takes those of the training",
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [shapes[0]]

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        param, channels = self.spec.batch_norm_param, (self._channels(shapes[0]),)
        weights = [Weight(shape, None, 0.0, 0.0) for shape in (channels, channels, (1,))]
        if self.scales:
            given = param.HasField("scale_filler")
            scale = param.scale_filler if given else FillerParameter(value=1)
            weights.append(filled_weight(channels, scale, (_PARAM, "scale_filler")))
            weights.append(filled_weight(channels, param.bias_filler, (_PARAM, "bias_filler")))
        return weights

    def convert_weights(self, weights: Sequence[np.ndarray | None]) -> Sequence[np.ndarray | None]:
        """Convert sums to averages: three parameters become five, s and b stay. Or five of NVIDIA's
        0.15 (s, b, mean, variance and an unused value).
        """
        arrays = [np.asarray(array) for array in weights if array is not None]
        if not self.averages or len(arrays) != len(weights):
            return weights
        if len(arrays) == 3:
            means, variances, weight = arrays
            divisor = float(weight.sum()) or 1.0
            averages = [means / divisor, variances / divisor, np.sign(weight)]
            return [*averages, None, None] if self.scales else averages
        if not self.scales:
            return weights
        if len(arrays) == 5 and arrays[4].size == 1 < arrays[2].size:
            scale, bias, mean, variance, _ = arrays
            return [mean, variance, np.ones(1), scale, bias]
        if len(arrays) == 5 and not arrays[2].any() and arrays[1].any():
            # the fork never reads the weight: an older file has its unused value there
            return [*arrays[:2], np.ones_like(arrays[2]), *arrays[3:]]
        return weights

    def _channels(self, shape: Shape) -> int:
        return shape[1] if len(shape) > 1 else 1

    def build(self, shapes: Sequence[Shape]) -> None:
        items, channels, places = self._split_shape(shapes[0])
        self._kernel, whole = moments_of(self, items, channels, places, self.eps)
        self._fixed = self.uses_global or (self.alone_uses_global and whole == 1)
        values = whole * places
        unbiased = values / (values - 1) if values > 1 else 1.0
        self._running = RunningStatistics.make(
            self.device, self.real, channels, self.fraction, self.averages, unbiased
        )
        self._mean, self._var, self._inverse, self._factor, self._shift = (
            self.scratch((channels,), self.real) for _ in range(5)
        )
        self._weight = self.scratch((1,), self.real)

    def _split_shape(self, shape: Shape) -> tuple[int, int, int]:
        """Items, channels and positions per channel."""
        items, channels = shape[0] if shape else 1, self._channels(shape)
        return items, channels, math.prod(shape) // max(1, items * channels)

    def affine(self) -> tuple[Array, Array | None]:
        self._read_statistics()
        scale, bias = (param.data if param is not None else None for param in self._scale_bias)
        self._invert()
        self._kernel.fold(self._mean, self._inverse, scale, bias, self._factor, self._shift)
        return self._factor, self._shift

    def _invert(self) -> None:
        """Write 1 / sqrt(var + eps), or 1 / (sqrt(var) + eps)."""
        if not self.eps_outside:
            self._kernel.invert(self._var, self._inverse)
            return
        xp, inverse = self.xp, self._inverse
        xp.sqrt(self._var, out=inverse)
        xp.add(inverse, self.eps, out=inverse)
        xp.divide(1.0, inverse, out=inverse)

    @property
    def _scale_bias(self) -> tuple[Param | None, Param | None]:
        """Scale and bias: its own, or those of a fused Scale layer."""
        found = self.params[3:] if self.scales else []
        if self.fused.layers and isinstance(self.fused.layers[0], Scale):
            found = self.fused.layers[0].params
        return (*found, None, None)[0], (*found, None, None)[1]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        kernel, rectify = self._kernel, self.fused.rectify
        if self._fixed:
            factor, shift = self.affine()
            kernel.forward_inference(bottoms[0], factor, shift, tops[0], rectify=rectify)
            return
        scale, bias = (param.data if param is not None else None for param in self._scale_bias)
        kernel.forward_train(
            bottoms[0], scale, bias, tops[0], self._mean, self._var, self._inverse,
            rectify=rectify,
        )  # fmt: skip
        means, variances, weight = (param.data for param in self.params[:3])
        self._running.add(self._mean, self._var, means, variances, weight)

    def _read_statistics(self) -> None:
        """Compute mean and variance from the running sums."""
        xp, (means, variances, weight) = self.xp, self.params[:3]
        # 1 / weight, or 0 for a weight of 0: sign(w) / max(w, tiny)
        xp.maximum(weight.data, 1e-30, out=self._weight)
        xp.divide(xp.sign(weight.data), self._weight, out=self._weight)
        xp.multiply(means.data, self._weight, out=self._mean)
        xp.multiply(variances.data, self._weight, out=self._var)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        params = self._scale_bias
        scale, bias = (param.data if param is not None else None for param in params)
        dscale, dbias = (
            param.diff if param is not None and param.wanted else None for param in params
        )
        from_bottom = self._reads_bottom
        self._kernel.backward(
            dtops[0],
            bottoms[0] if from_bottom else tops[0],
            scale,
            bias,
            self._mean if from_bottom else None,
            self._inverse,
            dbottoms[0],
            dscale,
            dbias,
            rectify=self.fused.rectify,
            fixed=self._fixed,
        )

    @property
    def _reads_bottom(self) -> bool:
        """Whether the backward pass reads x, instead of the top."""
        return self.scales or bool(self.fused.layers)
