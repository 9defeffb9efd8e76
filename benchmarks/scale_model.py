"""A model on paper of training on 8, 64 and 512 ranks: the tables of docs/design/scale-out.md.

    python benchmarks/scale_model.py

The figures that it begins with are below, each with its source; ``bandwidth.py`` measures those of
another machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from report import table

RANKS = (8, 64, 512)
PIECE = 2**20
"""Bytes of a sum (protonet/train/gradient_sum.py)."""
AT_ONCE = 4
"""Sums that wait for the network together (protonet/ranks/mpi.py)."""
BACKWARD = 2 / 3
"""The backward pass's share of an iteration: it makes two products where the forward makes one."""


@dataclass(frozen=True)
class Link:
    """Seconds until a message of no length arrives, and bytes per second in each direction."""

    name: str
    latency: float
    rate: float
    source: str


MEMORY = Link(
    "shared memory", 1.2e-6, 15e9, "two ranks of a machine with two cores, `bandwidth.py`"
)
VIRTUAL = Link(
    "TCP over a veth pair", 5.1e-6, 1.0e9, "two network namespaces there, `bandwidth.py`"
)
NETWORK = Link(
    "100 Gbit/s", 9.6e-6, 12.5e9, "line rate; latency of a step in NCCL's own model, tuning.cc"
)
NVLINK = Link(
    "NVLink of an A100", 3.4e-6, 235e9, "what NCCL's model allows an A100 at most, and its latency"
)


@dataclass(frozen=True)
class Work:
    """A network: bytes of its gradients, and the seconds that a rank computes an iteration."""

    name: str
    bytes: float
    seconds: float
    source: str

    @property
    def messages(self) -> int:
        """Sums of an iteration."""
        return max(1, round(self.bytes / PIECE))


_RESULTS = "one machine of two cores, benchmarks/RESULTS.md"
_A100 = "2470 images/s, NVIDIA DeepLearningExamples, ResNet-50 v1.5, PyTorch"
LENET = Work("LeNet, 64, CPU", 431_152 * 4, 4.03e-3, _RESULTS)
GOOGLENET = Work("GoogLeNet, 16, CPU", 13_378_320 * 4, 0.623, _RESULTS)
RESNET = Work("ResNet-50, 8, CPU", 25_611_008 * 4, 0.865, _RESULTS)
RESNET_GPU = Work("ResNet-50, 256, A100", 25_611_008 * 4, 256 / 2470, _A100)


def ring(bytes_: float, messages: int, ranks: int, link: Link) -> float:
    """Seconds of a sum around a ring: every rank sends 2 (N - 1) parts of 1/N."""
    return _waits(messages, 2 * (ranks - 1), link) + 2 * (ranks - 1) / ranks * bytes_ / link.rate


def halving(bytes_: float, messages: int, ranks: int, link: Link) -> float:
    """Of a sum by recursive halving and doubling: as many bytes in 2 log2 N steps."""
    steps = 2 * math.log2(ranks)
    return _waits(messages, steps, link) + 2 * (ranks - 1) / ranks * bytes_ / link.rate


def tree(bytes_: float, messages: int, ranks: int, link: Link) -> float:
    """Of a sum up a binary tree and down again, where each step carries all bytes."""
    steps = 2 * math.log2(ranks)
    return _waits(messages, steps, link) + steps * bytes_ / link.rate


