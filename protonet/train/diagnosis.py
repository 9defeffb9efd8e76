"""Why a loss is not finite: the first non-finite blob, and what usually helps."""

from __future__ import annotations

import math

import numpy as np

from protonet.blob import Array
from protonet.graph.inspection import tops_in_order
from protonet.graph.net import Net


def explain_divergence(net: Net, iteration: int) -> str:
    """Name the first layer and blob with a non-finite value, and give advice."""
    place = "the loss"
    advice = (
        "a smaller learning rate (base_lr, --lr), smaller inputs (transform_param scale, a mean), "
        "or clip_gradients usually help"
    )
    if net.loss_scale is not None:
        advice += "; float16 overflows beyond 65504, bfloat16 does not (--precision)"
    with np.errstate(all="ignore"):
        for index, value, data in tops_in_order(net):
            step, params = net.plan.steps[index], net.layers[index].params
            layer = f'layer "{step.name}" ({step.type})'
            bad = [i for i, param in enumerate(params) if not _finite(net, param.data)]
            if bad:
                place = (
                    f"parameter {bad[0]} of {layer}, which became non-finite in an earlier update"
                )
                break
            if not _finite(net, data):
                place = f'blob "{value.name}" of {layer}'
                if not step.bottoms:
                    advice = "the data itself contains non-finite values: repair the database"
                break
    return f"iteration {iteration}: the loss is not a finite number; it began in {place}; {advice}"


def _finite(net: Net, array: Array) -> bool:
    """Whether every value is finite, checked without a temporary array."""
    host = np.asarray(net.device.get(array))
    return math.isfinite(float(host.sum(dtype=np.float64)))
