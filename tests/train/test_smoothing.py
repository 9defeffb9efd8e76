"""The running mean of the loss."""

import math

from protonet.train.smoothing import SmoothedLoss


def test_the_mean_of_the_last_losses() -> None:
    smoothed = SmoothedLoss(3)
    assert math.isnan(smoothed.value)
    for loss, mean in [(3.0, 3.0), (5.0, 4.0), (1.0, 3.0), (9.0, 5.0), (2.0, 4.0)]:
        smoothed.add(loss)
        assert smoothed.value == mean


def test_a_restored_one_goes_on_alike() -> None:
    one, two = SmoothedLoss(2), SmoothedLoss(2)
    for loss in (1.0, 2.0, 7.0):
        one.add(loss)
    two.restore(one.state())
    for each in (one, two):
        each.add(4.0)
    assert one.value == two.value == 5.5
    assert one.state() == two.state()