def two_levels(
    bytes_: float, messages: int, ranks: int, group: int, near: Link, far: Link
) -> float:
    """Of a sum within machines of ``group`` ranks, and between them through one link of each."""
    within = halving(bytes_, messages, min(group, ranks), near)
    return within + (halving(bytes_, messages, ranks // group, far) if ranks > group else 0.0)


def scattered(bytes_: float, messages: int, ranks: int, group: int, near: Link, far: Link) -> float:
    """Of halving and doubling where neighbours in the order of ranks are on other machines: the
    long halves of all ranks of a machine cross its link.
    """
    machines = ranks // group
    if machines == 1:
        return halving(bytes_, messages, ranks, near)
    between = _waits(messages, 2 * math.log2(machines), far)
    between += group * 2 * (machines - 1) / machines * bytes_ / far.rate
    return between + halving(bytes_ / machines, messages, group, near)


def _waits(messages: int, steps: float, link: Link) -> float:
    return math.ceil(messages / AT_ONCE) * steps * link.latency


def efficiency(work: Work, seconds: float, *, hidden: bool) -> float:
    """The share of an iteration that is computed. At best the sums are hidden behind the backward
    pass, but for the last of them.
    """
    if hidden:
        seconds = max(seconds - BACKWARD * work.seconds, seconds / work.messages)
    return work.seconds / (work.seconds + seconds)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g}" if seconds < 1 else f"{1000 * seconds:.0f}"


def inputs() -> str:
    """What the model begins with."""
    links = [
        [link.name, f"{link.latency * 1e6:.1f} us", f"{link.rate / 1e9:.3g} GB/s", link.source]
        for link in (MEMORY, VIRTUAL, NETWORK, NVLINK)
    ]
    works = [
        [work.name, f"{_ms(work.seconds)} ms", f"{work.bytes / 1e6:.3g} MB", work.source]
        for work in (LENET, GOOGLENET, RESNET, RESNET_GPU)
    ]
    return (
        table(["link", "latency", "each direction", "from"], links)
        + "\n\n"
        + table(["a rank's iteration", "computes", "gradients", "from"], works)
    )


def sums() -> str:
    """The sum of ResNet-50's gradients, one rank on each machine."""
    rows = []
    for link in (VIRTUAL, NETWORK):
        for ranks in RANKS:
            found = [
                how(RESNET.bytes, RESNET.messages, ranks, link) for how in (ring, halving, tree)
            ]
            whole = ring(RESNET.bytes, 1, ranks, link)
            rows.append([link.name, str(ranks), *map(_ms, [*found, whole])])
    head = ["ResNet-50 over", "ranks", "ring ms", "halving ms", "tree ms", "ring, one message, ms"]
    return table(head, rows)


def weak() -> str:
    """Weak scaling: the batch of a rank stays."""
    rows = []
    for work, link in (
        *((each, VIRTUAL) for each in (LENET, GOOGLENET, RESNET)),
        *((each, NETWORK) for each in (LENET, GOOGLENET, RESNET)),
    ):
        found = [halving(work.bytes, work.messages, ranks, link) for ranks in RANKS]
        rows.append(_efficiencies(work, f"{link.name}, a rank a machine", found))
    found = [
        two_levels(RESNET_GPU.bytes, RESNET_GPU.messages, ranks, 8, NVLINK, NETWORK)
        for ranks in RANKS
    ]
    rows.append(_efficiencies(RESNET_GPU, "NVLink, and 100 Gbit/s for 8 GPUs", found))
    return table(["network", "link", *_heads("sum ms"), *_heads("efficiency")], rows)


def _heads(what: str) -> list[str]:
    return [f"{what}, {ranks}" for ranks in RANKS]


def _efficiencies(work: Work, link: str, found: list[float]) -> list[str]:
    shares = [
        " / ".join(f"{efficiency(work, each, hidden=hidden):.3f}" for hidden in (False, True))
        for each in found
    ]
    return [work.name, link, *map(_ms, found), *shares]


def strong() -> str:
    """Strong scaling: ResNet-50 on A100s with a batch of 2048 in all, which N ranks share out."""
    rows = []
    for ranks in RANKS:
        work = Work("", RESNET_GPU.bytes, RESNET_GPU.seconds * 2048 / 256 / ranks, "")
        row = [str(ranks), str(2048 // ranks), _ms(work.seconds)]
        for scale in (1, 0.5):
            took = two_levels(scale * work.bytes, work.messages, ranks, 8, NVLINK, NETWORK)
            row += [_ms(took), f"{efficiency(work, took, hidden=True):.3f}"]
        rows.append(row)
    head = ["ranks", "batch of each", "computes ms", "sum ms", "efficiency"]
    return table([*head, "16 bits: sum ms", "16 bits: efficiency"], rows)


def levels() -> str:
    """Eight ranks on each machine: what two levels, or the order of ranks, save."""
    rows = []
    for ranks in RANKS[1:]:
        arguments = (RESNET.bytes, RESNET.messages, ranks, 8, MEMORY, NETWORK)
        rows.append([str(ranks), *(_ms(how(*arguments)) for how in (two_levels, scattered))])
    return table(["ranks", "machine by machine, ms", "in turn, ms"], rows)


def tables() -> Iterator[str]:
    """Every table, in the order of the page."""
    yield from (inputs(), sums(), weak(), levels(), strong())


if __name__ == "__main__":
    print("\n\n".join(tables()))
