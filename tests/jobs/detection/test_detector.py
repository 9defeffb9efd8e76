"""The objects that a detector finds, in pixels of image files."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from protonet.data.image_file import shown_window
from protonet.data.transform import Transformer
from protonet.errors import UsageError
from protonet.jobs.detection.detector import Detector, class_name, detection_outputs
from protonet.jobs.inference.predictor import Prediction
from protonet.proto.caffe_pb2 import TEST, TransformationParameter
from protonet.proto.text import Source
from tests.jobs.nets import DETECTOR

DEPLOY = """layer { name: "in" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 24 dim: 32 } } }
"""
TEXT = DEPLOY + DETECTOR[: DETECTOR.index('layer { name: "eval"')]
ROWS = np.array([[0, 1, 0.4, 0.1, 0.2, 0.5, 0.6], [0, 3, 0.9, -0.5, 0, 2, 0.5]])


def predictor(how: str = "squash", text: str = TEXT) -> Any:
    def window(size: tuple[int, int]) -> np.ndarray:
        return shown_window(size, Transformer(TransformationParameter(), TEST, (3, 24, 32)), how)

    names = ["background", "circle", "square", "triangle"]
    source = Source("deploy.prototxt", text)
    outputs = {"found": (1, 1, 1, 7)}
    return SimpleNamespace(source=source, outputs=outputs, window=window, class_names=names)


def test_boxes_in_pixels_by_descending_score() -> None:
    detector = Detector(predictor())
    rows = {"found": ROWS[None, None]}
    found = detector.detections(Prediction(Path("x.png"), rows, "", (50, 200)))
    assert (detector.outputs, found.height, found.width) == (("found",), 50, 200)
    first, second = found.found
    assert (first.label, first.name, first.score) == (3, "triangle", 0.9)
    assert first.box == (0, 0, 200, 25)
    assert (second.name, second.box) == ("circle", pytest.approx((20, 10, 100, 30)))
    assert found.above(0.5) == (first,)
    assert found.above(0.4) == (first, second)


def test_boxes_of_an_image_that_was_cropped() -> None:
    """Of 100 x 200 pixels, of which the net sees the middle: 133.3 wide (a row has 32 / 24)."""
    detector = Detector(predictor("crop"))
    found = detector.detections(Prediction(Path("x.png"), {"found": ROWS}, "", (100, 200)))
    left, top, right, bottom = found.found[1].box
    assert (top, bottom) == pytest.approx((20, 60))
    assert (left, right) == pytest.approx((33.33 + 13.33, 33.33 + 66.67), abs=0.1)


def test_nothing_found_is_no_box() -> None:
    rows = np.array([[0, -1, -1, -1, -1, -1, -1]])
    found = Detector(predictor()).detections(Prediction(Path("x"), {"found": rows}, "", (5, 5)))
    assert found.found == ()


def test_other_nets_find_no_boxes() -> None:
    softmax = DEPLOY + 'layer { name: "p" type: "Softmax" bottom: "data" top: "p" }'
    assert detection_outputs(predictor(text=softmax)) == ()
    with pytest.raises(UsageError, match=r"deploy.prototxt: finds no boxes; expected .*Detect"):
        Detector(predictor(text=softmax))
    read = TEXT + 'layer { name: "s" type: "Silence" bottom: "found" }'
    assert detection_outputs(predictor(text=read)) == ()


def test_classes_without_a_name() -> None:
    assert class_name(None, 4) == class_name(["a", ""], 4) == "class 4"
    assert (class_name(["a", ""], 1), class_name(["a", "b"], 1)) == ("class 1", "b")


def test_the_groups_of_detectnet() -> None:
    text = (
        DEPLOY
        + """layer { name: "c" type: "Python" bottom: "data" top: "cars" top: "dogs"
      python_param { module: "caffe.layers.detectnet.clustering" layer: "ClusterDetections" } }"""
    )
    asked = predictor(text=text)
    asked.outputs = {"cars": (1, 2, 5), "dogs": (1, 2, 5)}
    asked.transformer = Transformer(TransformationParameter(), TEST, (3, 24, 32))
    detector = Detector(asked)
    assert (detector.outputs, detector.groups) == (("cars", "dogs"), True)
    cars = np.array([[8, 6, 16, 12, np.log(4)], [0, 0, 0, 0, 0]])
    dogs = np.array([[0, 0, 32, 24, np.log(2)], [0, 0, 0, 0, 0]])
    found = detector.detections(Prediction(Path("x"), {"cars": cars, "dogs": dogs}, "", (48, 64)))
    assert [(each.label, each.name, each.score) for each in found.found] == [
        (1, "circle", pytest.approx(0.75)), (2, "square", pytest.approx(0.5)),
    ]  # fmt: skip
    assert [each.box for each in found.found] == [(16, 12, 32, 24), (0, 0, 64, 48)]
