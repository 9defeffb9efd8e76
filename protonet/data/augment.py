"""The steps of the forks' ``transform_param`` before the crop.

In this order: distort_param, expand_param, (a window of AnnotatedData), resize_param, noise_param,
and NVIDIA's random resize.
"""

from __future__ import annotations

import numpy as np

from protonet.data.boxes import FULL_IMAGE
from protonet.data.colour import distort
from protonet.data.image_rng import ImageRNG
from protonet.data.interpolation import Interpolation, resample
from protonet.data.noise import add_noise, check_noise
from protonet.data.resize_modes import check_resize, resize_by_mode, resized_size
from protonet.errors import DataError, LayerError
from protonet.proto.caffe_pb2 import DistortionParameter, ResizeParameter, TransformationParameter

_RANDOM_SIZE = (
    "img_rand_resize_lower",
    "img_rand_resize_upper",
    "rand_resize_ratio_lower",
    "rand_resize_ratio_upper",
    "vertical_stretch_lower",
    "vertical_stretch_upper",
    "horizontal_stretch_lower",
    "horizontal_stretch_upper",
)
_OF_ALGORITHM = {
    TransformationParameter.INTER_NEAREST: Interpolation.NEAREST,
    TransformationParameter.INTER_LINEAR: Interpolation.LINEAR,
    TransformationParameter.INTER_CUBIC: Interpolation.CUBIC,
    TransformationParameter.INTER_AREA: Interpolation.AREA,
}
ImageShape = tuple[int, int, int]


class Augment:
    """The steps before the crop.

    Args:
        param: sets at least one of them; see ``wanted``.
        shape: (channels, height, width) of the first image.
        crop: (height, width) of the crop behind it, or None.

    Raises:
        LayerError: for settings that contradict each other or the images.
    """

    def __init__(
        self, param: TransformationParameter, shape: ImageShape, crop: tuple[int, int] | None
    ) -> None:
        self.param = param
        self._crop = crop or (0, 0)
        self._random_size = any(_asked(param, name) for name in _RANDOM_SIZE)
        _check(param, shape[0])
        resize = param.resize_param if param.HasField("resize_param") else None
        covers = resize is not None and resize.resize_mode == ResizeParameter.FIT_SMALL_SIZE
        self.takes_any = self._random_size or (
            resize is not None and (not covers or crop is not None)
        )
        """Whether images may be of other sizes than the first one."""
        self.varies = self._random_size or (
            (covers and crop is not None) or (resize is None and param.HasField("expand_param"))
        )
        """Whether images of one size result in several."""
        if self.varies and crop is None:
            field = "expand_param" if param.HasField("expand_param") else "transform_param"
            raise LayerError(
                f"{field} gives images of several sizes: a resize_param or a crop must follow",
                ("transform_param",),
            )
        size = shape[1:] if resize is None else resized_size(resize, (shape[1], shape[2]))
        self.shape: ImageShape = (shape[0], size[0], size[1])
        """The shape of the result, unless it ``varies``."""

    @staticmethod
    def wanted(param: TransformationParameter) -> bool:
        """Whether ``param`` sets any of the steps."""
        messages = ("resize_param", "expand_param", "distort_param", "noise_param")
        given = {field.name for field, _ in param.ListFields()}
        return bool(given.intersection(messages)) or any(
            _asked(param, name) for name in _RANDOM_SIZE
        )

    @property
    def is_random(self) -> bool:
        """Whether the same image may give different results."""
        param = self.param
        noise = param.noise_param
        return (
            self._random_size
            or param.HasField("distort_param")
            or param.HasField("expand_param")
            or len(param.resize_param.interp_mode) > 1
            or (param.HasField("noise_param") and (noise.saltpepper or noise.HasField("prob")))
        )

    def apply(self, image: np.ndarray, rng: ImageRNG) -> np.ndarray:
        """All steps, without a window."""
        return self.after(self.before(image, rng)[0], rng)

    def before(self, image: np.ndarray, rng: ImageRNG) -> tuple[np.ndarray, np.ndarray]:
        """The image distorted and expanded, and the new image as a window of the old one."""
        if self.param.HasField("distort_param"):
            if image.dtype != np.uint8 or image.shape[0] != 3:
                raise DataError(
                    f"distort_param needs colour images of bytes, got {image.dtype} with "
                    f"{image.shape[0]} channel(s)"
                )
            image = distort(image, self.param.distort_param, rng)
        if self.param.HasField("expand_param"):
            return self._expanded(image, rng)
        return image, FULL_IMAGE

    def after(self, image: np.ndarray, rng: ImageRNG) -> np.ndarray:
        """Resized, and with noise."""
        param = self.param
        if param.HasField("resize_param"):
            modes = param.resize_param.interp_mode
            mode = modes[rng.randrange(len(modes))] if modes else ResizeParameter.LINEAR
            image = resize_by_mode(image, param.resize_param, mode)
        if param.HasField("noise_param"):
            image = add_noise(image, param.noise_param, rng)
        return self._randomly_sized(image, rng) if self._random_size else image

    def _expanded(self, image: np.ndarray, rng: ImageRNG) -> tuple[np.ndarray, np.ndarray]:
        """At a random position of a larger canvas of the mean values (0 where there are none)."""
        param = self.param.expand_param
        if not rng.bernoulli(param.prob):
            return image, FULL_IMAGE
        ratio = rng.uniform(1, param.max_expand_ratio)
        channels, height, width = image.shape
        rows, columns = int(height * ratio), int(width * ratio)
        top = int(rng.uniform(0, rows - height))
        left = int(rng.uniform(0, columns - width))
        canvas = np.zeros((channels, rows, columns), image.dtype)
        if self.param.mean_value:
            values = np.array(self.param.mean_value, np.float32)
            bytes_ = image.dtype == np.uint8
            canvas[:] = (np.rint(values) if bytes_ else values).astype(image.dtype)[:, None, None]
        canvas[:, top : top + height, left : left + width] = image
        window = [-left / width, -top / height, (columns - left) / width, (rows - top) / height]
        return canvas, np.array(window, np.float32)

    def _randomly_sized(self, image: np.ndarray, rng: ImageRNG) -> np.ndarray:
        """NVIDIA's: a random short side, then aspect ratio, then scale of each axis.

        Both phases do it (NVIDIA/caffe 0.17, data_transformer.cpp, image_random_resize).
        """
        param, (height, width) = self.param, image.shape[1:]
        short = min(height, width)
        if param.img_rand_resize_lower and param.img_rand_resize_upper:
            span = param.img_rand_resize_upper - param.img_rand_resize_lower
            short = param.img_rand_resize_lower + rng.randrange(span + 1)
        scale = short / min(height, width)
        tall, wide = scale * height, scale * width
        if param.rand_resize_ratio_lower >= 1 and param.rand_resize_ratio_upper > 1:
            ratio = rng.uniform(param.rand_resize_ratio_lower, param.rand_resize_ratio_upper)
            wider = rng.bernoulli(0.5) if wide == tall else wide > tall
            tall, wide = (tall, tall * ratio) if wider else (wide * ratio, wide)
        if min(param.vertical_stretch_lower, param.vertical_stretch_upper) > 0:
            tall *= rng.uniform(param.vertical_stretch_lower, param.vertical_stretch_upper)
        if min(param.horizontal_stretch_lower, param.horizontal_stretch_upper) > 0:
            wide *= rng.uniform(param.horizontal_stretch_lower, param.horizontal_stretch_upper)
        # Halves round up, as in lround.
        rows, columns = max(self._crop[0], int(tall + 0.5)), max(self._crop[1], int(wide + 0.5))
        if not param.allow_upscale:
            rows, columns = min(rows, height), min(columns, width)
        shrinks = rows <= height and columns <= width
        how = param.interpolation_algo_down if shrinks else param.interpolation_algo_up
        return resample(image, rows, columns, _OF_ALGORITHM[how])


