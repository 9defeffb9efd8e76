"""The passes of a test net: means over batches, and an end in between."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.train import events
from protonet.train.testing import TestPasses, WeightedSum
from tests.graph.nets import SEED, net_of


def test_outputs_and_losses_are_means() -> None:
    net = net_of(SEED, 1)
    net.forward()
    loss = net.loss()
    found = TestPasses(2, net, 3, losses=True).run(70, lambda: False)
    assert found == events.Tested(
        70, 2, (events.Output("loss", pytest.approx(loss), 1.0),), pytest.approx(loss)
    )
    without = TestPasses(0, net, 1, losses=False).run(0, lambda: False)
    assert without is not None
    assert without.loss is None


def test_a_test_that_is_stopped_has_no_result() -> None:
    answers = iter([False, False, True])
    net = net_of(SEED, 1)
    before = net.clock.iteration
    assert TestPasses(0, net, 5, losses=True).run(0, lambda: next(answers)) is None
    assert net.clock.iteration == before + 2
    assert np.isfinite(net.loss())


def test_smaller_batches_weigh_less() -> None:
    total = WeightedSum()
    total.add(np.array([[1, 2], [3, 4], [5, 6]], np.float32), 3)
    total.add(np.array([[9, 8]], np.float32), 1)
    np.testing.assert_allclose(total.mean(), [3, 3.5, 3, 4, 5, 6])
    total = WeightedSum()
    total.add(np.array([9], np.float32), 1)
    total.add(np.array([1, 2], np.float32), 2)
    np.testing.assert_allclose(total.mean(), [11 / 3, 2])
