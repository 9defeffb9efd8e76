"""A plan as idiomatic PyTorch: modules, and a forward method in plan order.

``torch.fx`` writes the forward method as straight Python, in which each value is dropped after
its last use; it runs eagerly. BatchNorm and the Scale behind it are one BatchNorm2d.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from protonet.graph.names import Value
from protonet.graph.plan import Plan, Step
from protonet.proto.caffe_pb2 import EltwiseParameter, LRNParameter, PoolingParameter


class UntranslatedError(Exception):
    """A layer, or a setting of one, that is in none of the networks that are measured."""

    def __init__(self, step: Step, what: str = "this type") -> None:
        super().__init__(f'layer "{step.name}" ({step.type}): {what} is not translated to PyTorch')


class TorchNet:
    """A plan's network.

    ``module.forward`` takes the inputs in the plan's order and returns the weighted loss where
    there is one, else the output. ``params`` has for each layer's name its tensors in Caffe's
    order, and ``statistics`` for each BatchNorm's its mean and variance.
    """

    def __init__(self, plan: Plan) -> None:
        self.params: dict[str, list[Tensor]] = {}
        self.statistics: dict[str, tuple[Tensor, Tensor]] = {}
        self._root = nn.Module()
        self._graph = fx.Graph()
        self._nodes: dict[Value, fx.Node] = {}
        for step in plan.steps:
            if step.type == "Input":
                for value in step.tops:
                    self._nodes[value] = self._graph.placeholder(value.name)
                continue
            if step.type not in TYPES:
                raise UntranslatedError(step)
            bottoms = [self._nodes[value] for value in step.bottoms]
            self._nodes[step.tops[0]] = TYPES[step.type](self, step, bottoms)
        self._graph.output(self._result(plan))
        self.module = fx.GraphModule(self._root, self._graph)
        named = sum(len(tensors) for tensors in self.params.values())
        assert named == len(list(self.module.parameters())), "a BatchNorm without a Scale"

    def load(self, weights: Mapping[str, np.ndarray]) -> None:
        """Copy parameters in, under the names ``layer/index``."""
        with torch.no_grad():
            for layer, tensors in self.params.items():
                for index, tensor in enumerate(tensors):
                    tensor.copy_(torch.from_numpy(weights[f"{layer}/{index}"]))
            for layer, tensors in self.statistics.items():
                total = float(weights[f"{layer}/2"].item())
                for index, tensor in enumerate(tensors):
                    tensor.copy_(torch.from_numpy(weights[f"{layer}/{index}"] / total))

    def _result(self, plan: Plan) -> fx.Node:
        losses = [
            self._nodes[value]
            if value.loss_weight == 1
            else self.call(torch.mul, self._nodes[value], value.loss_weight)
            for value in plan.values
            if value.loss_weight
        ]
        if losses:
            return reduce(lambda a, b: self.call(torch.add, a, b), losses)
        (output,) = plan.outputs
        return self._nodes[output]

    # What the translations below are made of.

    def apply(self, step: Step, module: nn.Module, *arguments: fx.Node) -> fx.Node:
        """Call a module, which is kept under the layer's name."""
        name = "layer_" + re.sub(r"\W", "_", step.name)
        assert not hasattr(self._root, name), f"two layers are called {name}"
        self._root.add_module(name, module)
        return self._graph.call_module(name, arguments)

    def call(self, function: Callable[..., Any], *arguments: Any) -> fx.Node:
        """Call a function."""
        return self._graph.call_function(function, arguments)

    def learn(self, step: Step, module: nn.Module) -> None:
        """Note weight and bias of a module as the layer's parameters."""
        self.params[step.name] = list(module.parameters())

    def scaled(self, step: Step) -> bool:
        """Whether the layer scales by channel what a BatchNorm gives to it alone."""
        source = step.bottoms[0]
        param = step.layer.spec.scale_param
        simple = len(step.bottoms) == 1 and (param.axis, param.num_axes) == (1, 1)
        return simple and len(source.consumers) == 1 and param.bias_term


def _pair(param: Any, name: str, default: int) -> tuple[int, int]:
    """A setting for height and width, in whichever form it is given."""
    if name != "dilation" and param.HasField(f"{name}_h"):
        return getattr(param, f"{name}_h"), getattr(param, f"{name}_w")
    given = getattr(param, "kernel_size" if name == "kernel" else name)
    given = [given] if isinstance(given, int) else list(given) or [default]
    return given[0], given[-1]


def _in_place(step: Step) -> bool:
    return step.bottoms[0].name == step.tops[0].name


def _convolution(net: TorchNet, step: Step, bottoms: list[fx.Node]) -> fx.Node:
    param = step.layer.spec.convolution_param
    transposed = step.type == "Deconvolution"
    module = (nn.ConvTranspose2d if transposed else nn.Conv2d)(
        step.shapes[0][1],
        param.num_output,
        _pair(param, "kernel", 0),
        stride=_pair(param, "stride", 1),
        padding=_pair(param, "pad", 0),
        dilation=_pair(param, "dilation", 1),
        groups=param.group,
        bias=param.bias_term,
    )
    net.learn(step, module)
    return net.apply(step, module, bottoms[0])


def _inner_product(net: TorchNet, step: Step, bottoms: list[fx.Node]) -> fx.Node:
    param, shape = step.layer.spec.inner_product_param, step.shapes[0]
    if param.axis != 1 or param.transpose:
        raise UntranslatedError(step, "axis or transpose")
    module = nn.Linear(int(np.prod(shape[1:])), param.num_output, bias=param.bias_term)
    net.learn(step, module)
    x = bottoms[0] if len(shape) == 2 else net.call(torch.flatten, bottoms[0], 1)
    return net.apply(step, module, x)


