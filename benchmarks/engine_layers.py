"""Where protonet's time goes: the layers of a network by their kind.

``python engine_layers.py deploy.prototxt`` prints as JSON seconds and operations of each kind, from
passes in which every layer is timed by itself.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from protonet.graph.calls import run
from protonet.graph.cost import arithmetic
from protonet.graph.plan import Plan, Step
from protonet_deployed_side import Inference

_PASSES = 15


def kind(step: Step) -> str:
    """The type of a layer, and of a convolution its windows."""
    if step.type != "Convolution":
        return step.type
    (weight, *_) = step.weights
    _, channels, *window = weight.shape
    depthwise = ", depthwise" if channels == 1 < step.shapes[0][1] else ""
    return f"Convolution {' x '.join(map(str, window))}{depthwise}"


def operations(plan: Plan, step: Step) -> int:
    """Of a layer and those that are fused into it."""
    return arithmetic(step) + sum(arithmetic(plan.steps[at]) for at in step.absorbed)


def by_kind(model: Path) -> dict[str, tuple[float, int]]:
    """Seconds of a pass and operations of the layers of each kind."""
    inputs = np.load(model.with_name(f"inputs-{model.stem.split('-')[1]}.npy"))
    net = Inference(model, inputs, "float32", 2).net
    seconds: dict[int, list[float]] = defaultdict(list)
    for _ in range(_PASSES):
        for index, calls in net.forward_steps:
            began = time.perf_counter()
            run(calls)
            seconds[index].append(time.perf_counter() - began)
    found: dict[str, tuple[float, int]] = {}
    for index, took in seconds.items():
        step = net.plan.steps[index]
        before = found.get(kind(step), (0.0, 0))
        done = operations(net.plan, step)
        found[kind(step)] = (before[0] + statistics.median(took), before[1] + done)
    return found


if __name__ == "__main__":
    print(json.dumps(by_kind(Path(sys.argv[1]))))
