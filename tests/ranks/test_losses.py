"""The losses of two ranks' parts of a batch, by their shares, are that of the batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from protonet.blob import Array
from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.layers import layer_class
from protonet.layers.base import LayerContext
from protonet.proto.caffe_pb2 import TRAIN
from protonet.proto.text import Source, read_net
from protonet.ranks.communicator import Communicator, Part
from protonet.testing import LayerHarness
from tests.layers.test_conformance import CASES, Case
from tests.ranks.agreement import DIGITS


class Two(Communicator):
    """A rank of two; ``other`` is what the other one adds to each sum, in order."""

    size = 2

    def __init__(self, rank: int, other: Sequence[Array]) -> None:
        self.rank, self.other = rank, list(other)
        self.told: list[Array] = []

    def sum(self, array: Array) -> None:
        self.told.append(np.array(array))
        if self.other:
            array += self.other.pop(0)

    def sums(self, values: Sequence[float]) -> Sequence[float]:
        array = np.array(values, np.float64)
        self.sum(array)
        return list(array)


def has_items(case: Case) -> bool:
    """Whether the first axis of every bottom are the items of a batch: that of CTC losses is time,
    and that of MultiBoxLoss's labels are boxes (tests/ranks/test_arithmetic.py).
    """
    if not layer_class(case.type).is_loss or "CTC" in case.type.upper() or "MultiBox" in case.type:
        return False
    counts = {len(x) for at, x in enumerate(case.bottoms()) if at not in case.alone}
    return len(counts) == 1 and counts != {1}


def weights_of(run: LayerHarness, share: float) -> list[Array]:
    """The gradients of the tops: of the loss its weight, of others 0."""
    return [np.full(top.shape, 0.0 if at else share) for at, top in enumerate(run.tops)]


@pytest.mark.parametrize("case", list(filter(has_items, CASES)), ids=lambda case: case.text[:60])
def test_parts_add_up(case: Case) -> None:
    """Losses and their gradients; what ranks tell each other is found by iterating."""
    bottoms = case.bottoms()
    whole = len(bottoms[0])
    parts = [Part(0, whole // 2, whole), Part(whole // 2, whole - whole // 2, whole)]
    alone = LayerHarness(case.text, bottoms, dtype=np.float64, phase=case.phase)
    loss = alone.forward()[0]
    gradients = alone.backward(weights_of(alone, 1))
    told: list[list[Array]] = [[], []]
    for _ in range(3):  # as many sums as there are, and one round with all of them
        found, before = [], [list(each) for each in told]
        for rank, part in enumerate(parts):
            mine = [x if at in case.alone else x[part.places] for at, x in enumerate(bottoms)]
            ranks = Two(rank, before[1 - rank])
            run = LayerHarness(
                case.text, mine, dtype=np.float64, phase=case.phase,
                context=LayerContext(ranks=ranks), part=part,
            )  # fmt: skip
            value = part.share * run.forward()[0]
            found.append((value, run.backward(weights_of(run, part.share))))
            told[rank] = ranks.told
    np.testing.assert_allclose(found[0][0] + found[1][0], loss, rtol=1e-9)
    for at, expected in enumerate(gradients):
        if expected is not None and at not in case.alone:
            ours = np.concatenate([slopes[at] for _, slopes in found])
            np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)


ITEMS = """
layer { name: "data" type: "Data" top: "x" top: "t"
  data_param { source: "train_db" batch_size: 6 } transform_param { scale: 0.01 } }
layer { name: "score" type: "InnerProduct" bottom: "x" top: "s"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "each" type: "Reduction" bottom: "s" top: "each" loss_weight: 0.5
  reduction_param { operation: SUMSQ axis: 1 } }
layer { name: "all" type: "Reduction" bottom: "s" top: "all" loss_weight: 2
  reduction_param { operation: ASUM num_axes: 1 } }
layer { name: "mean" type: "Reduction" bottom: "s" top: "mean" loss_weight: 3
  reduction_param { operation: MEAN } }
"""


def test_losses_of_single_items_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where others are means, or sums that the layer divides by its share."""
    monkeypatch.chdir(DIGITS)
    definition = read_net(Source("net.prototxt", ITEMS))
    alone = Net(plan_net(definition, phase=TRAIN), Device(), seed=3)
    alone.forward()
    alone.backward()
    found = []
    for rank in (0, 1):
        context = LayerContext(ranks=Two(rank, []))
        net = Net(plan_net(definition, phase=TRAIN, context=context), Device(), seed=3)
        net.forward()
        net.backward()
        found.append(net)
    assert sum(net.loss() for net in found) == pytest.approx(alone.loss(), rel=1e-6)
    total = sum(net.store.diff for net in found)
    np.testing.assert_allclose(total, alone.store.diff, rtol=1e-4, atol=1e-6)
    for net in (alone, *found):
        net.close()
