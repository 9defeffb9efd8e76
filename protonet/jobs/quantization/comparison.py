"""How the answers of a quantized net differ from those of the net in float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from protonet.graph.capture import ForwardPass
from protonet.graph.names import Value
from protonet.graph.net import Net
from protonet.jobs.quantization.answers import Scores
from protonet.jobs.quantization.ranges import decibels
from protonet.jobs.quantization.records import Block, Records

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class OutputError:
    """An output: the ratio of its values to their errors in decibels; and its mean in float32 and
    quantized, None unless it is one number.
    """

    name: str
    snr: float
    means: tuple[float, float] | None = None


@dataclass(frozen=True)
class Comparison:
    """``records`` seen by both nets; of answers with scores of classes the share that is the same,
    and of those whose true class is ``known`` the accuracies in float32 and quantized.
    """

    records: int
    outputs: tuple[OutputError, ...]
    agreement: float | None = None
    known: int = 0
    accuracies: tuple[float, float] | None = None


def compare(
    exact: Net,
    quantized: Net,
    records: Records,
    blocks: Sequence[Block],
    progress: Progress = lambda _, __: None,
) -> Comparison:
    """Compare two nets of one definition on blocks of records."""
    nets = exact, quantized
    passes = [ForwardPass(net) for net in nets]
    outputs = {value.name: _Output(value) for value in exact.plan.outputs}
    scores, ranked = Scores.of(exact.plan), _Ranked()
    if scores is not None:
        outputs.setdefault(scores.value.name, _Output(scores.value))
        if scores.labels is not None:
            outputs.pop(scores.labels.name, None)
    done, total = 0, sum(block.count for block in blocks)
    for block in blocks:
        truths = [records.put(net, block) for net in nets]
        for forward_pass in passes:
            forward_pass.run()
        for output in outputs.values():
            output.add(*nets, block.count)
        if scores is not None:
            one, two = (scores.read(net, block.count, truths[0]) for net in nets)
            ranked.add(one[0], two[0], one[1])
        done += block.count
        progress(done, total)
    return ranked.comparison(done, [output.error() for output in outputs.values()])


class _Output:
    """Sums over the values of an output in both nets."""

    def __init__(self, value: Value) -> None:
        self._value = value
        self._signal = self._noise = 0.0
        self._means: list[tuple[float, float]] = []

    def add(self, exact: Net, quantized: Net, count: int) -> None:
        value = self._value
        one, two = (np.asarray(net.device.get(net.data_of(value))) for net in (exact, quantized))
        if value.count == 1:
            self._means.append((float(one.reshape(())), float(two.reshape(()))))
        one, two = (x[:count].astype(np.float64) if x.ndim else x for x in (one, two))
        self._signal += float(np.sum(np.square(one)))
        with np.errstate(invalid="ignore"):  # of two infinite values; the ratio is then none
            self._noise += float(np.sum(np.square(one - two)))

    def error(self) -> OutputError:
        means = None
        if self._means:
            one, two = np.mean(self._means, axis=0).tolist()
            means = one, two
        return OutputError(self._value.name, decibels(self._signal, self._noise), means)


class _Ranked:
    """Counts of classes with the greatest score."""

    def __init__(self) -> None:
        self._count = self._same = self._known = 0
        self._right = np.zeros(2, np.int64)

    def add(self, one: np.ndarray, two: np.ndarray, truths: np.ndarray | None) -> None:
        self._count += one.size
        self._same += int((one == two).sum())
        if truths is not None:
            self._known += int((truths >= 0).sum())
            self._right += [int((best == truths).sum()) for best in (one, two)]

    def comparison(self, records: int, outputs: Sequence[OutputError]) -> Comparison:
        if not self._count:
            return Comparison(records, tuple(outputs))
        accuracies = None
        if self._known:
            one, two = (self._right / self._known).tolist()
            accuracies = one, two
        same = self._same / self._count
        return Comparison(records, tuple(outputs), same, self._known, accuracies)
