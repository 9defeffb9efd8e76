"""The orders and figures of a classifier's predictions."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest

from protonet.jobs.predictions.classes import ClassPredictions
from protonet.jobs.predictions.stored import About, StoredPredictions
from tests.jobs.predictions.made import of_classes


@pytest.fixture
def found(tmp_path: Path) -> ClassPredictions:
    return ClassPredictions(of_classes(tmp_path))


def test_figures(found: ClassPredictions) -> None:
    assert found.known == 4
    assert found.accuracy() == 0.5
    assert found.accuracy(2) == 1
    assert found.confusion.tolist() == [[1, 0, 1], [1, 1, 0], [0, 0, 0]]
    a, b, c = found.figures()
    assert (a.name, a.images, a.predicted, a.right) == ("a", 2, 2, 1)
    assert (a.recall, a.precision) == (0.5, 0.5)
    assert (b.recall, b.precision) == (0.5, 1.0)
    assert math.isnan(c.recall)
    assert c.precision == 0


def test_orders(found: ClassPredictions) -> None:
    assert found.wrong.tolist() == [1, 2], "the surest first"
    assert found.cell(1, 0).tolist() == [2]
    assert found.cell(2, 2).tolist() == []
    assert found.likeliest(1).tolist() == [3, 4, 2, 0, 1]


def test_images(found: ClassPredictions) -> None:
    wrong, unknown = found.images(np.array([1, 4]))
    assert (wrong.place, wrong.name, wrong.truth) == (1, "k1", "a")
    assert [name for name, _ in wrong.best] == ["c", "a", "b"]
    assert wrong.best[0][1] == pytest.approx(0.8)
    assert unknown.truth is None


def test_many_images_of_many_classes_are_quick() -> None:
    random = np.random.default_rng(1)
    scores = random.random((50_000, 100), np.float32)
    truths = random.integers(0, 100, (50_000, 1)).astype(np.float32)
    ranked = np.argsort(-scores, axis=1)[:, :5].astype(np.int32)
    names = tuple(map(str, range(50_000)))
    about = About(1, "prob", Path("x"), classes=tuple(map(str, range(100))), count=50_000)
    found = ClassPredictions(StoredPredictions(about, scores, truths, ranked, names))
    assert found.wrong.size > 40_000  # computed once
    began = time.process_time()
    for offset in range(0, 48_000, 4_800):
        assert len(found.images(found.wrong[offset : offset + 24])) == 24
    assert found.cell(3, 4).size > 0
    assert time.process_time() - began < 3, "ten pages, on a busy machine"
