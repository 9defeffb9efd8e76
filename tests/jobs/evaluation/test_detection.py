"""Reports on detectors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from protonet.errors import UsageError
from protonet.jobs.evaluation.detection import DetectionReport
from protonet.jobs.evaluation.full_dataset import average_set, opener
from protonet.jobs.inference.open_net import NetOptions
from protonet.proto.caffe_pb2 import TEST
from protonet.train.metrics.boxes import FoundBoxes, TrueBoxes
from protonet.train.metrics.coco import coco
from protonet.train.metrics.voc import voc
from tests.jobs.nets import DETECTOR, net_of
from tests.train.metrics.box_cases import random_boxes

EXTENT = 400.0


def report(seed: int = 4, *, sized: bool = False) -> DetectionReport:
    """On random boxes in 12 images of 400 x 400 pixels, of classes 1 to 5."""
    found, truths = random_boxes(seed)
    found, truths = (replace(each, corners=each.corners / EXTENT) for each in (found, truths))
    names = ("background", "ant", "bee", "cat", "dog", "")
    sizes = np.full((12, 2), EXTENT) if sized else None
    return DetectionReport("eval", names, (1, 2, 3, 4, 5), found, truths, 12, sizes=sizes)


def test_figures_by_class_and_their_means() -> None:
    made = report()
    figures = made.classes(0.4)
    assert [each.name for each in figures] == ["ant", "bee", "cat", "dog", "class 5"]
    result = voc(made.found, made.truths)
    for each in figures:
        curve = result.curve(each.label)
        assert each.objects == curve.objects
        assert (each.right, each.wrong) == curve.at(0.4)
        assert each.right + each.wrong == np.count_nonzero(
            (made.found.labels == each.label) & (made.found.scores >= 0.4) & ~result.ignored
        )
        if each.objects:
            assert each.recall == each.right / each.objects
            assert each.area == curve.average_precision("MaxIntegral")
        else:
            assert np.isnan([each.recall, each.area, each.eleven_points, each.coco]).all()
    every = made.mean(0.4)
    areas = [each.area for each in figures if each.objects]
    assert 0 < len(areas) < 5
    assert every.area == pytest.approx(np.mean(areas))
    assert every.objects == sum(each.objects for each in figures)
    assert every.coco50 == pytest.approx(np.nanmean([each.coco50 for each in figures]))
    expected = coco(made.found, made.truths, made.labels)
    assert (every.coco, every.coco75) == (expected.mean_ap, expected.ap75)
    assert made.coco.by_size == {}


def test_with_sizes_boxes_are_compared_in_pixels() -> None:
    made = report(sized=True)
    found, truths = (
        replace(boxes, corners=np.clip(boxes.corners, 0, 1) * EXTENT + [0, 0, 1, 1])
        for boxes in (made.found, made.truths)
    )
    np.testing.assert_array_equal(made.voc.right, voc(found, truths).right)
    assert list(made.coco.by_size) == ["small", "medium", "large"]
    found, truths = random_boxes(4)
    found, truths = (
        replace(each, corners=np.clip(each.corners, 0, EXTENT)) for each in (found, truths)
    )
    expected = coco(found, truths, made.labels, by_size=True)
    assert made.coco.mean_ap == pytest.approx(expected.mean_ap)
    assert made.coco.by_size == pytest.approx(expected.by_size, nan_ok=True)


def test_the_worst_images_have_most_mistakes() -> None:
    found = FoundBoxes.of_rows(
        np.array([[0, 1, 0.9, 0, 0, 1, 1], [1, 1, 0.9, 0, 0, 1, 1], [1, 1, 0.8, 0, 0, 0.1, 0.1],
                  [2, 2, 0.3, 0, 0, 1, 1]])
    )  # fmt: skip
    truths = TrueBoxes.of_rows(
        np.array([[0, 1, 0, 0, 0, 1, 1, 0], [1, 2, 0, 0, 0, 1, 1, 0], [2, 2, 0, 0, 0, 1, 1, 0]])
    )
    made = DetectionReport("eval", (), (1, 2), found, truths, 4, keys=("a", "b", "c", "d"))
    worst = made.worst(9)
    assert [(each.image, each.key, each.missed, each.false) for each in worst] == [
        (1, "b", 1, 2), (2, "c", 1, 0),
    ]  # fmt: skip
    assert [each.key for each in made.worst(1, 0.2)] == ["b"]
    assert len(made.worst(9, 0.2)) == 1
    assert replace(made, keys=()).worst(1)[0].key == "1"
    assert made.name_of(2) == "class 2"


def test_pictures_of_curves(tmp_path: Path) -> None:
    made = report()
    made.draw(tmp_path / "curves.svg")
    text = (tmp_path / "curves.svg").read_text()
    assert f"mean average precision {made.mean().area:.4f} at an overlap of 0.5" in text
    with pytest.raises(UsageError, match=r"curves.bmp: expected a picture of kind png, svg, pdf"):
        made.draw(tmp_path / "curves.bmp")
    nothing = np.zeros(len(made.truths), bool)
    replace(made, truths=made.truths[nothing]).draw(tmp_path / "none.png")


@pytest.mark.parametrize("evaluated", [False, True])
def test_each_image_of_a_data_set_once(shapes: Path, evaluated: bool) -> None:
    """Five images in batches of two: the last one is smaller."""
    text = f"""layer {{ name: "data" type: "AnnotatedData" top: "data" top: "label"
  data_param {{ source: "{shapes / "val_images"}" batch_size: 2 }} annotated_data_param {{
    anno_type: BBOX label_map_file: "{shapes / "labelmap.prototxt"}" }} }}\n{DETECTOR}"""
    if evaluated:
        sizes = f'num_classes: 4 name_size_file: "{shapes / "test_name_size.txt"}" }} }}\n'
        text = text.replace("num_classes: 4 } }\n", sizes)
        assert sizes in text
    else:
        text = text[: text.index('layer { name: "eval"')]
    shown: list[str] = []
    averages = average_set(
        opener(net_of(text), NetOptions(phase=TEST), None), 1,
        lambda _, outputs: shown.extend(each.name for each in outputs), once=True,
    )  # fmt: skip
    assert averages.length == 5
    assert set(shown) == {"loss"}
    (made,) = averages.detectors
    assert made.output == ("eval" if evaluated else "found")
    assert (made.images, made.labels) == (5, (1, 2, 3))
    assert made.names == ("background", "circle", "square", "triangle")
    assert len(made.keys) == 5
    assert made.difficult is evaluated
    assert set(made.truths.images.tolist()) == {0, 1, 2, 3, 4}
    assert (made.sizes is not None) is evaluated
    if evaluated:
        assert np.asarray(made.sizes).tolist() == [[24, 32]] * 5
