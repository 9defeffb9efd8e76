"""Gradients are summed in buckets, each once it is complete."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.blob import Array
from protonet.ranks.communicator import Communicator, Pending
from protonet.train import gradient_sum
from protonet.train.gradient_sum import GradientSum, buckets, pieces
from tests.graph.nets import net_of

NET = """
layer { name: "x" type: "DummyData" top: "x" top: "t"
  dummy_data_param { shape { dim: 4 dim: 6 } shape { dim: 4 dim: 3 }
    data_filler { type: "gaussian" } data_filler { type: "gaussian" } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" } param { name: "v" }
  inner_product_param { num_output: 6 weight_filler { type: "xavier" } } }
layer { name: "scale" type: "Scale" bottom: "a" top: "s" scale_param { bias_term: true } }
layer { name: "b" type: "InnerProduct" bottom: "s" top: "b" param { name: "w" } param { name: "v" }
  inner_product_param { num_output: 6 } }
layer { name: "c" type: "InnerProduct" bottom: "b" top: "c"
  param { lr_mult: 1 } param { lr_mult: 2 }
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "l" type: "EuclideanLoss" bottom: "c" bottom: "t" top: "l" }
"""


class Doubling(Communicator):
    """Another rank with the same gradients; remembers what it was given, and when."""

    size = 2

    def __init__(self) -> None:
        self.given: list[Array] = []

    def begin_sum(self, array: Array, /) -> Pending:
        self.given.append(array.copy())

        class Sum:
            def progress(self) -> bool:
                return False

            def wait(self) -> None:
                array[...] *= 2

        return Sum()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("size", [1, 100, 10**9])
def test_each_gradient_is_summed_once_and_complete(packed: bool, size: int) -> None:
    alone, together = (net_of(NET, packed=packed) for _ in range(2))
    for net in (alone, together):
        net.forward()
    alone.backward()
    ranks = Doubling()
    summed = GradientSum(together, ranks)
    summed._due = {}
    for step, place in buckets(together, size):
        summed._due.setdefault(step, []).append(place)
    summed.backward()
    assert sum(array.size for array in ranks.given) == together.store.diff.size
    summed.wait()
    np.testing.assert_array_equal(together.store.diff, 2 * alone.store.diff)
    assert np.abs(alone.store.diff).sum() > 0


def test_sums_begin_before_the_backward_pass_ends() -> None:
    net = net_of(NET)
    steps = sorted({step for step, _ in buckets(net, 1)})
    names = [net.plan.steps[step].name for step in steps]
    assert names == ["a", "scale", "c"]


def test_after_single_steps_all_are_summed() -> None:
    net, ranks = net_of(NET), Doubling()
    net.forward()
    net.backward()
    before = net.store.diff.copy()
    summed = GradientSum(net, ranks)
    summed.begin_all()
    summed.wait()
    np.testing.assert_array_equal(net.store.diff, 2 * before)


def test_few_sums_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of buckets, in their order; never more at once than the ranks want."""
    monkeypatch.setattr(gradient_sum, "_BUCKET", 40)
    net = net_of(NET)
    before = net.store.diff
    before[...] = np.arange(before.size)
    expected = 2 * before
    most, running = [0], [0]

    class Few(Doubling):
        sums_at_once = 2

        def begin_sum(self, array: Array, /) -> Pending:
            self.given.append(array.copy())
            running[0] += 1
            most[0] = max(most[0], running[0])
            number = len(self.given)

            class Sum:
                def progress(self) -> bool:
                    return number % 2 == 0

                def wait(self) -> None:
                    array[...] *= 2
                    running[0] -= 1

            return Sum()

    ranks = Few()
    summed = GradientSum(net, ranks)
    summed.begin_all()
    summed.wait()
    assert (most, running) == ([2], [0])
    assert all(10 <= array.size < 20 or array.size == 3 for array in ranks.given), "3: the bias"
    np.testing.assert_array_equal(before, expected)


def test_pieces_are_equal_and_not_too_short() -> None:
    assert pieces(slice(10, 19), 10) == [slice(10, 19)]
    assert pieces(slice(10, 39), 10) == [slice(10, 24), slice(24, 39)]
