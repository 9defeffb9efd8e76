"""Figures and pages of a test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from protonet.data.datum import decode_image, encode_image, make_datum
from protonet.data.writer import DatabaseWriter
from protonet.errors import UsageError
from protonet.jobs.predictions.boxes import BoxSummary, write_boxes
from protonet.jobs.predictions.classes import ClassedImage, ClassPredictions
from protonet.jobs.predictions.numbers import NumberPredictions
from protonet.jobs.predictions.summary import ClassSummary, read_predictions
from protonet.web.forms import ImagesQuery
from protonet.web.results.listing import NumberCharts, image_page, kind_of, page_json, summary
from protonet.web.views import plain
from tests.jobs.evaluation.test_detection import report
from tests.jobs.predictions.made import of_classes, of_numbers


@pytest.fixture
def classes(tmp_path: Path) -> ClassPredictions:
    """Predictions on images of a database; that of k3 is gone."""
    with DatabaseWriter(tmp_path / "db") as writer:
        for place in (0, 1, 2, 4):
            image = np.full((3, 300, 600), 40 * place, np.uint8)
            writer.put(f"k{place}".encode(), make_datum(image))
    stored = of_classes(tmp_path)
    return ClassPredictions(replace(stored, about=replace(stored.about, images=tmp_path / "db")))


def test_the_figures_of_classes(classes: ClassPredictions) -> None:
    found = summary(classes)
    assert isinstance(found, ClassSummary)
    assert (found.count, found.known, found.accuracy, found.top_5) == (5, 4, 0.5, 1)
    assert found.confusion == ((0, 0, 1), (0, 2, 1), (1, 0, 1), (1, 1, 1))
    assert (found.failed, found.failures) == (("x.png: is damaged",), 1)
    assert plain(found)["classes"][2]["images"] == 0


def test_the_figures_of_numbers(tmp_path: Path) -> None:
    found = summary(NumberPredictions(of_numbers(tmp_path)))
    assert isinstance(found, NumberCharts)
    assert (found.count, found.known, len(found.components)) == (3, 2, 2)
    assert found.points[1] == ((2.5, 2.0), (4.0, 0.0))
    assert sum(found.residuals[0].counts) == 2


def test_pages_with_pictures(classes: ClassPredictions) -> None:
    page = image_page(classes, ImagesQuery(order="wrong"))
    assert (page.total, page.offset) == (2, 0)
    first = page.images[0]
    assert isinstance(first.image, ClassedImage)
    assert first.image.name == "k1"
    assert decode_image(first.png or b"", "x").shape == (3, 96, 192), "at most 192 pixels"
    second = image_page(classes, ImagesQuery(order="all", offset=3, count=2))
    assert (second.total, second.offset) == (5, 3)
    assert [each.png is None for each in second.images] == [True, False]
    cell = image_page(classes, ImagesQuery(order="cell", truth=1, predicted=0))
    assert [each.image.name for each in cell.images] == ["k2"]
    best = image_page(classes, ImagesQuery(order="likeliest", predicted=1, count=1))
    assert [each.image.name for each in best.images] == ["k3"]


def test_pictures_of_files(tmp_path: Path) -> None:
    stored = of_numbers(tmp_path)
    (tmp_path / "far.png").write_bytes(encode_image(np.zeros((1, 5, 4), np.uint8)))
    names = (str(tmp_path / "near.png"), str(tmp_path / "far.png"), "x")
    found = NumberPredictions(replace(stored, names=names))
    far, near = image_page(found, ImagesQuery(order="worst")).images
    assert decode_image(far.png or b"", "x").shape == (1, 5, 4)
    assert near.png is None


def test_orders_that_these_predictions_do_not_have(
    classes: ClassPredictions, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="classes have no order worst, but wrong, cell"):
        image_page(classes, ImagesQuery(order="worst"))
    with pytest.raises(UsageError, match="expected a class from 0 to 2, got 3"):
        image_page(classes, ImagesQuery(order="cell", truth=3, predicted=0))
    with pytest.raises(UsageError, match="got None"):
        image_page(classes, ImagesQuery(order="likeliest"))
    with pytest.raises(UsageError, match="numbers have no order wrong, but worst, all"):
        image_page(NumberPredictions(of_numbers(tmp_path)), ImagesQuery(order="wrong"))


def test_boxes(tmp_path: Path) -> None:
    with DatabaseWriter(tmp_path / "db") as writer:
        writer.put(b"3", make_datum(np.zeros((3, 100, 960), np.uint8)))
    made = report()
    write_boxes(tmp_path, replace(made, keys=tuple(map(str, range(12)))), tmp_path / "db", 70)
    found = read_predictions(tmp_path)
    assert kind_of(found) == "boxes"
    figures = summary(found, 0.7)
    assert isinstance(figures, BoxSummary)
    assert (figures.threshold, figures.mean) == (0.7, made.mean(0.7))
    page = image_page(found, ImagesQuery(order="worst", threshold=0.2, count=200))
    told = page_json(found, page)
    assert [each["index"] for each in told["images"]] == [
        each.image for each in made.worst(12, 0.2)
    ]
    for each in told["images"]:
        assert each["missed"] == sum(box["mistake"] for box in each["truths"])
        assert {"label", "name", "corners", "score"} <= each["found"][0].keys()
        assert (each["png"] is None) == (each["image"] != "3")
    (third,) = (each for each in page.images if each.image.name == "3")
    assert decode_image(third.png or b"", "x").shape == (3, 50, 480)
    every = image_page(found, ImagesQuery(count=2, offset=11))
    assert (every.total, [each.image.place for each in every.images]) == (12, [11])
    with pytest.raises(UsageError, match="boxes have no order cell, but worst, all"):
        image_page(found, ImagesQuery(order="cell"))
