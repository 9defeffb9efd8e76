"""Lists of images with classes to the databases of a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.database import Database
from protonet.data.datum import encode_image
from protonet.data.listed_set import ListedSet, convert_lists
from protonet.data.record_format import RecordFormat
from protonet.errors import DataError, UsageError

FORM = RecordFormat((5, 6), False, "png")


def image(path: Path, seed: int, shape: tuple[int, ...] = (1, 5, 6)) -> np.ndarray:
    array = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_image(array))
    return array


@pytest.fixture
def listed(tmp_path: Path) -> tuple[ListedSet, list[np.ndarray]]:
    arrays = [image(tmp_path / "images" / f"{n}.png", n) for n in range(5)]
    arrays.append(image(tmp_path / "other" / "x y.png", 7))
    (tmp_path / "train.txt").write_text("0.png 1\n1.png 0\n\n2.png 2\n")
    (tmp_path / "val.txt").write_text(f"3.png 2\n{tmp_path / 'other' / 'x y.png'} 0\n")
    (tmp_path / "names.txt").write_text("cat\ndog\nbig mouse\n")
    return ListedSet(
        tmp_path / "train.txt", tmp_path / "val.txt", tmp_path / "images", tmp_path / "names.txt"
    ), arrays


def test_both_lists(listed: tuple[ListedSet, list[np.ndarray]], tmp_path: Path) -> None:
    given, arrays = listed
    told: list[tuple[int, int]] = []
    counts = convert_lists(
        given, tmp_path / "out", FORM, progress=lambda done, total: told.append((done, total))
    )
    assert counts == {"train": 3, "val": 2}
    assert told == [(0, 5), (1, 5), (2, 5), (3, 5), (3, 5), (4, 5), (5, 5)]
    with Database(tmp_path / "out" / "val_images") as val:
        keys = val.keys()
        assert keys[0] == b"00000000_3.png"
        assert keys[1].endswith(b"other/x y.png")
        found = [val.image(key) for key in keys]
    np.testing.assert_array_equal(found[0][0], arrays[3])
    np.testing.assert_array_equal(found[1][0], arrays[5])
    assert [label for _, label in found] == [2, 0]
    assert (tmp_path / "out" / "labels.txt").read_text() == "cat\ndog\nbig mouse\n"
    assert (tmp_path / "out" / "val_mean.binaryproto").exists()
    with pytest.raises(UsageError, match="exists already"):
        convert_lists(given, tmp_path / "out", FORM)


def test_an_interrupted_one_resumes(
    listed: tuple[ListedSet, list[np.ndarray]], tmp_path: Path
) -> None:
    given, _ = listed

    def stop(done: int, _: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_lists(given, tmp_path / "out", FORM, shuffle=True, seed=3, progress=stop)
    assert not (tmp_path / "out").exists()
    given.train.write_text("0.png 1\n1.png 0\n")
    with pytest.raises(UsageError, match="list of train was"):
        convert_lists(given, tmp_path / "out", FORM, shuffle=True, seed=3)
    given.train.write_text("0.png 1\n1.png 0\n\n2.png 2\n")
    convert_lists(given, tmp_path / "out", FORM, shuffle=True, seed=3)
    convert_lists(given, tmp_path / "whole", FORM, shuffle=True, seed=3)
    for part in ("train", "val"):
        with (
            Database(tmp_path / "out" / f"{part}_images") as one,
            Database(tmp_path / "whole" / f"{part}_images") as other,
        ):
            assert list(one) == list(other)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0.png -1\n", "train.txt:1: .*0.png: the class is -1; classes count from 0"),
        ("0.png 0\n1.png 3\n", "train.txt:2: .*: the class is 3, but .*names.txt names 3 class"),
        ("0.png\n", "train.txt:1: expected a path, a space and a label"),
        ("nowhere.png 0\n", "train.txt:1: .*nowhere.png: cannot be read"),
        ("", "names no image"),
    ],
)
def test_lists_that_cannot_be_used(
    listed: tuple[ListedSet, list[np.ndarray]], tmp_path: Path, text: str, told: str
) -> None:
    listed[0].train.write_text(text)
    with pytest.raises(DataError, match=told):
        convert_lists(listed[0], tmp_path / "out", FORM)
    assert not (tmp_path / "out").exists()


def test_images_elsewhere_are_not_read(
    listed: tuple[ListedSet, list[np.ndarray]], tmp_path: Path
) -> None:
    given, _ = listed
    (tmp_path / "images" / "link.png").symlink_to(tmp_path / "other" / "x y.png")
    within = ListedSet(given.train, None, given.root, None, (given.root,))
    for name in ("../other/x y.png", "link.png", str(tmp_path / "other" / "x y.png")):
        given.train.write_text(f"{name} 0\n")
        with pytest.raises(DataError, match="outside of the folders that may be read"):
            convert_lists(within, tmp_path / "out", FORM)
    given.train.write_text("4.png 0\n")
    assert convert_lists(within, tmp_path / "out", FORM) == {"train": 1}
