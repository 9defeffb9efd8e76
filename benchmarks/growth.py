"""How the cost of a unit grows with the work: of a layer from 10 layers to 1,000, of an image from
batch 1 to 64, of a record from 1,000 records to 1,000,000.

    python benchmarks/growth.py [--quick] [--markdown]

Processor microseconds, the least of three measurements. ``--quick`` stops at 100,000 records,
``--markdown`` also writes RESULTS-GROWTH.md.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from cases import CASES
from protonet.data.database import Database
from protonet.data.writer import DatabaseWriter
from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST, Datum
from protonet.proto.text import Source, read_net
from report import Target, number_text, table, targets_table

_LAYERS, _BATCHES = (10, 100, 1000), (1, 4, 16, 64)
_ROUNDS = 3
_STEP = 1.1
"""A unit may cost so many times that of the size before."""

Costs = dict[int, float]
"""Microseconds of a unit by size."""


def chain(count: int) -> str:
    """A text of ``count`` layers, by turns convolutions and rectifiers."""
    shape = "shape { dim: 1 dim: 8 dim: 6 dim: 6 }"
    lines = [f'layer {{ name: "in" type: "Input" top: "b0" input_param {{ {shape} }} }}']
    size = "num_output: 8 kernel_size: 3 pad: 1"
    for at in range(count):
        ends = f'name: "l{at}" bottom: "b{at}" top: "b{at + 1}"'
        kind = 'type: "ReLU"' if at % 2 else f'type: "Convolution" convolution_param {{ {size} }}'
        lines.append(f"layer {{ {ends} {kind} }}")
    return "\n".join(lines)


def of_layers() -> dict[str, Costs]:
    """Microseconds of a layer to parse, to plan, to build, and of a pass."""
    found: dict[str, Costs] = {}
    for count in _LAYERS:
        source = Source("chain", chain(count))
        definition = read_net(source)
        plan = plan_net(definition, phase=TEST)
        net = Net(plan, Device(), packed=True)
        steps: dict[str, Callable[[], object]] = {
            "parse a layer": lambda source=source: read_net(source),
            "plan a layer": lambda given=definition: plan_net(given, phase=TEST),
            "build a layer": lambda plan=plan: Net(plan, Device(), packed=True),
            "pass of a layer": net.forward,
        }
        for name, step in steps.items():
            found.setdefault(name, {})[count] = least(step) / count
        net.close()
    return found


def of_batches(name: str) -> Costs:
    """Microseconds of an image of a network."""
    found = {}
    for batch in _BATCHES:
        plan = plan_net(CASES[name].definition(batch, deploy=True), phase=TEST, stages=["deploy"])
        net = Net(plan, Device(), packed=True)
        found[batch] = least(net.forward) / batch
        net.close()
    return found


def of_records(counts: tuple[int, ...]) -> Iterator[tuple[str, Costs]]:
    """Microseconds to write a record and to read it, in order."""
    written, read = {}, {}
    record = Datum(channels=1, height=8, width=8, data=bytes(64), label=1)
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "db"

            def write(path: Path = path, count: int = count) -> None:
                with DatabaseWriter(path) as writer:
                    for number in range(count):
                        writer.put(b"%08d" % number, record)

            written[count] = once(write) / count
            with Database(path) as database:
                read[count] = once(lambda database=database: sum(1 for _ in database)) / count
    yield "write a record", written
    yield "read a record", read


def least(step: Callable[[], object]) -> float:
    """Processor microseconds of a step: the least of some, after one that is not counted."""
    step()
    return min(once(step) for _ in range(_ROUNDS))


def once(step: Callable[[], object]) -> float:
    """Processor microseconds of one call."""
    began = time.process_time()
    step()
    return (time.process_time() - began) * 1e6


def report(found: Mapping[str, Costs]) -> str:
    """The table and the targets."""
    parts, targets = [], []
    for name, costs in found.items():
        rows = [[str(size), number_text(cost)] for size, cost in costs.items()]
        parts.append(f"## {name}\n\n{table(['of how many', 'microseconds'], rows)}")
        sizes = sorted(costs)
        worst = max((costs[b] / costs[a] for a, b in pairwise(sizes)), default=1.0)
        targets.append(Target.at_most(f"{name}: beside the size before", _STEP, worst, " x"))
    if "plan a layer" in found:
        count = max(found["plan a layer"])
        seconds = found["plan a layer"][count] * count / 1e6
        targets.append(Target.at_most(f"plan of {count:,} layers", 0.1, seconds, " s"))
    return "\n\n".join(["# Cost as work grows", *parts, targets_table(targets)])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    asked = parser.parse_args()
    records = (1_000, 10_000, 100_000) if asked.quick else (1_000, 10_000, 100_000, 1_000_000)
    found = of_layers()
    for name in ("lenet", "googlenet"):
        found[f"an image of {CASES[name].title}"] = of_batches(name)
    found.update(of_records(records))
    text = report(found)
    print(text)
    if asked.markdown:
        Path(__file__).with_name("RESULTS-GROWTH.md").write_text(text + "\n")


if __name__ == "__main__":
    main()
