"""A plan as idiomatic JAX: a function of parameters and inputs, in the layout that XLA prefers.

Images are NHWC and windows HWIO, as in Flax; vectors of an inner product are taken from such
images as they lie, so its weights are stored in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from protonet.graph.names import Value
from protonet.graph.plan import Plan, Step
from protonet.proto.caffe_pb2 import EltwiseParameter, LRNParameter, PoolingParameter

Weights = dict[str, list[Array]]


class UntranslatedError(Exception):
    """A layer, or a setting of one, that is in none of the networks that are measured."""

    def __init__(self, step: Step, what: str = "this type") -> None:
        super().__init__(f'layer "{step.name}" ({step.type}): {what} is not translated to JAX')


class JaxNet:
    """A plan's network: ``loss(params, statistics, inputs, key)``.

    ``dtype`` is that of products and what follows them; parameters, statistics and losses stay
    in float32.
    """

    def __init__(self, plan: Plan, dtype: Any = jnp.float32) -> None:
        self.dtype = dtype
        self.plan = plan
        self._steps = [step for step in plan.steps if step.type != "Input"]
        for step in self._steps:
            if step.type not in TYPES:
                raise UntranslatedError(step)

    def load(self, arrays: Mapping[str, np.ndarray]) -> tuple[Weights, Weights]:
        """Parameters that are learned, and statistics, from arrays named ``layer/index``."""
        params: Weights = {}
        statistics: Weights = {}
        for step in self._steps:
            found = [arrays[f"{step.name}/{index}"] for index in range(len(step.params))]
            if step.type == "BatchNorm":
                mean, var, total = found
                statistics[step.name] = [jnp.asarray(x / total.item()) for x in (mean, var)]
            elif found:
                params[step.name] = [jnp.asarray(_to_jax(step, array)) for array in found]
        return params, statistics

    def arrays(self, params: Weights) -> dict[str, np.ndarray]:
        """Parameters in Caffe's order, under the names ``layer/index``."""
        return {
            f"{step.name}/{index}": _to_caffe(step, np.asarray(array))
            for step in self._steps
            for index, array in enumerate(params.get(step.name, ()))
        }

    def inputs(self, arrays: Mapping[str, np.ndarray]) -> list[Array]:
        """The inputs in the plan's order."""
        found = [arrays[value.name] for value in self.plan.inputs]
        return [jnp.asarray(x.transpose(0, 2, 3, 1) if x.ndim == 4 else x) for x in found]

    def loss(
        self, params: Weights, statistics: Weights, inputs: list[Array], key: Array
    ) -> tuple[Array, Weights]:
        """The weighted loss, and the statistics after the pass."""
        blobs: dict[Value, Array] = dict(zip(self.plan.inputs, inputs, strict=True))
        run = Pass(params, dict(statistics), key, self.dtype)
        for step in self._steps:
            bottoms = [blobs[value] for value in step.bottoms]
            blobs[step.tops[0]] = TYPES[step.type](run, step, *bottoms)
        losses = [blobs[x].sum() * x.loss_weight for x in self.plan.values if x.loss_weight]
        return sum(losses[1:], losses[0]), run.statistics


class Pass:
    """What the layers of a pass share."""

    def __init__(self, params: Weights, statistics: Weights, key: Array, dtype: Any) -> None:
        self.params, self.statistics, self.key, self.dtype = params, statistics, key, dtype

    def rounded(self, step: Step, x: Array) -> tuple[Array, ...]:
        """An input and the parameters of a layer with products, in the type of products."""
        return tuple(each.astype(self.dtype) for each in (x, *self.params[step.name]))


def _to_jax(step: Step, array: np.ndarray) -> np.ndarray:
    if step.type == "Convolution" and array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    if step.type == "InnerProduct" and array.ndim == 2 and len(step.shapes[0]) == 4:
        return array.reshape(-1, *step.shapes[0][1:]).transpose(0, 2, 3, 1).reshape(array.shape)
    return array


def _to_caffe(step: Step, array: np.ndarray) -> np.ndarray:
    if step.type == "Convolution" and array.ndim == 4:
        return array.transpose(3, 2, 0, 1)
    if step.type == "InnerProduct" and array.ndim == 2 and len(step.shapes[0]) == 4:
        _, channels, height, width = step.shapes[0]
        found = array.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
        return found.reshape(array.shape)
    return array


def _pair(param: Any, name: str, default: int) -> tuple[int, int]:
    """A setting for height and width, in whichever form it is given."""
    if name != "dilation" and param.HasField(f"{name}_h"):
        return getattr(param, f"{name}_h"), getattr(param, f"{name}_w")
    given = getattr(param, "kernel_size" if name == "kernel" else name)
    given = [given] if isinstance(given, int) else list(given) or [default]
    return given[0], given[-1]


def _convolution(run: Pass, step: Step, bottom: Array) -> Array:
    param = step.layer.spec.convolution_param
    x, weight, *bias = run.rounded(step, bottom)
    y = lax.conv_general_dilated(
        x,
        weight,
        _pair(param, "stride", 1),
        [(pad, pad) for pad in _pair(param, "pad", 0)],
        rhs_dilation=_pair(param, "dilation", 1),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=param.group,
    )
    return y + bias[0] if bias else y


def _inner_product(run: Pass, step: Step, bottom: Array) -> Array:
    param = step.layer.spec.inner_product_param
    if param.axis != 1 or param.transpose:
        raise UntranslatedError(step, "axis or transpose")
    x, weight, *bias = run.rounded(step, bottom)
    y = x.reshape(len(x), -1) @ weight.T
    return y + bias[0] if bias else y


