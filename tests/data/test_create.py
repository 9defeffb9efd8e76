"""The seed data set, against what DIGITS made and Caffe trained on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from protonet.data.create import compute_mean, create_gradients, gradient_image
from protonet.data.database import Database, check_pairs
from protonet.data.datum import decode, decode_image, make_datum
from protonet.data.transform import load_mean
from protonet.errors import DataError, UsageError

Make = Callable[..., Path]

FULL = """
import resource, sys
from protonet.data.create import create_gradients
from protonet.errors import DataError
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    create_gradients(sys.argv[1], 300, 200, 2, 1, 0)
except DataError as error:
    print(error)
"""


def pixels(path: Path) -> np.ndarray:
    return decode_image(path.read_bytes(), str(path))


def test_the_test_image_is_that_of_digits(golden: Path) -> None:
    expected = pixels(golden / "test.png")
    np.testing.assert_array_equal(gradient_image(50, 50, 0.5, 0.5), expected)


def test_images_follow_from_their_labels(golden: Path) -> None:
    """Slopes are stored as float32, so a pixel on the edge of rounding may differ by one."""
    off = 0
    with Database(golden / "train_images") as images, Database(golden / "train_labels") as labels:
        for key, datum in images:
            slopes = decode(labels.get(key), "labels").ravel().astype(np.float64)
            found = gradient_image(50, 50, *slopes).astype(int)
            difference = np.abs(found - decode(datum, "images"))
            assert difference.max() <= 1
            off += int(np.count_nonzero(difference))
    assert off < 100 * 2500 / 1e4


def test_the_formula_of_a_pixel() -> None:
    """Slopes 0.2 along x and -0.4 along y: 4 wide, 6 high."""
    found = gradient_image(4, 6, 0.2, -0.4)
    assert found.shape == (1, 6, 4)
    expected = 0.2 * 255 / 4 * (3 - 2) - 0.4 * 255 / 6 * (1 - 3) + 127.5
    assert found[0, 1, 3] == int(expected) == 174


@pytest.mark.parametrize("part", ["train", "val"])
def test_the_mean_of_the_images(golden: Path, part: str) -> None:
    found = compute_mean(golden / f"{part}_images")
    with Database(golden / f"{part}_images") as images:
        expected = np.stack([decode(datum, "") for _, datum in images]).mean(0, dtype=np.float64)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("part", ["train", "val"])
def test_the_mean_of_digits_is_the_image_of_the_mean_slopes(golden: Path, part: str) -> None:
    """DIGITS averages planes before they become bytes, then cuts: not the mean of its images."""
    with Database(golden / f"{part}_labels") as labels:
        slopes = np.stack([decode(datum, "").ravel() for _, datum in labels])
    expected = load_mean(golden / f"{part}_mean.binaryproto")
    mean_slopes = slopes.mean(0, dtype=np.float64)
    np.testing.assert_array_equal(gradient_image(50, 50, *mean_slopes), expected)
    assert np.abs(compute_mean(golden / f"{part}_images") - expected).max() < 1


@pytest.mark.parametrize("raw", [False, True])
def test_the_whole_set(tmp_path: Path, raw: bool) -> None:
    calls: list[tuple[int, int]] = []
    folder = tmp_path / "new" / "set"

    def note(done: int, total: int) -> None:
        calls.append((done, total))

    create_gradients(folder, 7, 5, 12, 3, 2, raw, note)
    assert sorted(path.name for path in folder.iterdir()) == [
        "test.png",
        "train_images",
        "train_labels",
        "train_mean.binaryproto",
        "train_mean.png",
        "val_images",
        "val_labels",
        "val_mean.binaryproto",
        "val_mean.png",
    ]
    assert calls == [(done, 15) for done in range(1, 16)]
    for part, count in (("train", 12), ("val", 3)):
        with (
            Database(folder / f"{part}_images") as images,
            Database(folder / f"{part}_labels") as labels,
        ):
            check_pairs(images, labels)
            assert sorted(images.keys(), key=int) == [str(i).encode() for i in range(count)]
            for key, datum in images:
                slopes = decode(labels.get(key), "labels")
                assert slopes.shape == (1, 1, 2)
                assert (np.abs(slopes) <= 0.5).all()
                found = decode(datum, "images").astype(int)
                assert datum.encoded is not raw
                assert np.abs(found - gradient_image(7, 5, *slopes[0, 0])).max() <= 1
        mean = load_mean(folder / f"{part}_mean.binaryproto")
        np.testing.assert_array_equal(mean, compute_mean(folder / f"{part}_images"))
        np.testing.assert_array_equal(pixels(folder / f"{part}_mean.png"), np.rint(mean))
    np.testing.assert_array_equal(pixels(folder / "test.png"), gradient_image(7, 5, 0.5, 0.5))


def records(folder: Path) -> list[bytes]:
    with Database(folder / "train_labels") as labels:
        return [datum.SerializeToString() for _, datum in labels]


def test_the_seed_decides(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        create_gradients(tmp_path / name, 3, 2, 4, 1, seed)
    assert records(tmp_path / "a") == records(tmp_path / "b") != records(tmp_path / "c")


def test_slopes_fill_their_range(tmp_path: Path) -> None:
    create_gradients(tmp_path / "d", 2, 1, 500, 1, 0)
    with Database(tmp_path / "d" / "train_labels") as labels:
        slopes = np.stack([decode(datum, "").ravel() for _, datum in labels])
    assert (slopes.min(0) < -0.48).all()
    assert (slopes.max(0) > 0.48).all()
    assert (np.abs(slopes.mean(0)) < 0.06).all()
    assert abs(np.corrcoef(slopes.T)[0, 1]) < 0.2


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(UsageError, match="exists already; remove it or choose another name"):
        create_gradients(tmp_path, 3, 2, 4, 1, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize("sizes", [(0, 2, 4, 1), (3, -1, 4, 1), (3, 2, 0, 1), (3, 2, 4, 0)])
def test_numbers_below_one(tmp_path: Path, sizes: tuple[int, int, int, int]) -> None:
    with pytest.raises(UsageError, match="must be 1 or more, got"):
        create_gradients(tmp_path / "d", *sizes, 0)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be made: Not a directory"):
        create_gradients(tmp_path / "file" / "d", 3, 2, 4, 1, 0)


@pytest.mark.parametrize("at", [1, 4, 5])
def test_an_interrupt_removes_what_was_begun(tmp_path: Path, at: int) -> None:
    def interrupt(done: int, _total: int) -> None:
        if done == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        create_gradients(tmp_path / "d", 3, 2, 4, 1, 0, False, interrupt)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("limit", "what"), [(9_000, "train_"), (100_000, "mean.binaryproto")])
def test_a_full_disk_removes_what_was_begun(tmp_path: Path, limit: int, what: str) -> None:
    """The first limit is met by a database, the second by a mean image of 240 kB."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "d"), str(limit)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert what in done.stdout
    assert "cannot be written" in done.stdout
    assert not list(tmp_path.iterdir())


