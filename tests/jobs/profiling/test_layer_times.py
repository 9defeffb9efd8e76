"""Times of layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import UsageError
from protonet.jobs.inference.open_net import NetOptions, open_net
from protonet.jobs.profiling.layer_times import time_net
from protonet.proto.caffe_pb2 import TEST, TRAIN

DIGITS = Path(__file__).parents[2] / "golden" / "digits"


@pytest.fixture(autouse=True)
def in_the_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DIGITS)


def test_every_layer_is_timed() -> None:
    net = open_net(Path("train_val.prototxt"), NetOptions(phase=TRAIN))
    before = net.store.data.copy()
    timing = time_net(net, 3)
    net.close()
    assert [layer.name for layer in timing.layers] == [step.name for step in net.plan.steps]
    by_name = {layer.name: layer for layer in timing.layers}
    assert by_name["conv1"].forward > 0
    assert by_name["conv1"].backward > 0
    assert by_name["conv1"].arithmetic == 2 * 8 * 9 * 50 * 6 * 6
    assert sum(layer.forward for layer in timing.layers) <= timing.forward
    assert timing.iterations == 3
    np.testing.assert_array_equal(net.store.data, before)


def test_a_net_without_gradients_has_no_backward_times() -> None:
    net = open_net(Path("train_val.prototxt"), NetOptions(phase=TEST))
    assert {layer.backward for layer in time_net(net, 1).layers} == {0.0}
    with pytest.raises(UsageError, match="expected 1 iteration or more, got 0"):
        time_net(net, 0)
    net.close()
