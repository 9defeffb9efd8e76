"""How the cost of a unit grows with the work: of a layer from 10 layers to 1,000, of an image from
batch 1 to 64, of a record from 1,000 records to 1,000,000.

    python benchmarks/growth.py [--only NAME,...] [--report] [--markdown]

Each size is measured in turns of at least a tenth of a second, which alternate between all sizes
of a piece; the least turn counts. What was measured is kept in a folder, so that a run may be done
in pieces: ``layers``, ``records``, and every network. The tables are of all that is there.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path

from cases import CASES
from machine import describe, keep_to_cores, version
from protonet.data.database import Database
from protonet.data.writer import DatabaseWriter
from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST, Datum
from protonet.proto.text import Source, read_net
from report import Target, number_text, table, targets_table
from settings import Setting

_HERE = Path(__file__).parent
_LAYERS, _BATCHES = (10, 100, 1000), (1, 4, 16, 64)
_RECORDS = (1_000, 10_000, 100_000, 1_000_000)
NETWORKS = (
    *("lenet", "cifar10", "alexnet", "googlenet", "resnet50", "squeezenet"),
    *("mobilenet", "mobilenet_v2", "inception_v3", "vgg16"),
)
PIECES = ("layers", *NETWORKS, "records")
_SECONDS = 0.1
"""Of a turn, at least. The system adds up a thread's time on another core by its ticks, some of
which a turn must have for its processor time to be true.
"""
_STEP = 1.1
"""A unit may cost so many times that of the size before."""
_PLAN = "plan a layer"
_SHARED = "pass of a layer, all convolutions with one set of weights"
"""Shows what part of a pass is due to weights that leave the caches."""


@dataclass(frozen=True)
class Cost:
    """Microseconds of a unit: as a clock on the wall has it, and of all threads' processors."""

    wall: float
    processor: float


Costs = dict[int, Cost]
"""By size."""
Steps = dict[str, dict[int, Callable[[], object]]]
"""What is timed, by name and size."""


def chain(count: int, *, shared: bool = False) -> str:
    """A text of ``count`` layers, by turns convolutions and rectifiers."""
    shape = "shape { dim: 1 dim: 8 dim: 6 dim: 6 }"
    lines = [f'layer {{ name: "in" type: "Input" top: "b0" input_param {{ {shape} }} }}']
    size = "num_output: 8 kernel_size: 3 pad: 1"
    if shared:
        size += ' } param { name: "w" } param { name: "b"'
    for at in range(count):
        ends = f'name: "l{at}" bottom: "b{at}" top: "b{at + 1}"'
        kind = 'type: "ReLU"' if at % 2 else f'type: "Convolution" convolution_param {{ {size} }}'
        lines.append(f"layer {{ {ends} {kind} }}")
    return "\n".join(lines)


@contextmanager
def of_layers(sizes: Sequence[int]) -> Iterator[Steps]:
    """To parse a layer, to plan, to build, and to run it."""
    found: Steps = {}
    with ExitStack() as stack:
        for size in sizes:
            source = Source("chain", chain(size))
            definition = read_net(source)
            plan = plan_net(definition, phase=TEST)
            shared = plan_net(read_net(Source("chain", chain(size, shared=True))), phase=TEST)
            steps: dict[str, Callable[[], object]] = {
                "parse a layer": lambda source=source: read_net(source),
                _PLAN: lambda given=definition: plan_net(given, phase=TEST),
                "build a layer": lambda plan=plan: Net(plan, Device(), packed=True).close(),
                "pass of a layer": stack.enter_context(_running(plan)),
                _SHARED: stack.enter_context(_running(shared)),
            }
            for name, step in steps.items():
                found.setdefault(name, {})[size] = step
        yield found


@contextmanager
def of_batches(name: str, sizes: Sequence[int]) -> Iterator[Steps]:
    """An image of a network."""
    with ExitStack() as stack:
        case = CASES[name]
        nets = {size: stack.enter_context(_running(case.inference(size))) for size in sizes}
        yield {f"an image of {case.title}": nets}


@contextmanager
def _running(plan: Plan) -> Iterator[Callable[[], object]]:
    """A net as ``protonet infer`` builds it."""
    net = Net(plan, Device(), gradients=False, packed=True, keep_weights=True)
    with closing(net):
        yield net.forward


@contextmanager
def of_records(sizes: Sequence[int]) -> Iterator[Steps]:
    """To write a record, and to read it, in order."""
    record = Datum(channels=1, height=8, width=8, data=bytes(64), label=1)
    folder = Path(tempfile.mkdtemp())
    numbers = count()

    def write(size: int) -> Path:
        path = folder / f"db{next(numbers)}"
        with DatabaseWriter(path) as writer:
            for number in range(size):
                writer.put(b"%08d" % number, record)
        return path

    try:
        with ExitStack() as stack:
            there = {size: stack.enter_context(Database(write(size))) for size in sizes}
            yield {
                "write a record": {size: lambda size=size: write(size) for size in sizes},
                "read a record": {
                    size: lambda database=database: sum(1 for _ in database)
                    for size, database in there.items()
                },
            }
    finally:
        shutil.rmtree(folder)


