"""Nets at work: times of layers, means of outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import FormatError, NetworkError, UsageError
from protonet.jobs.evaluation.measuring import average_outputs, open_net, time_net
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.train.events import Output

DIGITS = Path(__file__).parents[2] / "golden" / "digits"


@pytest.fixture(autouse=True)
def in_the_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DIGITS)


def test_the_outputs_of_the_digits_are_those_of_caffes_log() -> None:
    net = open_net(Path("train_val.prototxt"), phase=TEST, weights="digits_iter_200.caffemodel")
    seen: list[tuple[int, list[Output]]] = []
    loss, means = average_outputs(net, 3, lambda index, outputs: seen.append((index, outputs)))
    net.close()
    assert [output.name for output in means] == ["accuracy", "loss"]
    assert means[0].value == pytest.approx(0.882155, abs=1e-6)
    assert means[1].value == loss
    assert [index for index, _ in seen] == [0, 1, 2]
    assert np.mean([outputs[0].value for _, outputs in seen]) == pytest.approx(means[0].value)


def test_every_layer_is_timed() -> None:
    net = open_net(Path("train_val.prototxt"), phase=TRAIN)
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
    net = open_net(Path("train_val.prototxt"), phase=TEST)
    assert {layer.backward for layer in time_net(net, 1).layers} == {0.0}
    net.close()


def test_what_cannot_be(tmp_path: Path) -> None:
    net = open_net(Path("train_val.prototxt"), phase=TEST)
    for function in (time_net, average_outputs):
        with pytest.raises(UsageError, match="expected 1 iteration or more, got 0"):
            function(net, 0)
    net.close()
    with pytest.raises(FormatError):
        open_net(Path("train_val.prototxt"), phase=TEST, weights="caffe.log")
    (tmp_path / "bad.prototxt").write_text("layer { type: 3 }")
    with pytest.raises(NetworkError):
        open_net(tmp_path / "bad.prototxt", phase=TEST)
