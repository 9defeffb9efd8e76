"""Class numbers and boxes are told apart before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.errors import NetworkError, UsageError
from protonet.jobs.definitions.box_checks import check_boxes, check_classes
from protonet.jobs.definitions.boxes import BoxFiles
from tests.jobs.nets import DETECTOR, SEED, net_of

CLASSIFIER = """
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 4 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
OWN_DATA = 'layer { name: "data" type: "Data" top: "data" top: "label" }\n'
DETECTNET = """
layer { name: "maps" type: "DetectNetTransformation" bottom: "data" bottom: "label"
  top: "image" top: "truth" }
"""


@pytest.mark.parametrize("labels", [None, Path("train_labels")])
def test_boxes_are_not_in_plain_images(gradients: Path, labels: Path | None) -> None:
    images = gradients / "train_images"
    with pytest.raises(NetworkError) as caught:
        check_boxes(net_of(DETECTOR), images, labels)
    (mistake,) = caught.value.mistakes
    assert mistake.line == DETECTOR[: DETECTOR.index('layer { name: "loss"')].count("\n") + 1
    expected = f'layer "loss" (MultiBoxLoss): reads boxes, but {images} has plain images'
    assert mistake.message == expected
    assert "protonet convert-detection" in mistake.hint


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        (CLASSIFIER, 'layer "loss" (SoftmaxWithLoss)', "MultiBoxLoss learns from boxes"),
        (OWN_DATA + CLASSIFIER, 'layer "data" (Data)', "MultiBoxLoss learns from boxes"),
        (DETECTNET, 'layer "maps" (DetectNetTransformation)', "give --labels"),
    ],
)
def test_boxes_are_no_class_numbers(shapes: Path, text: str, where: str, hint: str) -> None:
    with pytest.raises(NetworkError) as caught:
        check_boxes(net_of(text), shapes / "train_images")
    (mistake,) = caught.value.mistakes
    assert mistake.message.startswith(f"{where}: 'label' would be class numbers, but ")
    assert mistake.message.endswith("has images with boxes")
    assert hint in mistake.hint


def test_what_fits(shapes: Path, gradients: Path) -> None:
    check_boxes(net_of(DETECTOR), shapes / "train_images")
    check_boxes(net_of(SEED), gradients / "train_images")
    check_boxes(net_of(DETECTNET), shapes / "train_images", gradients / "train_labels")


def test_labels_that_nobody_reads(shapes: Path, gradients: Path) -> None:
    with pytest.raises(UsageError, match=r"reads boxes.*; omit --labels"):
        check_boxes(net_of(DETECTOR), shapes / "train_images", gradients / "train_labels")


def test_as_many_classes_as_in_the_label_map(shapes: Path) -> None:
    files = BoxFiles(shapes / "labelmap.prototxt")
    check_classes(net_of(DETECTOR), files)
    check_classes(net_of(DETECTOR.replace("num_classes: 4", "num_classes: 9")), BoxFiles())
    with pytest.raises(NetworkError) as caught:
        check_classes(net_of(DETECTOR.replace("num_classes: 4", "num_classes: 21")), files)
    names = ["loss", "found", "eval"]
    assert [m.message.split('"')[1] for m in caught.value.mistakes] == names
    mistake = caught.value.mistakes[0]
    assert "num_classes is 21, but " in mistake.message
    assert "has 4 with the background: background, circle, square, triangle" in mistake.message
    assert mistake.hint.startswith("num_classes: 4")
    assert "num_classes: 21" in mistake.excerpt


def test_agnostic_detectors_count_two(shapes: Path) -> None:
    text = DETECTOR.replace("num_classes: 4", "num_classes: 2")
    with pytest.raises(NetworkError, match="num_classes is 2, but"):
        check_classes(net_of(text), BoxFiles(shapes / "labelmap.prototxt"))
    param = "multibox_loss_param { "
    text = text.replace(param, param + "map_object_to_agnostic: true ")
    check_classes(net_of(text), BoxFiles(shapes / "labelmap.prototxt"))
