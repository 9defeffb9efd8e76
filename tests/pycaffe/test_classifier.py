"""Classifier: what the script would compute by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import protonet.pycaffe as caffe
from protonet.pycaffe import io
from tests.pycaffe.conftest import DEPLOY


@pytest.fixture
def files(tmp_path: Path, net_of: Callable[..., caffe.Net]) -> tuple[str, str]:
    net_of().save(tmp_path / "w.caffemodel")
    return str(tmp_path / "net.prototxt"), str(tmp_path / "w.caffemodel")


def test_centre_crops_and_ten_crops(files: tuple[str, str]) -> None:
    mean = np.array([0.4, 0.5, 0.6])
    classifier = caffe.Classifier(
        *files, image_dims=(9, 10), mean=mean, raw_scale=2, channel_swap=(2, 1, 0)
    )
    images = [np.random.default_rng(seed).random((11, 13, 3)) for seed in range(5)]
    net = caffe.Net(*files, caffe.TEST)

    def scores(crops: np.ndarray) -> np.ndarray:
        ready = crops.transpose(0, 3, 1, 2)[:, ::-1] * 2 - mean[:, None, None]
        return net.forward_all(data=ready)["prob"]

    resized = np.stack([io.resize_image(image, (9, 10)) for image in images])
    found = classifier.predict(images, oversample=False)
    np.testing.assert_allclose(found, scores(resized[:, 2:7, 2:8]), rtol=1e-5)
    found = classifier.predict(images)
    ten = scores(io.oversample(resized, (5, 6))).reshape(5, 10, 7).mean(axis=1)
    np.testing.assert_allclose(found, ten, rtol=1e-5)


def test_images_of_the_net_s_own_size(files: tuple[str, str]) -> None:
    classifier = caffe.Classifier(*files, input_scale=0.5)
    image = np.random.default_rng(0).random((5, 6, 3))
    found = classifier.predict([image], oversample=False)
    assert DEPLOY.count("dim: 5 dim: 6") == 1
    ready = image.transpose(2, 0, 1)[None] * 0.5
    expected = caffe.Net(*files, caffe.TEST).forward_all(data=ready)["prob"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
