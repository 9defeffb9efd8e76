"""How large the values of a net are, blob by blob: what ``debug_info`` prints.

Every figure is a mean of sizes, sum(|x|) / count, as in Caffe's net.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array
from protonet.graph.net import Net


def describe_passes(net: Net) -> list[str]:
    """A line for each top and parameter of the forward pass, and each gradient of the backward
    pass, in the order of computation; then norms of all parameters.
    """
    return _forward(net) + (_backward(net) if net.gradients else [])


def _forward(net: Net) -> list[str]:
    lines = []
    for step in net.plan.steps:
        start = f"    [Forward] Layer {step.name}"
        for value in step.tops:
            lines.append(f"{start}, top blob {value.name} data: {_mean(net, net.data_of(value))}")
        for place, param in enumerate(step.layer.params):
            lines.append(f"{start}, param blob {place} data: {_mean(net, param.data)}")
    return lines


def _backward(net: Net) -> list[str]:
    lines = []
    share = 1.0 if net.loss_scale is None else 1 / float(net.loss_scale.item())
    for step in reversed(net.plan.steps):
        if not step.runs_backward:
            continue
        start = f"    [Backward] Layer {step.name}"
        for value, wanted in zip(step.bottoms, step.wanted, strict=True):
            if wanted:
                size = _mean(net, net.diff_of(value), share)
                lines.append(f"{start}, bottom blob {value.name} diff: {size}")
        for place, param in enumerate(step.layer.params):
            if param.wanted:
                lines.append(f"{start}, param blob {place} diff: {_mean(net, param.diff, share)}")
    stores = (net.store.data, net.store.diff)
    flat = [np.asarray(net.device.get(each), np.float64) for each in stores]
    flat[1] = flat[1] * share
    sums = ", ".join(f"{np.abs(each).sum():g}" for each in flat)
    lengths = ", ".join(f"{np.sqrt((each**2).sum()):g}" for each in flat)
    return [
        *lines,
        f"    [Backward] All net params (data, diff): L1 norm = ({sums}); L2 norm = ({lengths})",
    ]


def describe_update(net: Net, before: Sequence[Array]) -> list[str]:
    """A line for each parameter: its values now, and what was taken off ``before``."""
    lines = []
    for param, old in zip(net.store.params, before, strict=True):
        layer, _, place = param.name.rpartition("/")
        name = f"Layer {layer}, param {place}" if layer else f"param {param.name}"
        lines.append(
            f"    [Update] {name} data: {_mean(net, param.data)}; "
            f"diff: {_mean(net, old - param.data)}"
        )
    return lines


def _mean(net: Net, array: Array, share: float = 1.0) -> str:
    """The mean size of values times ``share``, as a C++ stream prints it."""
    host = np.asarray(net.device.get(array))
    return f"{share * np.abs(host).mean(dtype=np.float64) if host.size else 0.0:g}"