def _asked(param: TransformationParameter, name: str) -> bool:
    """Whether a field of a random size is set to something that is not its default."""
    value: float = getattr(param, name)
    default: float = param.DESCRIPTOR.fields_by_name[name].default_value
    return value != default


def _check(param: TransformationParameter, channels: int) -> None:
    """Refuse settings out of range."""
    path = "transform_param"
    if param.HasField("resize_param"):
        check_resize(param.resize_param, channels)
    if param.HasField("noise_param"):
        check_noise(param.noise_param, channels)
    if param.HasField("expand_param") and param.expand_param.max_expand_ratio < 1:
        raise LayerError(
            "expected a max_expand_ratio of 1 or more, got "
            f"{param.expand_param.max_expand_ratio:g}",
            (path, "expand_param", "max_expand_ratio"),
        )
    if param.HasField("expand_param") and param.mean_file:
        raise LayerError(
            "expand_param fills its canvas with mean_value; a mean_file has one size only",
            (path, "expand_param"),
        )
    for low, high in zip(_RANDOM_SIZE[::2], _RANDOM_SIZE[1::2], strict=True):
        least, most = getattr(param, low), getattr(param, high)
        if least > most or least < 0:
            raise LayerError(
                f"expected 0 <= {low} <= {high}, got {least:g} and {most:g}", (path, low)
            )
    _check_distort(param.distort_param)


def _check_distort(distort: DistortionParameter) -> None:
    """Refuse empty ranges of colour distortion."""
    path = ("transform_param", "distort_param")
    for low, high in (
        ("contrast_lower", "contrast_upper"),
        ("saturation_lower", "saturation_upper"),
    ):
        least, most = getattr(distort, low), getattr(distort, high)
        if not 0 <= least <= most:
            raise LayerError(f"expected 0 <= {low} <= {high}, got {least:g} and {most:g}", path)
    for field in ("brightness_delta", "hue_delta"):
        if getattr(distort, field) < 0:
            raise LayerError(
                f"expected a {field} of 0 or more, got {getattr(distort, field):g}",
                (*path, field),
            )
