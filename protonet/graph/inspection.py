"""Statistics of a net blob by blob: the output of ``debug_info``, and the search for non-finite
values.

Every figure is a mean absolute value, sum(|x|) / count, as in Caffe's net.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from protonet.blob import Array
from protonet.graph.names import Value
from protonet.graph.net import Net
from protonet.graph.plan import Step


def describe_passes(net: Net) -> list[str]:
    """Run a forward pass, and a backward pass if the net has gradients. Returns a line for each top
    and parameter of the forward pass and each gradient of the backward pass, taken when their
    layer has run; then the norms of all parameters.
    """
    return _forward(net) + (_backward(net) if net.gradients else [])


def _forward(net: Net) -> list[str]:
    lines = []
    for index, layer in enumerate(net.layers):
        net.forward_step(index)
        start = f"    [Forward] Layer {layer.name}"
        for value in net.plan.steps[index].tops:
            lines.append(f"{start}, top blob {value.name} data: {_mean(net, net.data_of(value))}")
        for place, param in enumerate(layer.params):
            lines.append(f"{start}, param blob {place} data: {_mean(net, param.data)}")
    net.clock.iteration += 1
    return lines


def _backward(net: Net) -> list[str]:
    lines = []
    share = 1.0 if net.loss_scale is None else 1 / float(net.loss_scale.item())
    net.backward_step(len(net.layers))
    for index in range(len(net.layers) - 1, -1, -1):
        step, layer = net.plan.steps[index], net.layers[index]
        if not step.runs_backward:
            continue
        net.backward_step(index)
        start = f"    [Backward] Layer {step.name}"
        for value, wanted in zip(step.bottoms, step.wanted, strict=True):
            if wanted:
                size = _mean(net, net.diff_of(value), share)
                lines.append(f"{start}, bottom blob {value.name} diff: {size}")
        for place, param in enumerate(layer.params):
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


def tops_in_order(net: Net) -> Iterator[tuple[int, Value, Array]]:
    """Every top of the last forward pass as (step, value, data), in execution order.

    With gradients, the steps that can be repeated run again one by one, on the same data with the
    same random numbers; this overwrites the memory that values share.
    """
    again = net.gradients and net.clock.iteration > 0
    net.clock.iteration -= again
    try:
        for index, step in enumerate(net.plan.steps):
            if again and step.tops and _can_repeat(net, step):
                net.forward_step(index)
            for value in step.tops:
                yield index, value, net.data_of(value)
    finally:
        net.clock.iteration += again


def _can_repeat(net: Net, step: Step) -> bool:
    """Whether a step can run again: it is a function of its bottoms, and no in-place layer has
    overwritten these.
    """
    return step.can_repeat and not any(
        value in net.layout.saved_data and not net.plan.steps[value.producer].can_repeat
        for value in step.bottoms
    )


def describe_update(net: Net, before: Sequence[Array]) -> list[str]:
    """A line for each parameter: its values, and the difference to ``before``."""
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
    """The mean absolute value times ``share``, formatted as by a C++ stream."""
    host = np.asarray(net.device.get(array))
    return f"{share * np.abs(host).mean(dtype=np.float64) if host.size else 0.0:g}"
