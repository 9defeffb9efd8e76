"""Figures and images as JSON, and how long large tests take."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from protonet.errors import UsageError
from protonet.jobs.predictions.classes import ClassPredictions
from protonet.jobs.predictions.stored import About, PredictionWriter, StoredPredictions
from protonet.jobs.predictions.summary import (
    ClassSummary,
    NumberSummary,
    image_json,
    images_json,
    scored,
    summarize,
    summary_json,
)
from tests.jobs.predictions.made import of_classes, of_numbers


def random_predictions(
    folder: Path, count: int, width: int
) -> tuple[StoredPredictions, np.ndarray, np.ndarray]:
    """Predictions of random scores, with their truths and predicted classes."""
    random = np.random.default_rng(8)
    true, rows = random.integers(0, width, count), random.random((500, width), np.float32)
    about = About(1, "prob", Path("images"), classes=tuple(map(str, range(width))))
    with PredictionWriter(folder, about, count, width) as writer:
        for place in range(count):
            writer.add(f"{place:08d}", rows[place % 500], [float(true[place])])
        writer.complete()
    said = np.tile(rows.argmax(axis=1), -(-count // 500))[:count]
    return StoredPredictions.read(folder), true, said


def test_classes(tmp_path: Path) -> None:
    found = scored(of_classes(tmp_path))
    summary = summarize(found)
    assert isinstance(summary, ClassSummary)
    told = json.loads(json.dumps(summary_json(summary), allow_nan=False))
    assert (told["count"], told["known"], told["accuracy"], told["top_5"]) == (5, 4, 0.5, 1.0)
    assert told["classes"][0] == {
        "name": "a", "images": 2, "predicted": 2, "right": 1, "recall": 0.5, "precision": 0.5,
    }  # fmt: skip
    assert told["classes"][2]["recall"] is None
    assert told["confusion"] == [[0, 0, 1], [0, 2, 1], [1, 0, 1], [1, 1, 1]]
    assert (told["failures"], told["failed"]) == (1, ["x.png: is damaged"])
    first = image_json(found, 1)
    assert [each["class"] for each in json.loads(json.dumps(first))["top"]] == [2, 0, 1]
    assert (first["image"], first["true"], first["true_name"]) == ("k1", 0, "a")
    assert "true" not in image_json(found, 4)
    assert [each["index"] for each in images_json(found, wrong=True)] == [1, 2]
    assert [each["index"] for each in images_json(found)] == [0, 1, 2, 3, 4]


def test_numbers(tmp_path: Path) -> None:
    found = scored(of_numbers(tmp_path))
    summary = summarize(found)
    assert isinstance(summary, NumberSummary)
    told = summary_json(summary)
    assert (told["count"], told["known"]) == (3, 2)
    assert told["components"][0]["mae"] == 1.5
    far, near = images_json(found, wrong=True)
    assert far == {"index": 1, "image": "far", "predicted": [0, 0], "true": [3, 4], "distance": 5}
    assert near["index"] == 0
    assert image_json(found, 2)["true"] is None


def test_no_truth(tmp_path: Path) -> None:
    about = About(1, "prob", Path("images"), classes=("a", "b"))
    with PredictionWriter(tmp_path, about, 1, 2) as writer:
        writer.add("k", np.array([0.2, 0.8], np.float32), None)
        writer.complete()
    found = scored(StoredPredictions.read(tmp_path))
    with pytest.raises(UsageError, match="none has a true class"):
        images_json(found, wrong=True)
    assert summary_json(summarize(found))["accuracy"] is None


def test_random_predictions_as_scikit_learn_counts_them(tmp_path: Path) -> None:
    from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

    stored, true, said = random_predictions(tmp_path, 400, 7)
    found = ClassPredictions(stored)
    assert found.accuracy() == pytest.approx(accuracy_score(true, said), abs=1e-9)
    assert (found.confusion == confusion_matrix(true, said)).all()
    precision, recall, _, images = precision_recall_fscore_support(true, said)
    figures = found.figures()
    assert [each.images for each in figures] == images.tolist()
    assert [each.precision for each in figures] == pytest.approx(precision, abs=1e-9)
    assert [each.recall for each in figures] == pytest.approx(recall, abs=1e-9)


def test_fifty_thousand_images_page_in_less_than_a_third_of_a_second(tmp_path: Path) -> None:
    random_predictions(tmp_path, 50_000, 100)
    began = time.process_time()
    found = scored(StoredPredictions.read(tmp_path))
    assert isinstance(found, ClassPredictions)
    for places in (found.wrong, found.likeliest(7), found.cell(3, 4)):
        assert [image_json(found, int(place)) for place in places[480:504]] or len(places) < 500
    assert summary_json(summarize(found))["known"] == 50_000
    took = time.process_time() - began
    assert took < 1.2, "opening, four pages and all figures, each less than 0.3 s"
    began = time.process_time()
    assert len(found.images(found.wrong[480:504])) == 24
    assert time.process_time() - began < 0.3