def _pooling(_: Pass, step: Step, x: Array) -> Array:
    """Windows begin at the padding and end where the plan's shape of the top ends."""
    param = step.layer.spec.pooling_param
    if param.pool == PoolingParameter.STOCHASTIC or len(step.tops) > 1:
        raise UntranslatedError(step, "STOCHASTIC or the mask")
    average = param.pool == PoolingParameter.AVE
    if param.global_pooling:
        return (jnp.mean if average else jnp.max)(x, (1, 2), keepdims=True)
    kernel, stride, pad = (_pair(param, "kernel", 0), _pair(param, "stride", 1),
                           _pair(param, "pad", 0))  # fmt: skip
    sizes, tops = x.shape[1:3], (step.tops[0].shape or ())[2:]
    ends = [max(0, (tops[i] - 1) * stride[i] + kernel[i] - sizes[i] - pad[i]) for i in range(2)]
    around = ((0, 0), *zip(pad, ends, strict=True), (0, 0))
    window, strides = (1, *kernel, 1), (1, *stride, 1)
    if not average:
        return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, around)
    total = lax.reduce_window(x, 0.0, lax.add, window, strides, around)
    rows, columns = (
        np.minimum(kernel[i], sizes[i] + 2 * pad[i] - stride[i] * np.arange(tops[i]))
        for i in range(2)
    )
    return total / np.outer(rows, columns)[:, :, None].astype(x.dtype)


def _lrn(_: Pass, step: Step, x: Array) -> Array:
    param = step.layer.spec.lrn_param
    if param.norm_region != LRNParameter.ACROSS_CHANNELS:
        raise UntranslatedError(step, "WITHIN_CHANNEL")
    side = param.local_size // 2
    around = ((0, 0), (0, 0), (0, 0), (side, side))
    window = (1, 1, 1, param.local_size)
    total = lax.reduce_window(x * x, 0.0, lax.add, window, (1, 1, 1, 1), around)
    return x * (param.k + param.alpha / param.local_size * total) ** -param.beta


def _relu(_: Pass, step: Step, x: Array) -> Array:
    slope = step.layer.spec.relu_param.negative_slope
    return jax.nn.leaky_relu(x, slope) if slope else jax.nn.relu(x)


def _dropout(run: Pass, step: Step, x: Array) -> Array:
    kept = 1 - step.layer.spec.dropout_param.dropout_ratio
    run.key, key = jax.random.split(run.key)
    return jnp.where(jax.random.bernoulli(key, kept, x.shape), x / kept, 0)


def _batch_norm(run: Pass, step: Step, x: Array) -> Array:
    """Normalizes by the batch, and moves the statistics towards it, all in float32."""
    param = step.layer.spec.batch_norm_param
    wide = x.astype(jnp.float32)
    axes = tuple(range(x.ndim - 1))
    mean, var = wide.mean(axes), wide.var(axes)
    kept, unbiased = param.moving_average_fraction, x.size / (x.size - x.shape[-1])
    found = (lax.stop_gradient(mean), lax.stop_gradient(var) * unbiased)
    run.statistics[step.name] = [
        kept * old + (1 - kept) * new
        for old, new in zip(run.statistics[step.name], found, strict=True)
    ]
    return ((wide - mean) * lax.rsqrt(var + param.eps)).astype(x.dtype)


def _scale(run: Pass, step: Step, x: Array) -> Array:
    param = step.layer.spec.scale_param
    if len(step.bottoms) > 1 or (param.axis, param.num_axes) != (1, 1):
        raise UntranslatedError(step, "anything but channels")
    gamma, *beta = run.params[step.name]
    y = x * gamma.astype(x.dtype)
    return y + beta[0].astype(x.dtype) if beta else y


def _concat(_: Pass, step: Step, *bottoms: Array) -> Array:
    if step.layer.spec.concat_param.axis != 1:
        raise UntranslatedError(step, "axis")
    return jnp.concatenate(bottoms, -1)


def _eltwise(_: Pass, step: Step, *bottoms: Array) -> Array:
    param = step.layer.spec.eltwise_param
    if param.operation != EltwiseParameter.SUM or param.coeff:
        raise UntranslatedError(step, "anything but a plain sum")
    return sum(bottoms[1:], bottoms[0])


def _power(_: Pass, step: Step, x: Array) -> Array:
    param = step.layer.spec.power_param
    if param.power != 1 or param.shift:
        raise UntranslatedError(step, "anything but a scale")
    return x * param.scale


def _softmax_loss(_run: Pass, _step: Step, scores: Array, labels: Array) -> Array:
    scores = scores.reshape(len(labels), -1).astype(jnp.float32)
    found = jnp.take_along_axis(scores, labels.reshape(-1, 1), 1)[:, 0]
    return (jax.nn.logsumexp(scores, 1) - found).mean()


def _euclidean_loss(_run: Pass, _step: Step, a: Array, b: Array) -> Array:
    return ((a.astype(jnp.float32) - b) ** 2).sum() * (0.5 / len(a))


TYPES: dict[str, Callable[..., Array]] = {
    "BatchNorm": _batch_norm,
    "Concat": _concat,
    "Convolution": _convolution,
    "Dropout": _dropout,
    "Eltwise": _eltwise,
    "EuclideanLoss": _euclidean_loss,
    "InnerProduct": _inner_product,
    "LRN": _lrn,
    "Pooling": _pooling,
    "Power": _power,
    "ReLU": _relu,
    "Scale": _scale,
    "SoftmaxWithLoss": _softmax_loss,
}
