"""Batches of windows: what is drawn, threads, resuming, errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.cropper import WindowCropper
from protonet.data.window_source import WindowSource
from protonet.data.windows import WindowList
from protonet.errors import DataError


def make(folder: Path, **settings: object) -> WindowSource:
    """Image i is of colour 10 i, with windows of class i + 1 on the left and 0 on the right."""
    for index in range(3):
        Image.new("RGB", (10, 6), (10 * index,) * 3).save(folder / f"{index}.png")
    rows = np.arange(3)[:, None]
    left, right = np.array([[0, 0, 4, 5]] * 3), np.array([[5, 0, 9, 5]] * 3)
    windows = WindowList(
        folder / "windows.txt",
        [f"{index}.png" for index in range(3)],
        np.hstack([rows, rows + 1, left, rows + 100]).astype(np.int32),
        np.hstack([rows, rows * 0, right, rows + 200]).astype(np.int32),
    )
    given: dict[str, object] = {"folder": folder, "seed": 3, "name": "in"}
    return WindowSource(windows, 5, 2, WindowCropper(4), **(given | settings))


def take(source: WindowSource) -> tuple[np.ndarray, np.ndarray]:
    data, labels = np.empty((5, 3, 4, 4), np.float32), np.empty(5, np.float32)
    source.next(data, labels)
    return data, labels


def test_background_comes_first_and_objects_are_drawn_equally(tmp_path: Path) -> None:
    source = make(tmp_path)
    counts = np.zeros((2, 3), int)
    for _ in range(300):
        data, labels = take(source)
        colours = (data[:, 0, 0, 0] / 10).astype(int)
        assert (data == data[:, :1, :1, :1]).all()
        np.testing.assert_array_equal(labels, [0, 0, 0, *(colours[3:] + 1)])
        counts[0] += np.bincount(colours[:3], minlength=3)
        counts[1] += np.bincount(colours[3:], minlength=3)
    assert np.abs(counts[0] - 300).max() < 60
    assert np.abs(counts[1] - 200).max() < 50
    source.close()


def test_neither_threads_nor_a_resume_nor_the_cache_change_anything(tmp_path: Path) -> None:
    source = make(tmp_path, threads=1, mirror=True)
    expected = [take(source) for _ in range(8)]
    assert source.position == 40
    cached = make(tmp_path, threads=4, mirror=True, cache=True)
    resumed = make(tmp_path, mirror=True)
    resumed.position = 15
    for found, start in ((cached, 0), (resumed, 3)):
        for data, labels in expected[start:]:
            for left, right in zip(take(found), (data, labels), strict=True):
                np.testing.assert_array_equal(left, right)
    for each in (source, cached, resumed):
        each.close()


@pytest.mark.parametrize("settings", [{"seed": 4}, {"name": "other"}])
def test_other_seeds_and_names_draw_others(tmp_path: Path, settings: dict[str, object]) -> None:
    sources = make(tmp_path), make(tmp_path, **settings)
    left, right = (np.array([take(source)[0] for _ in range(9)]) for source in sources)
    assert (left != right).any()
    for source in sources:
        source.close()


def test_half_of_the_windows_are_mirrored(tmp_path: Path) -> None:
    source = make(tmp_path, mirror=True)
    pixels = np.zeros((6, 10, 3), np.uint8)
    pixels[:, [0, 5]] = 255
    for index in range(3):
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    mirrored = [bool(item[0, 0, 3] > 0) for _ in range(200) for item in take(source)[0]]
    assert abs(sum(mirrored) - 500) < 100
    source.close()


def test_a_cache_keeps_the_files(tmp_path: Path) -> None:
    source = make(tmp_path, cache=True)
    for _ in range(20):
        take(source)
    for index in range(3):
        (tmp_path / f"{index}.png").unlink()
    for _ in range(20):
        take(source)
    source.close()


def test_images_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    source = make(tmp_path, root="nowhere/")
    with pytest.raises(DataError, match=r"windows.txt:20\d: nowhere/\d.png: cannot be read: No su"):
        take(source)
    source.close()
    source = make(tmp_path)
    for index in range(3):
        (tmp_path / f"{index}.png").write_bytes(b"text")
    with pytest.raises(DataError, match=r"windows.txt:20\d: \d.png: the data is not an image"):
        take(source)
    source.close()


def test_a_window_outside_its_image_is_named(tmp_path: Path) -> None:
    source = make(tmp_path)
    for index in range(3):
        Image.new("RGB", (8, 6)).save(tmp_path / f"{index}.png")
    message = r"windows.txt:20\d: \d.png: the window 5 0 9 5 reaches out of the image, which is 6x8"
    with pytest.raises(DataError, match=message):
        take(source)
    source.close()