def steps_of(piece: str, most: int) -> AbstractContextManager[Steps]:
    """What is timed of a piece, with at most so many records."""
    if piece == "layers":
        return of_layers(_LAYERS)
    if piece == "records":
        return of_records([size for size in _RECORDS if size <= most])
    return of_batches(piece, _BATCHES)


def measure(steps: Steps, rounds: int, seconds: float = _SECONDS) -> dict[str, Costs]:
    """The least turn of every step, a unit's share of it."""
    found: dict[str, Costs] = {}
    for name, sized in steps.items():
        repeats = {size: _repeats(step, seconds) for size, step in sized.items()}
        turns: dict[int, list[Cost]] = {size: [] for size in sized}
        for number in range(rounds):
            for size in list(sized)[:: 1 if number % 2 == 0 else -1]:
                turns[size].append(_turn(sized[size], repeats[size], size))
        found[name] = {
            size: Cost(min(each.wall for each in of), min(each.processor for each in of))
            for size, of in turns.items()
        }
    return found


def _repeats(step: Callable[[], object], seconds: float) -> int:
    """How many calls take so long; after one that does not count."""
    step()
    return max(1, math.ceil(seconds / (_turn(step, 1, 1).wall / 1e6)))


def _turn(step: Callable[[], object], repeats: int, size: int) -> Cost:
    began, used = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        step()
    took, used = time.perf_counter() - began, time.process_time() - used
    units = repeats * size / 1e6
    return Cost(took / units, used / units)


def write_piece(folder: Path, piece: str, found: Mapping[str, Costs]) -> None:
    """Keep what was measured."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {
        name: {size: [cost.wall, cost.processor] for size, cost in costs.items()}
        for name, costs in found.items()
    }
    (folder / f"{piece}.json").write_text(json.dumps(kept))


def read_pieces(folder: Path) -> dict[str, Costs]:
    """All that was kept."""
    found: dict[str, Costs] = {}
    for piece in PIECES:
        path = folder / f"{piece}.json"
        if path.is_file():
            for name, costs in json.loads(path.read_text()).items():
                found[name] = {int(size): Cost(*cost) for size, cost in costs.items()}
    return found


def report(found: Mapping[str, Costs], facts: Sequence[str] = ()) -> str:
    """The tables and the targets."""
    parts, targets = [], []
    for name, costs in found.items():
        rows = [
            [str(size), number_text(cost.wall), number_text(cost.processor)]
            for size, cost in costs.items()
        ]
        parts.append(f"## {name}\n\n{table(['of how many', 'microseconds', 'processors'], rows)}")
        sizes = sorted(costs)
        worst = max((costs[b].wall / costs[a].wall for a, b in pairwise(sizes)), default=1.0)
        if name != _SHARED:
            targets.append(Target.at_most(f"{name}: beside the size before", _STEP, worst, " x"))
    if _PLAN in found:
        count = max(found[_PLAN])
        seconds = found[_PLAN][count].wall * count / 1e6
        targets.append(Target.at_most(f"plan of {count:,} layers", 0.1, seconds, " s"))
    head = "\n".join(f"- {fact}" for fact in facts)
    return "\n\n".join(
        ["# Cost as work grows", *filter(None, [head]), *parts, targets_table(targets)]
    )


def main() -> None:
    """Measure, print, and write with --markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    several = {"type": lambda text: text.split(","), "metavar": "NAME,..."}
    parser.add_argument("--only", default=list(PIECES), help=", ".join(PIECES), **several)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--records", type=int, default=max(_RECORDS), help="at most so many")
    parser.add_argument("--folder", type=Path, default=_HERE.parent / "build" / "growth")
    parser.add_argument("--report", action="store_true", help="only print what was measured")
    parser.add_argument("--markdown", action="store_true", help="write RESULTS-GROWTH.md too")
    asked = parser.parse_args()
    if unknown := [name for name in asked.only if name not in PIECES]:
        parser.error(f"there is no '{unknown[0]}', but {', '.join(PIECES)}")
    keep_to_cores()
    for piece in [] if asked.report else asked.only:
        print(f"{piece} ...", file=sys.stderr, flush=True)
        with steps_of(piece, asked.records) as steps:
            write_piece(asked.folder, piece, measure(steps, asked.rounds))
    today = datetime.datetime.now(datetime.UTC).date()
    facts = [
        *describe(Setting())[:2],
        f"Python {platform.python_version()}, protonet {version('protonet')}, "
        f"numpy {version('numpy')}; two threads, nets as for inference",
        f"{today}, the least of {asked.rounds} turns of at least {_SECONDS} s each",
    ]
    text = report(read_pieces(asked.folder), facts) + "\n"
    print(text, end="")
    if asked.markdown:
        (_HERE / "RESULTS-GROWTH.md").write_text(text)


if __name__ == "__main__":
    main()
