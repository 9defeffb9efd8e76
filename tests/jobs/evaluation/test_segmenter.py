"""Predictions of the classes of pixels."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.class_table import ClassTable
from protonet.errors import DataError
from protonet.jobs.evaluation.segmenter import (
    Segmentation,
    Segmenter,
    can_segment,
    map_output,
    original_image,
)
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.run.directory import RunDirectory
from tests.data import segmentation_sets as sets

TABLE = ClassTable(("ground", "car", "sky"), ((0, 0, 0), (200, 100, 50), (0, 0, 255)), 9)


def test_shares_and_pictures() -> None:
    found = Segmentation(np.array([[0, 2, 2], [2, 2, 1]], np.uint8), TABLE)
    assert [(each.name, each.share) for each in found.shares()] == [
        ("sky", pytest.approx(4 / 6)),
        ("ground", pytest.approx(1 / 6)),
        ("car", pytest.approx(1 / 6)),
    ]
    with Image.open(io.BytesIO(found.map_picture((4, 6)))) as picture:
        labels = np.asarray(picture)
        assert labels.shape == (4, 6)
        assert labels[3].tolist() == [2, 2, 2, 2, 1, 1]
        assert picture.convert("RGB").getpixel((5, 3)) == (200, 100, 50)
    more = Segmentation(np.array([[0, 4]], np.uint8), TABLE).shares()  # as many as the net has
    assert [(each.name, each.share) for each in more[:2]] == [("ground", 0.5), ("class 4", 0.5)]
    image = np.full((3, 4, 6), 100, np.uint8)
    with Image.open(io.BytesIO(found.overlay(image, 0.25))) as picture:
        assert picture.size == (6, 4)
        assert picture.getpixel((5, 3)) == (125, 100, 88)


def test_a_run_tells_the_classes_of_pixels(segments: Path) -> None:
    run = RunDirectory.open(segments / "run")
    with Predictor(run) as predictor:
        assert map_output(predictor) == ("softmax", 3)
        assert can_segment(predictor)
        segmenter = Segmenter(predictor, predictor.pixel_classes)
        assert segmenter.table == run.pixel_classes()
        path = segments / "set" / "images" / "a.png"
        (prediction,) = predictor.predict([path])
        found = segmenter.of(prediction).labels
        expected = prediction.outputs["softmax"].argmax(axis=0)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(segmenter.of_batch([original_image(path)])[0], expected)
        with pytest.raises(DataError, match="an image is 3x3x3, but the net was trained on 3x6x8"):
            segmenter.of_batch([np.zeros((3, 3, 3), np.uint8)])
        assert Segmenter(predictor).table.names == ("ground", "car", "sky")
        predictor.class_names = ["x"]
        assert Segmenter(predictor).table.names == ("x", "class 1", "class 2")
        predictor.pixel_classes = None
        assert not can_segment(predictor)  # the names are of something else
        predictor.class_names = None
        assert can_segment(predictor)  # from a Softmax
        predictor.pixel_classes = ClassTable.of(["a", "b", "c", "d"])
        assert not can_segment(predictor)


def test_other_nets_tell_none(regression: Path) -> None:
    with Predictor(RunDirectory.open(regression)) as predictor:
        assert not can_segment(predictor)


def test_an_image_that_a_net_makes_is_no_map_of_classes(segments: Path, tmp_path: Path) -> None:
    shutil.copytree(segments / "run", tmp_path / "run")
    run = RunDirectory.open(tmp_path / "run")
    deploy = run.deploy.read_text()
    run.deploy.write_text(deploy.replace('type: "Softmax"', 'type: "Sigmoid"'))
    run.class_table.unlink()
    run.labels.unlink()
    with Predictor(run) as predictor:
        assert predictor.output_types == {"softmax": "Sigmoid"}
        assert not can_segment(predictor)


def test_an_image_as_it_is(tmp_path: Path) -> None:
    sets.write_image(tmp_path / "a.png", 0)
    np.testing.assert_array_equal(original_image(tmp_path / "a.png"), sets.image_of(0))
    with pytest.raises(DataError, match="cannot be read"):
        original_image(tmp_path / "b.png")
