"""How a training reads its images: mean, crop and mirror reach the nets of the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data.create import compute_mean, create_gradients
from protonet.data.transform import load_mean
from protonet.jobs.run.directory import RunDirectory
from protonet.proto.caffe_pb2 import TransformationParameter
from protonet.proto.text import Source, read_net
from tests.cli.test_schedule_options import NET, TRAIN, VALIDATE
from tests.web.browser import ROOT


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path) -> Path:
    create_gradients(tmp_path / "data", 9, 7, 12, 4, seed=1)
    (tmp_path / "net.prototxt").write_text(NET)
    return tmp_path


def trained(protonet: Any, folder: Path, *options: Any) -> list[TransformationParameter]:
    """How the run reads its images in training and in validation."""
    given = ("--epochs", 1, "--batch-size", 4, "--out", "run", "--quiet")
    found = protonet("train", *TRAIN, *VALIDATE, *given, *options)
    assert (found.returncode, found.stderr) == (0, "")
    net = read_net(Source.read(folder / "run" / "train_val.prototxt")).net
    return [layer.transform_param for layer in net.layer if list(layer.top) == ["data"]]


def test_a_mean_pixel_a_crop_and_mirroring(protonet: Any, workplace: Path) -> None:
    options = ("--mean", "pixel", "--crop", 5, "--mirror", "--threads", 1)
    train, val = trained(protonet, workplace, *options)
    expected = compute_mean(workplace / "data" / "train_images").mean()
    assert list(train.mean_value) == list(val.mean_value) == [pytest.approx(expected, rel=1e-6)]
    assert (train.crop_size, train.mirror, val.crop_size, val.mirror) == (5, True, 5, False)
    record = RunDirectory(workplace / "run").record()
    assert record.image_shape is not None
    assert "crop_size: 5" in (record.transform or "")
    assert not (workplace / "run" / "mean.binaryproto").exists()
    found = protonet("infer", "run", "data/test.png")
    assert found.returncode == 0, found.stderr


def test_numbers_none_and_the_image(protonet: Any, workplace: Path) -> None:
    (workplace / "net.prototxt").write_text(
        'layer { name: "data" type: "Data" top: "data" transform_param { mean_value: 9 '
        "crop_size: 3 mirror: true } }\n" + NET
    )
    train, _ = trained(protonet, workplace)
    assert (list(train.mean_value), train.crop_size, train.mirror) == ([9], 3, True)
    (workplace / "run").rename(workplace / "first")
    train, _ = trained(protonet, workplace, "--mean", "12.5", "--crop", 0, "--no-mirror")
    assert (list(train.mean_value), train.crop_size, train.mirror) == ([12.5], 0, False)
    (workplace / "run").rename(workplace / "second")
    train, _ = trained(protonet, workplace, "--mean", "image")
    assert list(train.mean_value) == []
    mean = load_mean(workplace / "run" / "mean.binaryproto")
    np.testing.assert_array_equal(mean, compute_mean(workplace / "data" / "train_images"))
    (workplace / "run").rename(workplace / "third")
    train, _ = trained(protonet, workplace, "--mean", "none")
    assert (list(train.mean_value), train.mean_file) == ([], "")


def test_what_does_not_fit(protonet: Any, workplace: Path) -> None:
    found = protonet("train", *TRAIN, "--crop", 8)
    assert found.returncode != 0
    assert "crop_size" in found.stderr
    found = protonet("train", *TRAIN, "--mean", "nowhere.binaryproto")
    assert found.returncode == 2
    assert "nowhere.binaryproto" in found.stderr
    lua = ROOT / "examples" / "torch7" / "gradients" / "net.lua"
    (workplace / "net.prototxt").write_text(lua.read_text())
    found = protonet("train", *TRAIN, "--crop", 5)
    assert found.returncode == 2
    assert "a Lua text tells the crop itself" in found.stderr
    assert "Traceback" not in found.stderr
