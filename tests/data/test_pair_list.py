"""Pairs of images and label images: what is read, in what order, and what is told of a bad list."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.interpolation import Interpolation, resample
from protonet.data.pair_list import PairList, PairSource, PairTransform
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import TEST, TRAIN, TransformationParameter
from protonet.ranks.communicator import Part

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 4, 6, 3), np.uint8)
LABELS = np.random.default_rng(1).integers(0, 12, (3, 4, 6), np.uint8)


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    for place, (image, labels) in enumerate(zip(PIXELS, LABELS, strict=True)):
        Image.fromarray(image).save(tmp_path / f"{place}.png")
        Image.fromarray(labels).save(tmp_path / f"{place}_l.png")
    lines = [f"/{place}.png\t/{place}_l.png" for place in range(3)]
    # A byte order mark, an empty line and Windows' ends of lines.
    (tmp_path / "list.txt").write_text("\ufeff" + "\r\n".join([*lines[:1], "", *lines[1:]]))
    return tmp_path


def pairs(folder: Path, **settings: object) -> PairList:
    return PairList(folder / "list.txt", root=str(folder), **settings)


def test_what_is_read(listed: Path) -> None:
    made = pairs(listed)
    assert len(made) == 3
    pair = made.read(1)
    np.testing.assert_array_equal(pair.image, PIXELS[1, :, :, ::-1].transpose(2, 0, 1))
    np.testing.assert_array_equal(pair.labels, LABELS[1:2])
    assert made.where(1, 2) == f"{listed}/list.txt:3: {listed}/1_l.png"
    assert pairs(listed, color=False).read(0).image.shape == (1, 4, 6)
    small = pairs(listed, size=(2, 5)).read(0)
    np.testing.assert_array_equal(small.labels, resample(LABELS[:1], 2, 5, Interpolation.NEAREST))
    np.testing.assert_array_equal(
        small.image,
        resample(PIXELS[0, :, :, ::-1].transpose(2, 0, 1), 2, 5, Interpolation.LINEAR),
    )


def test_both_are_cut_and_mirrored_alike(listed: Path) -> None:
    param = TransformationParameter(crop_size=3, mirror=True, mean_value=[10], scale=2)
    transform = PairTransform(param, TRAIN, seed=4, name="data")
    pair = pairs(listed).read(0)
    pair = pair._replace(image=pair.labels)  # the same on both sides shows the same cut
    seen = set()
    for place in range(120):
        image, labels, _ = transform.apply(pair, place)
        assert labels.dtype == np.float32
        np.testing.assert_array_equal(image, (labels - 10) * 2)
        seen.add(labels.tobytes())
    assert len(seen) == 16  # two rows and four columns where it may begin, and the mirror


@pytest.mark.parametrize("threads", [1, 3])
def test_the_order_and_going_on(listed: Path, threads: int) -> None:
    def source() -> PairSource:
        transform = PairTransform(TransformationParameter(), TEST)
        return PairSource(
            pairs(listed), transform, lambda v: v + 1, 2, shuffle=True, seed=1, threads=threads
        )

    first, again = source(), source()
    batches = [first.take() for _ in range(6)]
    firsts = [int(pair.labels[0, 0, 0]) for batch in batches for pair in batch]
    known = sorted(int(labels[0, 0]) + 1 for labels in LABELS)
    assert [sorted(firsts[at : at + 3]) for at in range(0, 12, 3)] == [known] * 4
    again.position = 6
    for batch in batches[3:]:
        for pair, expected in zip(again.take(), batch, strict=True):
            np.testing.assert_array_equal(pair.image, expected.image)
    assert again.position == 12
    first.close()
    again.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.png\n", "list.txt:1: expected the paths of an image and of its label image, got 'a"),
        ("a b c\n", "got 'a b c'"),
        ("\n\n", "list.txt: names no image"),
    ],
)
def test_lists_that_cannot_be(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(DataError, match=re.escape(message)):
        pairs(tmp_path)


def test_files_that_cannot_be(listed: Path) -> None:
    Image.fromarray(LABELS[0, :2]).save(listed / "0_l.png")
    (listed / "1_l.png").unlink()
    (listed / "2.png").write_bytes(b"no image")
    made = pairs(listed)
    with pytest.raises(DataError, match=r"0_l.png: is 2x6, but its image is 4x6"):
        made.read(0)
    with pytest.raises(DataError, match=r"list.txt:3: .*1_l.png: cannot be read: No such file"):
        made.read(1)
    with pytest.raises(DataError, match=r"list.txt:4: .*2.png: the data is not an image"):
        made.read(2)


def test_parts_of_batches_are_those_of_whole_ones(listed: Path) -> None:
    """Also crops and mirrors, and after a seek; the others' pairs are not read."""
    param = TransformationParameter(crop_size=3, mirror=True)

    def source(part: Part | None = None) -> PairSource:
        transform = PairTransform(param, TRAIN, seed=4, name="data")
        return PairSource(pairs(listed), transform, lambda v: v, 5, shuffle=True, seed=1, part=part)

    whole = source()
    batches = [whole.take() for _ in range(4)]
    for part in (Part(0, 3, 5), Part(3, 2, 5), Part(1, 2, 5, step=2)):
        mine = source(part)
        for start, expected in ((0, batches), (15, batches[3:])):
            mine.position = start
            for batch in expected:
                for pair, other in zip(mine.take(), batch[part.places], strict=True):
                    np.testing.assert_array_equal(pair.image, other.image)
                    np.testing.assert_array_equal(pair.labels, other.labels)
        assert mine.position == whole.position
        mine.close()
    whole.close()
