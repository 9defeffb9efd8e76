"""Random steps of data layers, on images whose pixels tell where they come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.augmented_images import augmented_images
from protonet.data.datum import make_datum
from protonet.data.shapes import create_shapes
from protonet.data.writer import DatabaseWriter
from protonet.errors import NetworkError, UsageError
from protonet.proto.text import NetDefinition, Source, read_net

CROP = """
layer { name: "other" type: "Data" top: "data" include { phase: TEST }
  transform_param { crop_size: 9 } }
layer { name: "data" type: "Data" top: "data" include { phase: TRAIN }
  transform_param { crop_size: 4 mirror: true scale: 0.01 mean_value: 50 } }
"""
SSD = """
layer { name: "data" type: "AnnotatedData" top: "data" top: "label"
  transform_param { mirror: true mean_value: 104
    resize_param { prob: 1 resize_mode: WARP height: 20 width: 30 }
    expand_param { prob: 0.5 max_expand_ratio: 2 }
    emit_constraint { emit_type: CENTER } }
  annotated_data_param {
    batch_sampler { max_sample: 1 max_trials: 1 }
    batch_sampler { sampler { min_scale: 0.5 max_scale: 1 }
      sample_constraint { min_jaccard_overlap: 0.3 } max_sample: 1 max_trials: 50 } } }
"""


def parsed(text: str) -> NetDefinition:
    return read_net(Source("net.prototxt", text))


def test_crops_and_mirrors(tmp_path: Path) -> None:
    image = np.arange(6 * 8, dtype=np.uint8).reshape(1, 6, 8)
    with DatabaseWriter(tmp_path / "db") as writer:
        writer.put(b"0", make_datum(image))
    (found,) = augmented_images(parsed(CROP), tmp_path / "db", count=3, variants=12)
    np.testing.assert_array_equal(found.original.image, image)
    corners, mirrored = set(), set()
    for variant in found.variants:
        assert (variant.image.shape, variant.image.dtype) == ((1, 4, 4), np.uint8)
        turned = bool(variant.image[0, 0, 0] > variant.image[0, 0, 1])
        straight = variant.image[:, :, ::-1] if turned else variant.image
        top, left = divmod(int(straight[0, 0, 0]), 8)
        np.testing.assert_array_equal(straight, image[:, top : top + 4, left : left + 4])
        corners.add((top, left))
        mirrored.add(turned)
    assert len(corners) > 3
    assert mirrored == {True, False}
    again = next(augmented_images(parsed(CROP), tmp_path / "db", variants=12))
    np.testing.assert_array_equal(again.variants[5].image, found.variants[5].image)
    other = next(augmented_images(parsed(CROP), tmp_path / "db", variants=12, seed=1))
    assert any(
        (one.image != two.image).any()
        for one, two in zip(other.variants, found.variants, strict=True)
    )


def test_windows_with_boxes(tmp_path: Path) -> None:
    create_shapes(tmp_path / "set", 48, 32, 5, 1, seed=1)
    found = list(augmented_images(parsed(SSD), tmp_path / "set" / "train_images", count=3))
    assert len(found) == 3
    for each in found:
        assert each.original.image.shape == (3, 32, 48)
        for variant in each.variants:
            assert variant.image.shape == (3, 20, 30)
            boxes = variant.objects.boxes
            assert len(boxes) <= len(each.original.objects.boxes)
            assert ((boxes >= 0) & (boxes <= 1)).all()
            assert set(variant.objects.marks[:, 0]) <= set(each.original.objects.marks[:, 0])


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ('layer { name: "a" type: "Data" top: "a" }', UsageError, "'a' has no transform_param"),
        ('layer { name: "a" type: "ReLU" bottom: "x" top: "a" }', UsageError, "no data layer"),
        (CROP.replace("crop_size: 4", "crop_size: 7"), NetworkError,
         'layer "data" .Data.: crop_size 7 is larger than the images'),
        (CROP.replace("crop_size: 4", "crop_h: 4"), NetworkError, "crop_h and crop_w go together"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown(tmp_path: Path, text: str, kind: type[Exception], told: str) -> None:
    with DatabaseWriter(tmp_path / "db") as writer:
        writer.put(b"0", make_datum(np.zeros((1, 6, 8), np.uint8)))
    with pytest.raises(kind, match=told):
        list(augmented_images(parsed(text), tmp_path / "db"))
