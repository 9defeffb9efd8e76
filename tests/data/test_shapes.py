"""The drawn data set for detection."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from protonet.data.annotate import read_label_map
from protonet.data.annotated import read_annotated
from protonet.data.database import Database
from protonet.data.datum import decode_image
from protonet.data.shapes import create_shapes, draw_shapes
from protonet.errors import UsageError


def test_boxes_are_those_of_the_pixels() -> None:
    """The only shape of an image is brighter than the noise at exactly its box."""
    generator, seen = np.random.default_rng(0), set()
    for _ in range(60):
        image, shapes = draw_shapes(generator, 40, 32)
        assert 1 <= len(shapes) <= 4
        if len(shapes) > 1:
            continue
        kind, left, top, right, bottom = shapes[0]
        seen.add(kind)
        rows, columns = np.nonzero(image.max(axis=0) >= 128)
        assert (columns.min(), rows.min()) == (left, top)
        assert (columns.max() + 1, rows.max() + 1) == (right, bottom)
        filled = len(rows) / (right - left) ** 2
        assert abs(filled - {1: np.pi / 4, 2: 1, 3: 0.5}[kind]) < 0.2, (kind, right - left)
    assert seen == {1, 2, 3}


def test_shapes_hide_little_of_each_other() -> None:
    generator = np.random.default_rng(1)
    for _ in range(50):
        _, shapes = draw_shapes(generator, 64, 64)
        for place, (_, *a) in enumerate(shapes):
            for _, *b in shapes[:place]:
                wide = max(0, min(a[2], b[2]) - max(a[0], b[0]))
                high = max(0, min(a[3], b[3]) - max(a[1], b[1]))
                assert wide * high <= 0.2 * min((a[2] - a[0]) ** 2, (b[2] - b[0]) ** 2)


def test_a_data_set(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    create_shapes(
        tmp_path / "data", 40, 32, 5, 2, 7, lambda done, total: seen.append((done, total))
    )
    assert seen == [(done, 7) for done in range(1, 8)]
    generator = np.random.default_rng(7)
    for part, count in (("train", 5), ("val", 2)):
        with Database(tmp_path / "data" / f"{part}_images") as database:
            assert len(database) == count
            for key in list(database.keys()):
                drawn = draw_shapes(generator, 40, 32)
                found = read_annotated(database, key)
                np.testing.assert_array_equal(found.image, drawn.image)
                rows = np.hstack([found.objects.marks, found.objects.boxes * [40, 32, 40, 32]])
                assert sorted(rows[:, [0, 3, 4, 5, 6]].round(3).tolist()) == sorted(
                    list(map(float, shape)) for shape in drawn.shapes
                )
    truths = json.loads((tmp_path / "data" / "test.json").read_text())
    names = ["circle", "square", "triangle"]
    assert list(truths) == [f"test{index}.png" for index in range(4)]
    for name, boxes in truths.items():
        drawn = draw_shapes(generator, 40, 32)
        image = decode_image((tmp_path / "data" / name).read_bytes(), name)
        np.testing.assert_array_equal(image, drawn.image)
        assert [(box["label"], *box["box"]) for box in boxes] == drawn.shapes
        assert [box["name"] for box in boxes] == [names[kind - 1] for kind, *_ in drawn.shapes]
    found = read_label_map(tmp_path / "data" / "labelmap.prototxt")
    assert [item.display_name for item in found.item] == ["background", *names]
    sizes = (tmp_path / "data" / "test_name_size.txt").read_text()
    assert sizes == "val0 32 40\nval1 32 40\n"


@pytest.mark.parametrize("numbers", [(15, 16, 1, 1), (16, 16, 0, 1), (16, 16, 1, 0)])
def test_numbers_that_are_too_small(tmp_path: Path, numbers: tuple[int, int, int, int]) -> None:
    with pytest.raises(UsageError, match="both counts must be 1 or more, width and height 16"):
        create_shapes(tmp_path / "data", *numbers)
    assert list(tmp_path.iterdir()) == []


def test_boxes_for_detectnet(tmp_path: Path) -> None:
    create_shapes(tmp_path / "data", 40, 32, 5, 2, 7, detectnet=True)
    generator = np.random.default_rng(7)
    with (
        Database(tmp_path / "data" / "train_images") as images,
        Database(tmp_path / "data" / "train_boxes") as boxes,
    ):
        assert images.keys() == boxes.keys()
        for key in boxes.keys():  # noqa: SIM118 - a Database is not a dict
            table = boxes.image(key)[0]
            assert table.shape == (1, 5, 16)
            expected = [
                [left, top, right - left, bottom - top, 0, kind]
                for kind, left, top, right, bottom in draw_shapes(generator, 40, 32).shapes
            ]
            assert table[0, 0, :2].tolist() == [len(expected), 16]
            found = np.rint(table[0, 1 : 1 + len(expected), :6]).astype(int)
            assert sorted(found.tolist()) == sorted(expected)
    assert (tmp_path / "data" / "val_boxes").is_dir()
