"""Means of outputs over batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import UsageError
from protonet.jobs.evaluation.outputs import average_outputs
from protonet.jobs.inference.open_net import NetOptions, open_net
from protonet.proto.caffe_pb2 import TEST
from protonet.train.events import Output

DIGITS = Path(__file__).parents[2] / "golden" / "digits"


@pytest.fixture(autouse=True)
def in_the_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DIGITS)


def test_the_outputs_of_the_digits_are_those_of_caffes_log() -> None:
    options = NetOptions(phase=TEST, weights="digits_iter_200.caffemodel")
    net = open_net(Path("train_val.prototxt"), options)
    seen: list[tuple[int, list[Output]]] = []
    loss, means = average_outputs(net, 3, lambda index, outputs: seen.append((index, outputs)))
    net.close()
    assert [output.name for output in means] == ["accuracy", "loss"]
    assert means[0].value == pytest.approx(0.882155, abs=1e-6)
    assert means[1].value == loss
    assert [index for index, _ in seen] == [0, 1, 2]
    assert np.mean([outputs[0].value for _, outputs in seen]) == pytest.approx(means[0].value)


def test_no_iteration_is_refused() -> None:
    net = open_net(Path("train_val.prototxt"), NetOptions(phase=TEST))
    with pytest.raises(UsageError, match="expected 1 iteration or more, got 0"):
        average_outputs(net, 0)
    net.close()
