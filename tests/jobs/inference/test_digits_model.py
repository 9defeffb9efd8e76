"""Models as DIGITS gives them: what is read of their files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data.datum import encode_image
from protonet.data.resize import RESIZE_MODES, fit
from protonet.errors import FormatError, UsageError
from protonet.formats.blobs import from_array
from protonet.formats.caffemodel import write_weights
from protonet.jobs.inference.digits_model import open_digits_model, read_digits_model

DEPLOY = """
input: "data" input_shape { dim: 1 dim: 3 dim: 5 dim: 7 }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 4 } }
"""
TRAIN = """
layer { name: "train" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { mean_value: 1 crop_size: 5 } data_param { source: "x" batch_size: 4 } }
layer { name: "val" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { %s } data_param { source: "x" batch_size: 4 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 4 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
INFO = {
    "deploy file": "deploy.prototxt",
    "framework": "caffe",
    "image dimensions": [9, 12, 3],
    "image resize mode": "half_crop",
    "labels file": "labels.txt",
    "mean file": "mean.binaryproto",
    "snapshot file": "snapshot_iter_20.caffemodel",
    "train_val file": "train_val.prototxt",
}
GENERATOR = np.random.default_rng(3)
MEAN = GENERATOR.random((3, 9, 12)).astype(np.float32) * 200
WEIGHTS = GENERATOR.standard_normal((4, 105)).astype(np.float32) / 300
IMAGE = GENERATOR.integers(0, 256, (3, 31, 22), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deploy.prototxt").write_text(DEPLOY)
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\n")
    (tmp_path / "mean.binaryproto").write_bytes(from_array(MEAN[None]).SerializeToString())
    for number in (9, 20):
        weights = {"ip": [WEIGHTS * number, np.zeros(4, np.float32)]}
        write_weights(tmp_path / f"snapshot_iter_{number}.caffemodel", weights)
    tell(tmp_path)
    train(tmp_path, 'mean_file: "/jobs/1/mean.binaryproto"')
    return tmp_path


def tell(folder: Path, **changed: Any) -> None:
    values = {**INFO, **{name.replace("_", " "): value for name, value in changed.items()}}
    kept = {name: value for name, value in values.items() if value is not ...}
    (folder / "info.json").write_text(json.dumps(kept))


def train(folder: Path, param: str) -> None:
    (folder / "train_val.prototxt").write_text(TRAIN % param)


def answer(folder: Path, snapshot: str = "last") -> np.ndarray:
    path = folder / "image.png"
    path.write_bytes(encode_image(IMAGE))
    with open_digits_model(folder, snapshot) as predictor:
        (found,) = predictor.predict([path])
    path.unlink()
    return found.outputs["ip"]


def expected(mean: Any = MEAN, how: str = "half-crop", number: int = 20) -> np.ndarray:
    image = (fit(IMAGE, 9, 12, how) - np.asarray(mean, np.float32))[:, 2:7, 2:9]
    found: np.ndarray = WEIGHTS * number @ image.ravel()
    return found


def test_the_parts(folder: Path) -> None:
    model = read_digits_model(folder)
    assert (model.weights.name, model.iteration) == ("snapshot_iter_20.caffemodel", 20)
    assert model.classes == ("a", "b", "c", "d")
    assert model.how.images_dim == (9, 12)
    assert answer(folder) == pytest.approx(expected(), rel=1e-4)


@pytest.mark.parametrize("how", RESIZE_MODES)
def test_the_resize_mode(folder: Path, how: str) -> None:
    tell(folder, image_resize_mode=how.replace("-", "_"))
    assert answer(folder) == pytest.approx(expected(how=how), rel=1e-4)


PIXEL = MEAN.mean(axis=(1, 2))[:, None, None]


@pytest.mark.parametrize(
    ("told", "param", "mean"),
    [
        (..., 'mean_file: "/jobs/mean.binaryproto"', MEAN),
        (..., "mean_value: 10 mean_value: 20 mean_value: 30.5",
         np.array([10, 20, 30.5])[:, None, None]),
        (..., "mirror: false", 0),
        ("pixel", 'mean_file: "m"', PIXEL),
        ("image", "", MEAN),
        ("none", 'mean_file: "m"', 0),
        ("pixel", None, PIXEL),
        (..., None, MEAN),
    ],
)  # fmt: skip
def test_the_mean(folder: Path, told: Any, param: str | None, mean: Any) -> None:
    """info.json says which; else the text of the training; else there is a mean image or not."""
    tell(folder, mean_subtraction=told)
    if param is None:
        (folder / "train_val.prototxt").unlink()
    else:
        train(folder, param)
    assert answer(folder) == pytest.approx(expected(mean), rel=1e-4)


def test_without_a_mean_file(folder: Path) -> None:
    tell(folder, mean_file=...)
    (folder / "mean.binaryproto").unlink()
    with pytest.raises(FormatError, match=r"has no mean\.binaryproto, but .* it has deploy"):
        read_digits_model(folder)
    (folder / "train_val.prototxt").unlink()
    assert answer(folder) == pytest.approx(expected(0), rel=1e-4)


def test_the_factor_of_the_training(folder: Path) -> None:
    train(folder, 'scale: 0.5 mean_file: "m"')
    assert answer(folder) == pytest.approx(expected() / 2, rel=1e-4)


def test_snapshots(folder: Path) -> None:
    assert answer(folder, "9") == pytest.approx(expected(number=9), rel=1e-4)
    tell(folder, snapshot_file="snapshot_iter_9.caffemodel")
    assert answer(folder) == pytest.approx(expected(number=9), rel=1e-4)
    (folder / "info.json").unlink()
    (folder / "mean.binaryproto").unlink()
    train(folder, "")
    assert read_digits_model(folder).iteration == 20
    for absent in ("10", "best", "-9"):
        with pytest.raises(UsageError, match=f"no snapshot '{absent}'; there are 9, 20 and last"):
            read_digits_model(folder, absent)
    (folder / "snapshot_iter_9.caffemodel").rename(folder / "w.caffemodel")
    with pytest.raises(
        FormatError, match=r"has several \.caffemodel and no info.json that chooses"
    ):
        read_digits_model(folder)
    (folder / "snapshot_iter_20.caffemodel").unlink()
    assert read_digits_model(folder).iteration is None
    with pytest.raises(UsageError, match="no snapshot '9'; only 'last' can be chosen"):
        read_digits_model(folder, "9")


def test_a_regression_of_gray_images(tmp_path: Path) -> None:
    """DIGITS' generic models: no labels, no resize mode, perhaps no mean."""
    (tmp_path / "deploy.prototxt").write_text(DEPLOY.replace("dim: 3", "dim: 1"))
    weights = WEIGHTS[:, :35]
    write_weights(tmp_path / "snapshot_iter_5.caffemodel", {"ip": [weights, np.ones(4, "f")]})
    values = {"framework": "caffe", "image dimensions": [5, 7, 1], "mean file": ""}
    (tmp_path / "info.json").write_text(json.dumps(values))
    gray = GENERATOR.integers(0, 256, (1, 5, 7), np.uint8)
    (tmp_path / "i.png").write_bytes(encode_image(gray))
    with open_digits_model(tmp_path) as predictor:
        assert predictor.class_names is None
        (found,) = predictor.predict([tmp_path / "i.png"])
    assert found.outputs["ip"] == pytest.approx(weights @ gray.ravel() + 1, rel=1e-4)


@pytest.mark.parametrize(
    ("absent", "message"),
    [
        (
            "deploy.prototxt",
            r"has no deploy\.prototxt, which info\.json names as 'deploy file'; it",
        ),
        ("labels.txt", "has no labels.txt, which info.json names as 'labels file'; it has deploy"),
        ("mean.binaryproto", "has no mean.binaryproto, which info.json names as 'mean file'"),
        ("snapshot_iter_20.caffemodel", "has no snapshot_iter_20.caffemodel, which info.json"),
        ("*.caffemodel", r"has no \.caffemodel; it has deploy\.prototxt, info\.json, labels\.txt"),
    ],
)
def test_parts_that_are_missing(folder: Path, absent: str, message: str) -> None:
    for path in folder.glob(absent):
        path.unlink()
    with pytest.raises(FormatError, match=message):
        read_digits_model(folder)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"framework": "torch"}, "the model is of torch; only models of caffe"),
        ({"image_dimensions": [9, 12]}, r"expected \[height, width, channels\], got \[9, 12\]"),
        ({"image_dimensions": [9, 12, True]}, "expected .height"),
        ({"image_dimensions": [9, 12, 1]}, "expected 3 channels, as deploy.prototxt takes"),
        (
            {"image_dimensions": [4, 12, 3]},
            r"expected no less than the input 5x7, got \[4, 12, 3\]",
        ),
        ({"image_resize_mode": "zoom"}, "expected squash, crop, fill, half_crop, got .zoom."),
        ({"image_resize_mode": 3}, "expected squash"),
        ({"mean_subtraction": 2}, "expected image, pixel, none, got 2"),
        ({"labels_file": 3}, "'labels file': expected the name of a file, got 3"),
    ],
)
def test_an_info_that_cannot_be(folder: Path, changed: dict[str, Any], message: str) -> None:
    tell(folder, **changed)
    with pytest.raises(FormatError, match=message):
        read_digits_model(folder)


@pytest.mark.parametrize("text", ["{", "[]", "\xff", "[" * 100_000])
def test_an_info_that_is_damaged(folder: Path, text: str) -> None:
    (folder / "info.json").write_text(text, "latin-1")
    with pytest.raises(FormatError, match=r"info\.json: (is damaged|expected an object)"):
        read_digits_model(folder)


def test_names_with_folders_stay_in_the_folder(folder: Path) -> None:
    tell(folder, labels_file="../../etc/passwd")
    with pytest.raises(FormatError, match=r"has no passwd, which info\.json names"):
        read_digits_model(folder)
