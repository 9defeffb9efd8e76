"""Crop, mirror, mean and scale, each against the formula written out."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data.transform import Draw, Transformer, load_mean
from protonet.errors import DataError, LayerError
from protonet.formats.blobs import from_array
from protonet.proto.caffe_pb2 import TEST, TRAIN, TransformationParameter

SHAPE = (2, 5, 8)
IMAGES = np.random.default_rng(0).integers(0, 256, (3, *SHAPE), np.uint8)
MEAN = np.random.default_rng(1).uniform(0, 255, SHAPE).astype(np.float32)


def transformer(phase: int = TEST, mean: np.ndarray | None = None, **fields: Any) -> Transformer:
    param = TransformationParameter(**fields)
    return Transformer(param, phase, SHAPE, mean, seed=5, name="data")


def apply(made: Transformer, images: np.ndarray, draw: Draw | None = None) -> np.ndarray:
    out = np.full((*images.shape[:-3], *made.output_shape), np.nan, np.float32)
    made.apply(images, out, draw)
    return out


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_nothing_to_do_makes_floats(dtype: type) -> None:
    image = IMAGES[0].astype(dtype)
    found = apply(transformer(), image)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, image)


def test_the_formula_in_uncropped_coordinates() -> None:
    """Crop 3 of 5x8, mirrored: output (y, x) is pixel (top + y, left + 2 - x) less its mean."""
    made = transformer(TRAIN, MEAN, mean_file="m", scale=0.5, crop_size=3, mirror=True)
    found = apply(made, IMAGES[0], Draw(2, 4, mirror=True))
    assert found.shape == (2, 3, 3)
    for c, y, x in np.ndindex(found.shape):
        at = (c, 2 + y, 4 + 2 - x)
        expected = (np.float32(IMAGES[0][at]) - MEAN[at]) * np.float32(0.5)
        assert found[c, y, x] == expected


def test_the_centre_is_rounded_down() -> None:
    made = transformer(crop_size=4)
    np.testing.assert_array_equal(apply(made, IMAGES[0]), IMAGES[0][:, 0:4, 2:6])
    made = transformer(crop_size=3)
    np.testing.assert_array_equal(apply(made, IMAGES[0]), IMAGES[0][:, 1:4, 2:5])


@pytest.mark.parametrize("values", [[7], [7, 200.5]])
def test_mean_values(values: list[float]) -> None:
    found = apply(transformer(mean_value=values, crop_size=2), IMAGES[1])
    expected = IMAGES[1][:, 1:3, 3:5] - np.array(values, np.float32)[:, None, None]
    np.testing.assert_array_equal(found, expected)


def test_a_mean_value_for_each_channel_of_images_of_one_pixel() -> None:
    made = Transformer(TransformationParameter(mean_value=[1, 2]), TEST, (2, 1, 1))
    np.testing.assert_array_equal(apply(made, np.array([[[5]], [[5]]], np.uint8)), [[[4]], [[3]]])


def test_a_batch_is_its_images() -> None:
    made = transformer(mean=MEAN, mean_file="m", scale=2, crop_size=4)
    each = np.stack([apply(made, image) for image in IMAGES])
    np.testing.assert_array_equal(apply(made, IMAGES), each)


@pytest.mark.parametrize(
    ("phase", "fields", "random"),
    [
        (TRAIN, {}, False),
        (TRAIN, {"crop_size": 3}, True),
        (TEST, {"crop_size": 3}, False),
        (TRAIN, {"mirror": True}, True),
        (TEST, {"mirror": True}, True),
    ],
)
def test_what_is_random(phase: int, fields: dict[str, Any], random: bool) -> None:
    made = transformer(phase, **fields)
    assert made.is_random is random
    assert (len(set(made.draws(0, 200))) > 1) is random


def test_draws_are_a_function_of_the_index() -> None:
    made = transformer(TRAIN, crop_size=3, mirror=True)
    whole = made.draws(0, 40)
    assert [*made.draws(0, 7), *made.draws(7, 33)] == whole
    again = transformer(TRAIN, crop_size=3, mirror=True)
    assert again.draws(31, 2) == whole[31:33]
    param = TransformationParameter(crop_size=3, mirror=True)
    for seed, name in ((6, "data"), (5, "other")):
        assert Transformer(param, TRAIN, SHAPE, seed=seed, name=name).draws(0, 40) != whole


def test_draws_reach_everywhere_equally() -> None:
    draws = transformer(TRAIN, crop_size=3, mirror=True).draws(10**12, 9000)
    corners, counts = np.unique([draw[:2] for draw in draws], axis=0, return_counts=True)
    assert corners.tolist() == [[top, left] for top in range(3) for left in range(6)]
    # Each of 18 corners is hit 500 times, give or take six deviations of 22.
    assert np.abs(counts - 500).max() < 130
    assert abs(sum(draw.mirror for draw in draws) - 4500) < 285


def test_mirroring_in_test_keeps_the_centre() -> None:
    draws = transformer(TEST, crop_size=3, mirror=True).draws(0, 50)
    assert {draw[:2] for draw in draws} == {(1, 2)}
    assert {draw.mirror for draw in draws} == {True, False}


@pytest.mark.parametrize(
    ("fields", "mean", "error", "message"),
    [
        ({"crop_size": 6}, None, LayerError, "crop_size 6 is larger than the images, .* 5x8"),
        ({"mean_value": [1, 2, 3]}, None, LayerError, r"one for each of 2 channel\(s\), got 3"),
        ({"mean_value": [1], "mean_file": "m"}, MEAN, LayerError, "are both set"),
        ({"mean_file": "m"}, MEAN[:, 1:], DataError, "m: is 2x4x8, but the images are 2x5x8"),
        ({}, MEAN[:1], DataError, "mean image: is 1x5x8, but the images are 2x5x8"),
    ],
)
def test_contradictions(
    fields: dict[str, Any], mean: np.ndarray | None, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        transformer(TRAIN, mean, **fields)


def test_an_image_of_another_shape() -> None:
    with pytest.raises(DataError, match="expected images of 2x5x8, got 2x8x5"):
        apply(transformer(), np.zeros((2, 8, 5), np.uint8))


def test_caffe_s_mean(golden: Path) -> None:
    mean = load_mean(golden / "train_mean.binaryproto")
    assert (mean.shape, mean.dtype) == ((1, 50, 50), np.float32)
    assert 100 < mean.mean() < 150


@pytest.mark.parametrize("array", [MEAN, MEAN[None], MEAN.astype(np.float64)])
def test_means_in_both_formats(tmp_path: Path, array: np.ndarray) -> None:
    (tmp_path / "m.binaryproto").write_bytes(from_array(array).SerializeToString())
    np.save(tmp_path / "m.npy", array)
    for name in ("m.binaryproto", "m.npy"):
        found = load_mean(tmp_path / name)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, MEAN)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.binaryproto", b"a text is no mean", "is not a mean image"),
        ("m.binaryproto", b"", "is not a mean image .* has 0 value"),
        ("m.npy", b"a text is no mean", "is not a mean image"),
        ("m.npy", b"", "is not a mean image"),
    ],
)
def test_files_that_are_no_mean(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: {message}"):
        load_mean(tmp_path / name)


def test_a_mean_cut_short(golden: Path, tmp_path: Path) -> None:
    whole = (golden / "train_mean.binaryproto").read_bytes()
    (tmp_path / "m.binaryproto").write_bytes(whole[:-100])
    with pytest.raises(DataError, match="is not a mean image"):
        load_mean(tmp_path / "m.binaryproto")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (MEAN[0], "expected a mean image of shape channels x height x width, got 5x8"),
        (np.float32(3), "got a single value"),
        (MEAN[:0], "got 0x5x8"),
        (MEAN.astype("U3"), "expected numbers in a mean image, got <U3"),
    ],
)
def test_arrays_that_are_no_mean(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "m.npy", array)
    with pytest.raises(DataError, match=message):
        load_mean(tmp_path / "m.npy")


def test_an_absent_mean(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"m.npy: cannot be read: No such file"):
        load_mean(tmp_path / "m.npy")


@pytest.mark.parametrize("shape", [(2, 2, 8), (2, 8, 2), (3, 8, 8)])
def test_images_of_any_size_have_the_channels_and_hold_the_crop(shape: tuple[int, ...]) -> None:
    made = Transformer(TransformationParameter(crop_size=3), TRAIN, (2, 5, 8), any_size=True)
    message = "expected images of 2 channel.s. and at least 3x3, got " + "x".join(map(str, shape))
    with pytest.raises(DataError, match=message):
        made.apply(np.zeros(shape, np.uint8), np.empty(made.output_shape, np.float32))


def test_a_header_that_tells_of_more_than_there_is(tmp_path: Path) -> None:
    path = tmp_path / "mean.npy"
    np.save(path, np.ones((3, 4, 5), np.float32))
    whole = path.read_bytes()
    for changed in (
        whole.replace(b"(3, 4, 5)", b"(3000000000, 4, 5)"),
        whole.replace(b"(3, 4, 5), }", b"(3, 4, 5), "),
        whole.replace(b"{", b"(", 1),
        whole[:100],
    ):
        path.write_bytes(changed)
        tracemalloc.start()
        with pytest.raises(DataError, match=r"mean\.npy: is not a mean image"):
            load_mean(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
        tracemalloc.stop()


def test_what_images_of_other_sizes_become() -> None:
    plain = transformer()
    assert (plain.resizes, plain.fitted_shape) == (False, SHAPE)
    warped = transformer(resize_param={"height": 3, "width": 4})
    assert (warped.resizes, warped.fitted_shape) == (True, (2, 3, 4))
    covering = transformer(
        resize_param={"height": 3, "width": 4, "resize_mode": "FIT_SMALL_SIZE"}, crop_size=2
    )
    assert (covering.resizes, covering.fitted_shape) == (True, (2, 2, 2))