def test_a_mean_of_mixed_shapes(make_database: Make) -> None:
    images = {"a": np.zeros((1, 2, 3), np.uint8), "b": np.zeros((1, 3, 2), np.uint8)}
    path = make_database({key: make_datum(image) for key, image in images.items()})
    with pytest.raises(DataError, match="key 'b': the record is 1x3x2, but the first one is 1x2x3"):
        compute_mean(path)


def test_a_mean_is_summed_exactly(make_database: Make) -> None:
    """In float32 a sum of many values near 2^24 loses its last digits."""
    values = np.random.default_rng(0).uniform(1e6, 2e6, (300, 1, 1, 2)).astype(np.float32)
    path = make_database({str(i): make_datum(value) for i, value in enumerate(values)})
    expected = values.astype(np.float64).mean(0).astype(np.float32)
    np.testing.assert_array_equal(compute_mean(path), expected)


def test_a_kill_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    """Half a set would train. The next call clears what the killed one left."""
    code = """
import os, sys
from protonet.data.create import create_gradients
def kill(done, total):
    if done == 30:
        os.kill(os.getpid(), 9)
create_gradients(sys.argv[1], 8, 8, 40, 4, seed=1, progress=kill)
"""
    folder = tmp_path / "set"
    killed = subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert killed.returncode == -9
    assert not folder.exists()
    create_gradients(folder, 8, 8, 10, 4, seed=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]
    with Database(folder / "train_images") as images:
        assert len(images) == 10
