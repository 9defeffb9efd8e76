"""Errors of vectors, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import UsageError
from protonet.jobs.evaluation.regression import FORMATS, VectorCollector, VectorReport
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import SEED, net_of

TRUE = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]])
PREDICTED = np.array([[1.0, 1.0], [2.0, 1.0], [2.0, 4.0]])


def test_the_errors_of_each_component() -> None:
    first, second = VectorReport("loss", "output", PREDICTED, TRUE).components()
    assert (first.name, first.mae) == ("output[0]", 1.0)
    assert first.rmse == pytest.approx(np.sqrt(5 / 3))
    assert first.r2 == pytest.approx(1 - 5 / 8)
    assert (second.mae, second.rmse) == (1.0, pytest.approx(np.sqrt(3)))
    assert np.isnan(second.r2)


def test_the_worst_come_first() -> None:
    report = VectorReport("loss", "output", PREDICTED, TRUE)
    assert report.worst(2) == [(2, pytest.approx(np.sqrt(13))), (0, 1.0)]
    assert report.worst(0) == []


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    VectorReport("loss", "output", PREDICTED, TRUE).draw(path)
    start = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[kind]
    assert path.read_bytes().startswith(start)
    with pytest.raises(UsageError, match="expected a picture of kind"):
        VectorReport("loss", "output", PREDICTED, TRUE).draw(tmp_path / "x.gif")


def test_items_are_counted_over_all_passes() -> None:
    net = net_of(SEED, TEST)
    collector = VectorCollector(net)
    assert collector.reports() == []
    expected = []
    for seed in range(2):
        label = np.random.default_rng(seed).normal(size=(3, 2))
        net.blobs["label"].data[...] = label
        net.forward()
        collector.take()
        expected.append(label)
    (report,) = collector.reports()
    assert (report.name, report.output) == ("loss", "output")
    np.testing.assert_allclose(report.true, np.concatenate(expected), rtol=1e-6)
    np.testing.assert_allclose(report.predicted[3:], net.blobs["output"].data, rtol=1e-6)
