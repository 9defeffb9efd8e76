"""Batches of images with boxes: their order, their pixels and boxes, and resumes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.box_labels import Labeller, Level
from protonet.data.box_list import BoxList, read_boxes
from protonet.data.box_source import BoxBatch, BoxSource, BoxTransform, Size
from protonet.errors import DataError

SIZES = [(20, 30), (40, 24), (20, 30), (30, 30), (20, 40)]
PIXELS = [np.random.default_rng(i).integers(0, 256, (*s, 3), np.uint8) for i, s in enumerate(SIZES)]


@pytest.fixture
def listed(tmp_path: Path) -> BoxList:
    lines = []
    for place, (height, width) in enumerate(SIZES):
        Image.fromarray(PIXELS[place]).save(tmp_path / f"{place}.png")
        boxes = "1 7 0 1 2 4 12 14" if place != 2 else "0"
        lines.append(f"# {place} {place}.png 3 {height} {width} {boxes} 0")
    (tmp_path / "list.txt").write_text("\n".join(lines))
    return read_boxes(tmp_path / "list.txt", difficult=True, folder=tmp_path)


def same(size: Size, _number: int) -> Size:
    return size


PLAIN = BoxTransform(same, same, places=False)


def take(listed: BoxList, transform: BoxTransform = PLAIN, **settings: object) -> BoxBatch:
    source = BoxSource(listed, transform, 1, **settings)
    batch = source.take()
    source.close()
    return batch


def test_pixels_and_boxes(listed: BoxList) -> None:
    mean = np.array([1, 2, 3], np.float32)[:, None, None]
    batch = take(listed, replace(PLAIN, mean=mean, scale=0.5))
    planes = PIXELS[0][:, :, ::-1].transpose(2, 0, 1).astype(np.float32)
    np.testing.assert_array_equal(batch.images[0], (planes - mean) * 0.5)
    np.testing.assert_array_equal(batch.rows, [[0, 2, 4, 12, 14, 7, 0, 1]])
    np.testing.assert_array_equal(batch.sizes, [[20, 30]])
    assert batch.maps == []


def test_mirrored_images(listed: BoxList) -> None:
    source = BoxSource(listed, replace(PLAIN, mirror=True), 1, seed=3)
    sides = set()
    for place in range(40):
        batch = source.take()
        planes = PIXELS[place % 5][:, :, ::-1].transpose(2, 0, 1)
        mirrored = bool((batch.images[0] != planes).any())
        width = SIZES[place % 5][1]
        sides.add(mirrored)
        np.testing.assert_array_equal(batch.images[0], planes[:, :, ::-1] if mirrored else planes)
        if len(batch.rows):
            corners = [width - 12, 4, width - 2, 14] if mirrored else [2, 4, 12, 14]
            np.testing.assert_array_equal(batch.rows[0, 1:5], corners)
    source.close()
    assert sides == {True, False}


def canvas(_size: Size, _number: int) -> Size:
    return 32, 48


def test_a_batch_has_the_size_of_its_first_image(listed: BoxList) -> None:
    """What is smaller is placed in zeros; maps and rows are those of all images."""
    labeller = Labeller([Level(8, 10, 10)], 0.5)
    transform = BoxTransform(same, canvas, labeller=labeller, scale=2)
    source = BoxSource(listed, transform, 3, seed=5)
    batch = source.take()
    source.close()
    assert batch.images.shape == (3, 3, 32, 48)
    assert [maps.shape for maps in batch.maps] == [(3, 6, 4, 6)]
    np.testing.assert_array_equal(batch.rows[:, 0], [0, 1])
    shown = batch.rows[0, 1:5].astype(int)
    planes = PIXELS[0][:, :, ::-1].transpose(2, 0, 1) * 2.0
    np.testing.assert_array_equal(
        batch.images[0, :, shown[1] : shown[3], shown[0] : shown[2]], planes[:, 4:14, 2:12]
    )
    assert batch.images[0].any(axis=0).sum() <= 20 * 30
    assert (batch.maps[0][0, 0] == 7).any()
    assert not batch.maps[0][2, 0].any()


def test_small_and_hidden_objects_are_ignored(listed: BoxList) -> None:
    transform = BoxTransform(same, canvas, least=(11, 11))
    assert take(listed, transform).rows[0, 6] == 0
    assert take(listed, replace(transform, least=(12, 0))).rows[0, 6] == 1
    assert take(listed, replace(transform, least=(0, 12))).rows[0, 6] == 1


def order(listed: BoxList, count: int, **settings: object) -> list[int]:
    source = BoxSource(listed, PLAIN, 1, **settings)
    source.close()
    return source.places(0, count)


def test_orders(listed: BoxList) -> None:
    """Images 1 and 3 are tall (or square), the others wide."""
    assert order(listed, 7) == [0, 1, 2, 3, 4, 0, 1]
    random = order(listed, 10, order="random")
    assert sorted(random[:5]) == sorted(random[5:]) == [0, 1, 2, 3, 4]
    firsts = set()
    for seed in range(8):
        found = order(listed, 10, order="random_aspect", seed=seed)
        for epoch in (found[:5], found[5:]):
            kinds = [place in (1, 3) for place in epoch]
            assert kinds in ([True] * 2 + [False] * 3, [False] * 3 + [True] * 2)
            assert sorted(epoch) == [0, 1, 2, 3, 4]
            firsts.add(kinds[0])
        mixed = order(listed, 5, order="random_mix_aspect", group=1, seed=seed)
        kinds = [place in (1, 3) for place in mixed]
        assert kinds in ([True, False, True, False, False], [False, True, False, True, False])
        parts = order(listed, 10, order="random_aspect", seed=seed)
        assert parts == found
    assert firsts == {True, False}


def test_a_resume_gives_the_same_batches(listed: BoxList) -> None:
    transform = BoxTransform(same, canvas, mirror=True)
    source = BoxSource(listed, transform, 2, order="random_aspect", seed=4)
    batches = [source.take() for _ in range(5)]
    assert source.position == 10
    source.position = 4
    np.testing.assert_array_equal(source.take().images, batches[2].images)
    source.close()
    other = BoxSource(listed, transform, 2, order="random_aspect", seed=4, threads=1, cache=True)
    other.position = 6
    for batch in batches[3:]:
        again = other.take()
        np.testing.assert_array_equal(again.images, batch.images)
        np.testing.assert_array_equal(again.rows, batch.rows)
    other.close()


def test_the_number_of_a_batch_is_the_same_for_all_its_images(listed: BoxList) -> None:
    numbers: list[int] = []

    def size(_size: Size, number: int) -> Size:
        numbers.append(number)
        return 16, 16

    source = BoxSource(listed, BoxTransform(size, same), 2, threads=1)
    for _ in range(3):
        source.take()
    source.close()
    assert numbers[0] == numbers[1] != numbers[2]


def test_files_are_read_once_with_a_cache(listed: BoxList, tmp_path: Path) -> None:
    one = BoxSource(listed, BoxTransform(same, canvas), 5, cache=True, threads=1)
    one.take()
    for place in range(5):
        (tmp_path / f"{place}.png").unlink()
    one.position = 0
    one.take()
    one.close()


def test_images_that_cannot_be_used(listed: BoxList, tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=re.escape("list.txt:1: 0.png")):
        take(listed)

    def huge(_size: Size, _number: int) -> Size:
        return 2**20, 2**20

    with pytest.raises(DataError, match=r"list\.txt:2: 1\.png: would become 1048576 x 1048576"):
        take(replace(listed, images=listed.images[1:]), replace(PLAIN, size=huge))