def _pooling(net: TorchNet, step: Step, bottoms: list[fx.Node]) -> fx.Node:
    param = step.layer.spec.pooling_param
    average = param.pool == PoolingParameter.AVE
    if param.pool == PoolingParameter.STOCHASTIC or len(step.tops) > 1:
        raise UntranslatedError(step, "STOCHASTIC or the mask")
    if param.global_pooling:
        module = nn.AdaptiveAvgPool2d(1) if average else nn.AdaptiveMaxPool2d(1)
        return net.apply(step, module, bottoms[0])
    down = param.round_mode == PoolingParameter.FLOOR
    if param.HasField("ceil_mode"):
        down = not param.ceil_mode
    pad = _pair(param, "pad", 0)
    # Without padding this says the same, and torch.compile then has the gradient of windows that
    # reach over the edge: with padding to count, it divides them by the whole window.
    more = {"count_include_pad": any(pad)} if average else {}
    module = (nn.AvgPool2d if average else nn.MaxPool2d)(
        _pair(param, "kernel", 0), _pair(param, "stride", 1), pad, ceil_mode=not down, **more
    )
    return net.apply(step, module, bottoms[0])


def _lrn(net: TorchNet, step: Step, bottoms: list[fx.Node]) -> fx.Node:
    param = step.layer.spec.lrn_param
    if param.norm_region != LRNParameter.ACROSS_CHANNELS:
        raise UntranslatedError(step, "WITHIN_CHANNEL")
    module = nn.LocalResponseNorm(param.local_size, param.alpha, param.beta, param.k)
    return net.apply(step, module, bottoms[0])


def _relu(net: TorchNet, step: Step, bottoms: list[fx.Node]) -> fx.Node:
    slope, inplace = step.layer.spec.relu_param.negative_slope, _in_place(step)
    module = nn.LeakyReLU(slope, inplace=inplace) if slope else nn.ReLU(inplace=inplace)
    return net.apply(step, module, bottoms[0])


def _dropout(net: TorchNet, step: Step, bottoms: list[fx.Node]) -> fx.Node:
    return net.apply(step, nn.Dropout(step.layer.spec.dropout_param.dropout_ratio), bottoms[0])


def _batch_norm(net: TorchNet, step: Step, bottoms: list[fx.Node]) -> fx.Node:
    """With gamma and beta, which are the parameters of the Scale that must follow."""
    param = step.layer.spec.batch_norm_param
    module = nn.BatchNorm2d(
        step.shapes[0][1], eps=param.eps, momentum=1 - param.moving_average_fraction
    )
    net.statistics[step.name] = (module.running_mean, module.running_var)
    return net.apply(step, module, bottoms[0])


def _scale(net: TorchNet, step: Step, bottoms: list[fx.Node]) -> fx.Node:
    """Nothing to compute: gamma and beta of the BatchNorm2d before it."""
    node = bottoms[0]
    module = net._root.get_submodule(node.target) if node.op == "call_module" else None
    if not isinstance(module, nn.BatchNorm2d) or not net.scaled(step):
        raise UntranslatedError(step, "one that does not follow BatchNorm")
    net.learn(step, module)
    return node


def _concat(net: TorchNet, step: Step, bottoms: list[fx.Node]) -> fx.Node:
    return net.call(torch.cat, bottoms, step.layer.spec.concat_param.axis)


def _eltwise(net: TorchNet, step: Step, bottoms: list[fx.Node]) -> fx.Node:
    param = step.layer.spec.eltwise_param
    if param.operation != EltwiseParameter.SUM or param.coeff:
        raise UntranslatedError(step, "anything but a plain sum")
    return reduce(lambda a, b: net.call(torch.add, a, b), bottoms)


def _power(net: TorchNet, step: Step, bottoms: list[fx.Node]) -> fx.Node:
    param = step.layer.spec.power_param
    if param.power != 1 or param.shift:
        raise UntranslatedError(step, "anything but a scale")
    return net.call(torch.mul, bottoms[0], param.scale)


def _softmax(net: TorchNet, step: Step, bottoms: list[fx.Node]) -> fx.Node:
    return net.apply(step, nn.Softmax(step.layer.spec.softmax_param.axis), bottoms[0])


def _softmax_loss(net: TorchNet, step: Step, bottoms: list[fx.Node]) -> fx.Node:
    scores, labels = bottoms
    if len(step.shapes[0]) > 2:
        if max(step.shapes[0][2:]) > 1:
            raise UntranslatedError(step, "a loss for each pixel")
        scores = net.call(torch.flatten, scores, 1)
    return net.apply(step, nn.CrossEntropyLoss(), scores, labels)


def _euclidean_loss(net: TorchNet, step: Step, bottoms: list[fx.Node]) -> fx.Node:
    total = net.apply(step, nn.MSELoss(reduction="sum"), *bottoms)
    return net.call(torch.mul, total, 0.5 / step.shapes[0][0])


TYPES: dict[str, Callable[[TorchNet, Step, list[fx.Node]], fx.Node]] = {
    "BatchNorm": _batch_norm,
    "Concat": _concat,
    "Convolution": _convolution,
    "Deconvolution": _convolution,
    "Dropout": _dropout,
    "Eltwise": _eltwise,
    "EuclideanLoss": _euclidean_loss,
    "InnerProduct": _inner_product,
    "LRN": _lrn,
    "Pooling": _pooling,
    "Power": _power,
    "ReLU": _relu,
    "Scale": _scale,
    "Softmax": _softmax,
    "SoftmaxWithLoss": _softmax_loss,
}
