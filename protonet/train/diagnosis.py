"""Why a loss is not finite: the first bad blob, and what usually helps."""

from __future__ import annotations

import math

from protonet.graph.net import Net


def explain_divergence(net: Net, iteration: int) -> str:
    """Name the first layer and blob with a value that is not finite, and give advice."""
    place = "the loss"
    advice = (
        "a smaller learning rate (base_lr, --lr), smaller inputs (transform_param scale, a mean), "
        "or clip_gradients usually help"
    )
    for step, name, data in net.blob_in_order():
        if math.isfinite(float(data.sum())):
            continue
        place = f'blob "{name}" of layer "{step.name}" ({step.type})'
        bad = [i for i, p in enumerate(step.layer.params) if not math.isfinite(float(p.data.sum()))]
        if bad:
            place += f", whose parameter {bad[0]} is not finite since an earlier update"
        elif not step.bottoms:
            advice = "the data itself holds values that are not finite: mend the database"
        break
    return f"iteration {iteration}: the loss is not a finite number; it began in {place}; {advice}"
