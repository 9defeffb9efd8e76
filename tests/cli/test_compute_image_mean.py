"""compute-image-mean, run as a user of Caffe runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from protonet.data.create import compute_mean
from protonet.data.transform import load_mean

TRAIN = Path(__file__).parents[1] / "golden" / "digits" / "train_db"


def test_both_kinds_of_file(protonet: Any, tmp_path: Path) -> None:
    expected = compute_mean(TRAIN)
    flags = ("-backend=lmdb", "--logtostderr=1")
    for name in ("mean.binaryproto", "mean.npy", "imagenet_mean"):
        found = protonet("compute_image_mean", *flags, TRAIN, name)
        assert (found.returncode, found.stderr) == (0, "")
        assert found.stdout == f"mean_value channel [0]: {expected.mean():g}\n"
        np.testing.assert_array_equal(load_mean(tmp_path / name), expected)
    assert protonet("compute-image-mean", TRAIN).returncode == 0


def test_what_cannot_be(protonet: Any, tmp_path: Path) -> None:
    found = protonet("compute-image-mean", TRAIN, "mean.png")
    assert found.returncode == 2
    assert (
        "mean.png: is not a picture: expected a name ending in .binaryproto or .npy" in found.stderr
    )
    assert protonet("compute-image-mean", "nowhere").returncode == 4
    assert not list(tmp_path.iterdir())
