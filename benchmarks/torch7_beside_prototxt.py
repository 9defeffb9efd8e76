"""Whether a network trains as fast as a Lua text of Torch7 as in prototxt: the same layers, side by
side in alternating rounds, on a CPU.

    python benchmarks/torch7_beside_prototxt.py [lenet|googlenet] [ROUNDS]

Prints milliseconds an iteration of both, and the median of the ratios of the rounds.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

from cases import CASES, Case
from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.jobs.reading.network import DataShapes, read_definition
from protonet.proto.caffe_pb2 import TRAIN, SolverParameter
from protonet.proto.text import Source
from protonet.train.trainer import Trainer

_SECONDS = 2.0
"""Of a side, in each round."""


def lua_plan(case: Case) -> Plan:
    """The plan of the same network in Lua."""
    path = Path(__file__).parent / "torch7" / f"{case.name}.lua"
    shapes = DataShapes(inputs={"data": (case.batch, *case.image)}, batch_size=case.batch)
    return plan_net(read_definition(Source.read(path), shapes), phase=TRAIN, stages=["train"])


def trainer(case: Case, plan: Plan) -> Trainer:
    """A training of a plan, on random images and labels."""
    net = Net(plan, Device(), packed=True)
    for name, values in case.inputs(plan).items():
        net.inputs[name].data[...] = values
    solver = SolverParameter(
        base_lr=1e-4, lr_policy="fixed", momentum=0.9, weight_decay=5e-4, max_iter=2**31 - 1
    )
    return Trainer(solver, net, alone=True)


def seconds(side: Trainer, iterations: int) -> float:
    """The time of an iteration."""
    begun = time.perf_counter()
    side.advance(iterations)
    return (time.perf_counter() - begun) / iterations


def main() -> None:
    """Measure one network, or both."""
    names = sys.argv[1:2] or ["lenet", "googlenet"]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    for name in names:
        case = CASES[name]
        sides = [trainer(case, case.training()), trainer(case, lua_plan(case))]
        for side in sides:
            side.advance(2)
        iterations = max(1, round(_SECONDS / seconds(sides[0], 2)))
        times: list[tuple[float, float]] = []
        for turn in range(rounds):
            order = sides if turn % 2 == 0 else sides[::-1]
            found = {id(side): seconds(side, iterations) for side in order}
            times.append((found[id(sides[0])], found[id(sides[1])]))
        prototxt, lua = (1e3 * median(column) for column in zip(*times, strict=True))
        ratio = median(one / other for one, other in times)
        print(f"{name}: prototxt {prototxt:.2f} ms, Lua {lua:.2f} ms, ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
