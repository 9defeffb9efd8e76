"""Nets of Caffe's files: what is done to images, which output has the scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import protonet.pycaffe as caffe
from protonet.data.datum import encode_image
from protonet.errors import DataError, UsageError
from protonet.formats.blobs import from_array
from protonet.jobs.inference.classification import (
    Preprocessing,
    answer_json,
    as_probabilities,
    best,
    open_classifier,
    scores_output,
    values_json,
    why_not_probabilities,
)
from protonet.jobs.inference.predictor import Prediction

NET = """
input: "data" input_shape { dim: 1 dim: 3 dim: 5 dim: 7 }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 4 } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""
GENERATOR = np.random.default_rng(3)
MEAN = GENERATOR.random((3, 9, 12), np.float32) * 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deploy.prototxt").write_text(NET)
    weights = np.random.default_rng(4).standard_normal((4, 105)).astype(np.float32) / 300
    np.savez(tmp_path / "w.npz", **{"ip/0": weights, "ip/1": np.zeros(4, np.float32)})
    (tmp_path / "mean.binaryproto").write_bytes(from_array(MEAN[None]).SerializeToString())
    np.save(tmp_path / "crop.npy", MEAN[:, :5, :7])
    image = np.random.default_rng(5).integers(0, 256, (3, 9, 12), np.uint8)
    (tmp_path / "i.png").write_bytes(encode_image(image))
    return tmp_path


def answer(folder: Path, how: Preprocessing, oversample: bool = False) -> np.ndarray:
    with open_classifier(folder / "deploy.prototxt", folder / "w.npz", how) as predictor:
        if oversample:
            predictor.oversample()
        (found,) = predictor.predict([folder / "i.png"])
    return found.outputs["prob"]


def theirs(folder: Path, oversample: bool = False, **more: object) -> np.ndarray:
    """What Caffe's Python classifier says, with BGR, raw scale 255 and images of 9 x 12."""
    given = {"image_dims": (9, 12), "raw_scale": 255, "channel_swap": (2, 1, 0), **more}
    classifier = caffe.Classifier(str(folder / "deploy.prototxt"), str(folder / "w.npz"), **given)
    image = caffe.io.load_image(folder / "i.png")
    (found,) = classifier.predict([image], oversample)
    return found


