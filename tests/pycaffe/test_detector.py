"""Detector: scores of windows, with and without what is around them."""

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
    square = DEPLOY.replace("dim: 5 dim: 6", "dim: 6 dim: 6")
    net_of(square).save(tmp_path / "w.caffemodel")
    return str(tmp_path / "net.prototxt"), str(tmp_path / "w.caffemodel")


def test_windows_are_scored_each_by_itself(files: tuple[str, str], tmp_path: Path) -> None:
    image = np.random.default_rng(0).random((12, 14, 3))
    io.save_image(tmp_path / "x.png", image)
    detector = caffe.Detector(*files)
    windows = [(0, 0, 6, 6), (2, 3, 12, 11)]
    found = detector.detect_windows([(tmp_path / "x.png", windows)])
    assert [tuple(each["window"]) for each in found] == windows
    assert {each["filename"] for each in found} == {tmp_path / "x.png"}
    read = io.load_image(tmp_path / "x.png")
    net = caffe.Net(*files, caffe.TEST)
    for each, (y0, x0, y1, x1) in zip(found, windows, strict=True):
        crop = io.resize_image(read[y0:y1, x0:x1], (6, 6))
        expected = net.forward_all(data=crop.transpose(2, 0, 1)[None])["prob"][0]
        np.testing.assert_allclose(each["prediction"], expected, rtol=1e-5)
    assert detector.detect_windows([]) == []


def test_context_is_padded_with_the_mean(files: tuple[str, str]) -> None:
    detector = caffe.Detector(*files, mean=np.array([1.0, 2, 3]), context_pad=1)
    image = np.zeros((12, 12, 3), np.float32)
    corner = detector.crop(image, np.array([0, 0, 5, 5]))
    assert corner.shape == (6, 6, 3)
    assert corner[0, 0].tolist() == [1, 2, 3]
    assert not corner[3:5, 3:5].any()
    assert not detector.crop(image, np.array([4, 4, 8, 8])).any()


def test_the_mean_goes_back_to_the_image_s_order(files: tuple[str, str]) -> None:
    detector = caffe.Detector(
        *files, mean=np.array([1.0, 2, 3]), raw_scale=2, channel_swap=(2, 1, 0), context_pad=1
    )
    assert detector.crop_mean[0, 0].tolist() == [1.5, 1, 0.5]


def test_selective_search_is_not_here(files: tuple[str, str]) -> None:
    with pytest.raises(NotImplementedError, match="detect_windows"):
        caffe.Detector(*files).detect_selective_search(["x.png"])
