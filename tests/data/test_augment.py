"""The steps before a crop, by way of the Transformer that holds them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format

from protonet.data.augment import Augment
from protonet.data.interpolation import Interpolation, resample
from protonet.data.transform import Draw, Transformer
from protonet.errors import DataError, LayerError
from protonet.proto.caffe_pb2 import TEST, TRAIN, TransformationParameter

SHAPE = (3, 8, 12)
IMAGE = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
WARP = "resize_param { height: 6 width: 10 interp_mode: NEAREST } "


def make(text: str, phase: int = TEST, **settings: Any) -> Transformer:
    param = text_format.Parse(text, TransformationParameter())
    return Transformer(param, phase, SHAPE, seed=5, name="data", **settings)


def apply(made: Transformer, image: np.ndarray = IMAGE, place: int = 0) -> np.ndarray:
    out = np.full(made.output_shape, np.nan, np.float32)
    made.apply(image, out, made.draws(place, 1)[0])
    return out


def test_resized_before_it_is_cropped_and_freed_of_a_mean() -> None:
    made = make(WARP + "crop_h: 4 crop_w: 6 mean_value: 9 scale: 2")
    assert made.output_shape == (3, 4, 6)
    small = resample(IMAGE, 6, 10, Interpolation.NEAREST)[:, 1:5, 2:8]
    np.testing.assert_array_equal(apply(made), (small.astype(np.float32) - 9) * 2)
    assert not made.is_random
    assert made.least == (1, 1)


def test_images_of_another_size_are_taken_where_they_are_resized() -> None:
    other = np.random.default_rng(1).integers(0, 256, (3, 20, 7), np.uint8)
    found = apply(make(WARP), other)
    np.testing.assert_array_equal(found, resample(other, 6, 10, Interpolation.NEAREST))
    covering = WARP.replace("{", "{ resize_mode: FIT_SMALL_SIZE")
    assert make(covering).least is None
    with pytest.raises(DataError, match="expected images of 3x8x12, got 3x20x7"):
        apply(make(covering), other)
    assert apply(make(covering + "crop_size: 6"), other).shape == (3, 6, 6)


def test_one_of_several_interpolations_by_chance() -> None:
    made = make(WARP.replace("}", "interp_mode: AREA }"))
    assert made.is_random
    ways = [resample(IMAGE, 6, 10, how) for how in (Interpolation.NEAREST, Interpolation.AREA)]
    found = [apply(made, place=place) for place in range(20)]
    seen = {next(i for i, way in enumerate(ways) if (image == way).all()) for image in found}
    assert seen == {0, 1}
    np.testing.assert_array_equal(found[3], apply(made, place=3))


def test_expanding_puts_the_image_on_a_canvas_of_the_mean() -> None:
    param = text_format.Parse(
        "expand_param { max_expand_ratio: 3 } mean_value: 100 crop_size: 2",
        TransformationParameter(),
    )
    augment = Augment(param, SHAPE, (2, 2))
    transformer = make("expand_param { max_expand_ratio: 3 } mean_value: 100 crop_size: 2")
    sizes = set()
    for place in range(10):
        image, window = augment.before(IMAGE, transformer.rng(Draw(place=place)))
        height, width = image.shape[1:]
        left, top = round(-window[0] * 12), round(-window[1] * 8)
        np.testing.assert_array_equal(image[:, top : top + 8, left : left + 12], IMAGE)
        assert (image == 100).sum() >= 3 * (height * width - 96)
        assert round((window[2] - window[0]) * 12) == width
        sizes.add(width)
    assert len(sizes) > 5


def test_nvidia_s_random_sizes() -> None:
    made = make(
        "img_rand_resize_lower: 4 img_rand_resize_upper: 6 crop_size: 4 "
        "interpolation_algo_down: INTER_AREA",
        TRAIN,
    )
    augment = made.augment
    assert augment is not None
    shapes = {augment.apply(IMAGE, made.rng(Draw(place=place))).shape[1:] for place in range(40)}
    # The short side is 4 to 6, the long one half as much again, rounded with halves up.
    assert shapes == {(4, 6), (5, 8), (6, 9)}
    assert apply(made).shape == (3, 4, 4)


def test_stretches_enlarge_only_where_that_is_allowed() -> None:
    text = "vertical_stretch_lower: 2 vertical_stretch_upper: 2 crop_size: 4 "
    sizes = []
    for more in ("", "allow_upscale: true interpolation_algo_up: INTER_NEAREST"):
        augment = make(text + more).augment
        assert augment is not None
        sizes.append(augment.apply(IMAGE, make(text).rng(None)).shape[1:])
    assert sizes == [(8, 12), (16, 12)]


def test_a_form_by_chance() -> None:
    text = "rand_resize_ratio_lower: 1 rand_resize_ratio_upper: 1.25 crop_size: 4"
    made = make(text)
    assert made.augment is not None
    shapes = [
        made.augment.apply(IMAGE, made.rng(Draw(place=place))).shape[1:] for place in range(30)
    ]
    assert {height for height, _ in shapes} == {8}
    assert {width for _, width in shapes} == {8, 9, 10}


def test_a_crop_that_an_image_does_not_fill_is_told() -> None:
    made = make("img_rand_resize_lower: 4 img_rand_resize_upper: 4 crop_size: 4")
    with pytest.raises(DataError, match="at least 4x4, got 3x3x9"):
        apply(made, IMAGE[:, :3, :9])


def test_random_seed_stands_for_the_run_s() -> None:
    text = "crop_size: 5 mirror: true random_seed: 8"
    param = text_format.Parse(text, TransformationParameter())
    found = [Transformer(param, TRAIN, SHAPE, seed=seed, name="a").draws(0, 9) for seed in (1, 2)]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crop_h: 4", "crop_h and crop_w go together, got 4 and 0"),
        ("crop_h: 4 crop_w: 4 crop_size: 4", "crop_size 4 and crop_h 4, crop_w 4 are both set"),
        ("crop_h: 9 crop_w: 4", "the crop 9x4 is larger than the images, which are 8x12"),
        (WARP + "crop_size: 8", "crop_size 8 is larger than the images, which are 6x10"),
        ("expand_param { max_expand_ratio: 2 }", "a resize_param or a crop must follow"),
        ("expand_param { max_expand_ratio: 0.5 } crop_size: 2", "max_expand_ratio of 1 or more"),
        ("img_rand_resize_lower: 4 img_rand_resize_upper: 5", "a crop must follow"),
        (
            "img_rand_resize_lower: 6 img_rand_resize_upper: 5 crop_size: 2",
            "expected 0 <= img_rand_resize_lower <= img_rand_resize_upper, got 6 and 5",
        ),
        (
            "distort_param { contrast_lower: 2 contrast_upper: 1 }",
            "expected 0 <= contrast_lower <= contrast_upper, got 2 and 1",
        ),
        ("distort_param { hue_delta: -1 }", "a hue_delta of 0 or more, got -1"),
    ],
)
def test_what_cannot_be(text: str, message: str) -> None:
    with pytest.raises(LayerError, match=re.escape(message)):
        make(text)


def test_distortion_needs_bytes() -> None:
    made = make("distort_param { brightness_prob: 1 brightness_delta: 3 }")
    with pytest.raises(DataError, match="distort_param needs colour images of bytes, got float32"):
        apply(made, IMAGE.astype(np.float32))


def test_asking_about_one_image_distorts_and_expands_nothing() -> None:
    made = make(
        WARP
        + "expand_param { max_expand_ratio: 3 } "
        + "distort_param { brightness_prob: 1 brightness_delta: 90 }"
    )
    out = np.empty(made.output_shape, np.float32)
    made.apply(IMAGE, out)
    np.testing.assert_array_equal(out, resample(IMAGE, 6, 10, Interpolation.NEAREST))
    assert (apply(made, place=1) != out).any()