@pytest.mark.parametrize("oversample", [False, True])
@pytest.mark.parametrize(
    ("ours", "others"),
    [
        ({}, {}),
        ({"mean": "104,117,123"}, {"mean": np.array([104.0, 117, 123])}),
        ({"mean": "100"}, {"mean": np.array([100.0])}),
        ({"mean": "crop.npy"}, {"mean": MEAN[:, :5, :7]}),
        ({"mean": "mean.binaryproto", "mean_pixel": True}, {"mean": MEAN.mean(axis=(1, 2))}),
        (
            {"mean": "1,2,3", "raw_scale": 20.0, "input_scale": 0.5, "channel_swap": (1, 2, 0)},
            {"mean": np.array([1.0, 2, 3]), "raw_scale": 20.0, "input_scale": 0.5,
             "channel_swap": (1, 2, 0)},
        ),
    ],
)  # fmt: skip
def test_the_answers_are_those_of_caffes_classifier(
    folder: Path,
    ours: dict[str, object],
    others: dict[str, object],
    oversample: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    how = Preprocessing(**{"images_dim": (9, 12), **ours})
    found, expected = answer(folder, how, oversample), theirs(folder, oversample, **others)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    if others:
        assert abs(expected - theirs(folder, oversample)).max() > 1e-3


def test_a_mean_image_is_taken_off_where_it_was_cut_out(folder: Path) -> None:
    """As in training; images then are of its size."""
    found = answer(folder, Preprocessing(str(folder / "mean.binaryproto")))
    net = caffe.Net(str(folder / "deploy.prototxt"), str(folder / "w.npz"), caffe.TEST)
    image = caffe.io.load_image(folder / "i.png")[:, :, ::-1].transpose(2, 0, 1) * 255
    net.blobs["data"].data[0] = (image - MEAN)[:, 2:7, 2:9]
    np.testing.assert_allclose(found, net.forward()["prob"][0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (Preprocessing("1,2"), "1,2: has 2 channels, but the net takes 3"),
        (Preprocessing(images_dim=(4, 9)), "--images-dim 4x9 is smaller than the net's input, 5x7"),
        (Preprocessing(raw_scale=0.0), "--raw-scale 0 leaves nothing"),
        (Preprocessing(channel_swap=(0, 1)), "--channel-swap 0,1: expected each of 0 to 2 once"),
        (
            Preprocessing("mean.binaryproto", images_dim=(10, 12)),
            "mean.binaryproto: is 9x12, but images are resized to 10x12 and cropped to 5x7; --mean",
        ),
        (Preprocessing("small.npy"), "small.npy: is 4x12, but images are resized to 5x7; --mean-"),
        (Preprocessing("gray.npy"), "gray.npy: has 1 channels, but the net takes 3"),
        (Preprocessing("nowhere.npy"), "nowhere.npy: cannot be read"),
    ],
)
def test_settings_that_do_not_fit(
    folder: Path, how: Preprocessing, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    np.save("small.npy", MEAN[:, :4])
    np.save("gray.npy", MEAN[:1])
    with pytest.raises((UsageError, DataError), match=message):
        open_classifier(folder / "deploy.prototxt", folder / "w.npz", how)


MORE = """
layer { name: "two" type: "InnerProduct" bottom: "data" top: "two"
  inner_product_param { num_output: 2 } }
layer { name: "map" type: "Pooling" bottom: "data" top: "map" pooling_param { kernel_size: 2 } }
"""


def test_the_output_with_the_scores(folder: Path) -> None:
    with open_classifier(folder / "deploy.prototxt", folder / "w.npz", Preprocessing()) as one:
        assert scores_output(one, "", None) == scores_output(one, "prob", list("abcd")) == "prob"
        with pytest.raises(UsageError, match=r"there are 3 labels, but output 'prob' of .* has 4"):
            scores_output(one, "", list("abc"))
    (folder / "more.prototxt").write_text(NET + MORE)
    arrays = dict(np.load(folder / "w.npz"))
    arrays |= {"two/0": np.zeros((2, 105), np.float32), "two/1": np.zeros(2, np.float32)}
    np.savez(folder / "more.npz", **arrays)
    with open_classifier(folder / "more.prototxt", folder / "more.npz", Preprocessing()) as two:
        assert scores_output(two, "", list("ab")) == "two"
        assert scores_output(two, "two", None) == "two"
        for name, classes, message in (
            ("", None, r"several outputs with scores; choose .*: prob \(4 values\), two \(2 valu"),
            ("", list("abc"), "several outputs with scores"),
            ("map", None, "no output 'map' with scores"),
        ):
            with pytest.raises(UsageError, match=message):
                scores_output(two, name, classes)
    (folder / "map.prototxt").write_text(NET.partition("layer")[0] + MORE.split("\n", 3)[3])
    with (
        open_classifier(folder / "map.prototxt", folder / "w.npz", Preprocessing()) as none,
        pytest.raises(UsageError, match="has no output with one score for each class"),
    ):
        scores_output(none, "", None)


def test_the_best_come_first() -> None:
    assert best(np.array([0.1, 0.4, 0.1, 0.4]), 3) == [1, 3, 0]
    assert best(np.array([[0.2, 0.8]]), 5) == [1, 0]


@pytest.mark.parametrize(
    ("scores", "problem"),
    [
        ([0.2, 0.8], ""),
        ([0.2, 0.7], "its values go from 0.2 to 0.7 and sum to 0.9"),
        ([-1.0, 2.0], "its values go from -1 to 2 and sum to 1"),
        ([0.5, np.nan], "some of its values are not finite"),
    ],
)
def test_what_is_no_distribution(scores: list[float], problem: str) -> None:
    assert why_not_probabilities(np.array(scores, np.float32)) == problem


def test_logarithms_of_probabilities_become_probabilities() -> None:
    logs = np.log(np.array([0.1, 0.2, 0.7], np.float32))
    np.testing.assert_allclose(as_probabilities(logs), [0.1, 0.2, 0.7], rtol=1e-6)
    for other in ([0.1, 0.2, 0.7], [-1, -2, -3], [-1, -np.inf, 0], [-0.5, 0.5]):
        scores = np.array(other, np.float32)
        assert as_probabilities(scores) is scores


def test_answers_as_json() -> None:
    outputs = {"prob": np.array([0.25, 0.5, 0.25]), "map": np.array([[1.0, np.nan]])}
    told = answer_json(Prediction(Path("a.png"), outputs), 7, ["x", "y", "z"])
    assert told == {
        "image": "a.png", "snapshot": 7,
        "outputs": {"prob": [0.25, 0.5, 0.25], "map": [[1.0, None]]},
        "top": [
            {"class": 1, "name": "y", "score": 0.5}, {"class": 0, "name": "x", "score": 0.25},
            {"class": 2, "name": "z", "score": 0.25},
        ],
    }  # fmt: skip
    assert "top" not in answer_json(Prediction(Path("a.png"), outputs), 7, None)
    assert "prob" not in answer_json(Prediction(Path("a"), outputs), 7, None, "prob")["outputs"]


def test_json_has_null_for_what_is_not_finite() -> None:
    values = np.array([[0.5, np.nan], [np.inf, -np.inf]], np.float32)
    assert values_json(values) == [[0.5, None], [None, None]]
    assert values_json(values[0, 0]) == 0.5
