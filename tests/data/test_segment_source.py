"""Segments of videos: places in time, crops, mirrors, and resumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.image_rng import ImageRNG
from protonet.data.resize import resize
from protonet.data.segment_list import SegmentList
from protonet.data.segment_source import SegmentSource, SegmentTransform
from protonet.errors import DataError

KEY = np.array([3, 4], np.uint64)
ROWS, COLUMNS = np.mgrid[:20, :30]
PLANES = np.stack([COLUMNS, ROWS, ROWS + COLUMNS, 2 * ROWS]).astype(np.uint8)


def made(transform: SegmentTransform, place: int) -> np.ndarray:
    size = transform.output_size(20, 30)
    out = np.empty((4, *size), np.float32)
    transform.apply(PLANES, out, ImageRNG(KEY, place))
    return out


def test_a_test_takes_the_middle() -> None:
    found = made(SegmentTransform(size=10, fixed=True, mean=(1, 2), scale=0.5), 0)
    part = PLANES[:, 5:15, 10:20].astype(np.float32)
    np.testing.assert_array_equal(found, (part - np.array([1, 2, 1, 2])[:, None, None]) * 0.5)
    np.testing.assert_array_equal(made(SegmentTransform(), 0), PLANES)


def corners(transform: SegmentTransform) -> set[tuple[int, int]]:
    found = [made(transform, place)[:2, 0, 0].astype(int).tolist() for place in range(200)]
    return {(row, column) for column, row in found}


def test_places_of_crops() -> None:
    """10 rows and 20 columns to spare: quarters of 2 and 5."""
    fixed = corners(SegmentTransform(size=10, training=True, fixed=True))
    assert fixed == {(0, 0), (0, 20), (8, 0), (8, 20), (4, 10)}
    more = corners(SegmentTransform(size=10, training=True, fixed=True, more=True))
    edges = {(0, 10), (8, 10), (4, 0), (4, 20), (2, 5), (2, 15), (6, 5), (6, 15)}
    assert more == fixed | edges
    free = corners(SegmentTransform(size=10, training=True))
    assert {row for row, _ in free} == set(range(11))


def test_scales_of_crops() -> None:
    """Sides of 20 and 10, both alike; the large one is resized."""
    transform = SegmentTransform(size=10, training=True, ratios=(1, 0.5), distort=0)
    wanted = {
        resize(PLANES[:, top : top + side, left : left + side], 10, 10).tobytes(): side
        for side in (10, 20)
        for top in range(21 - side)
        for left in range(31 - side)
    }
    seen = {wanted[made(transform, place).astype(np.uint8).tobytes()] for place in range(60)}
    assert seen == {10, 20}
    mixed = SegmentTransform(size=10, training=True, ratios=(1, 0.5), distort=1)
    steps = {
        tuple(int(found[plane, -1, -1] - found[plane, 0, 0] > 12) for plane in (0, 1))
        for found in (made(mixed, place) for place in range(60))
    }
    assert steps == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_mirrored_flow_goes_the_other_way() -> None:
    sides = set()
    for place in range(20):
        found = made(SegmentTransform(mirror=True, flow=True), place)
        mirrored = bool(found[1, 0, 0] != PLANES[1, 0, 0] or found[0, 0, 0] > 200)
        expected = PLANES.astype(np.float32)
        if mirrored:
            expected = expected[:, :, ::-1].copy()
            expected[::2] = 255 - expected[::2]
        np.testing.assert_array_equal(found, expected)
        sides.add(mirrored)
    assert sides == {True, False}


def test_frames_that_are_too_small() -> None:
    with pytest.raises(DataError, match="frames of 20x30 are smaller than crop_size 21"):
        SegmentTransform(size=21).output_size(20, 30)


@pytest.fixture
def listed(tmp_path: Path) -> SegmentList:
    for name, count in (("a", 12), ("b", 3)):
        (tmp_path / name).mkdir()
        for number in range(1, count + 1):
            plane = np.full((4, 6), 10 * number + (name == "b"), np.uint8)
            Image.fromarray(plane).save(tmp_path / name / f"{number}.png")
    (tmp_path / "list.txt").write_text("a 12 0\nb 3 1\n")
    return SegmentList(
        tmp_path / "list.txt", pattern="%d.png", flow=False, color=False, length=2, folder=tmp_path
    )


def source(listed: SegmentList, training: bool = False, **settings: object) -> SegmentSource:
    transform = SegmentTransform(training=training)
    return SegmentSource(listed, 2, 3, transform, (4, 6), **settings)


def test_segments_of_a_test_are_in_the_middle(listed: SegmentList) -> None:
    """Of 4 frames each, 3 places for two; the second video is too short."""
    stream = source(listed)
    batch = stream.take()
    np.testing.assert_array_equal(batch.labels, [0, 1])
    numbers = batch.data[:, :, 0, 0]
    np.testing.assert_array_equal(numbers[0], [20, 30, 60, 70, 100, 110])
    np.testing.assert_array_equal(numbers[1], [11, 21] * 3)
    stream.close()


def test_segments_of_a_training_are_anywhere(listed: SegmentList) -> None:
    stream, starts = source(listed, training=True, seed=5), set()
    batches = [np.array(stream.take().data) for _ in range(20)]
    for batch in batches:
        numbers = batch[0, :, 0, 0].astype(int)
        assert (numbers[1::2] - numbers[::2] == 10).all()
        starts |= {int(number // 10 - 1 - 4 * part) for part, number in enumerate(numbers[::2])}
    assert starts == {0, 1, 2}
    stream.position = 6
    np.testing.assert_array_equal(stream.take().data, batches[3])
    stream.close()


def test_a_batch_has_one_size(listed: SegmentList) -> None:
    stream = SegmentSource(listed, 2, 1, SegmentTransform(), (5, 6))
    data = np.empty((2, 2, 5, 6), np.float32)
    with pytest.raises(DataError, match=r"list\.txt:1: a: frames of 4x6 in a batch of 5x6; set"):
        stream.next(data)
    stream.close()
