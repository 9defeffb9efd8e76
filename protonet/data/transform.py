"""The transformation of an image between a database (or a file) and a net.

Training and inference use the same ``Transformer``.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from google.protobuf.message import DecodeError

from protonet.data.augment import Augment, ImageShape
from protonet.data.image_rng import ImageRNG
from protonet.device import Device
from protonet.errors import DataError, FormatError, LayerError
from protonet.formats.blobs import to_array
from protonet.kernels.transform import Transform
from protonet.proto.caffe_pb2 import TRAIN, BlobProto, TransformationParameter

__all__ = ["Draw", "ImageShape", "Transformer", "load_mean", "ten_crops"]

_STREAM = 1
"""Word 3 of the counter: separates this stream from a RandomStream of the same name."""


def load_mean(path: str | Path) -> np.ndarray:
    """A mean image as float32 (channels, height, width), from .binaryproto or .npy.

    Raises:
        DataError: for a file that is absent, damaged or of another kind.
    """
    path = Path(path)
    try:
        if path.suffix == ".npy":
            mean = _read_npy(path)
        else:
            mean = to_array(BlobProto.FromString(path.read_bytes()), "the mean image")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except DecodeError:
        raise DataError(f"{path}: is not a mean image (a .binaryproto, or a .npy)") from None
    except (ValueError, FormatError) as error:
        raise DataError(
            f"{path}: is not a mean image (a .binaryproto, or a .npy): {error}"
        ) from error
    if mean.ndim == 4 and mean.shape[0] == 1:
        mean = mean[0]
    if mean.ndim != 3 or not mean.size:
        raise DataError(
            f"{path}: expected a mean image of shape channels x height x width, "
            f"got {_text(mean.shape) or 'a single value'}"
        )
    if mean.dtype.kind not in "fiu":
        raise DataError(f"{path}: expected numbers in a mean image, got {mean.dtype}")
    return np.ascontiguousarray(mean, np.float32)


def _read_npy(path: Path) -> np.ndarray:
    """Mapped first: the size that a damaged header tells is not taken."""
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        return np.array(mapped)
    except OSError:
        raise
    except Exception as error:  # NumPy's reader lets through whatever damaged headers provoke
        raise FormatError(f"damaged: {error}") from error


class Draw(NamedTuple):
    """The random draw of one image: the corner of the crop, and whether it is mirrored.

    Where images differ in size the corner is two random words, which the size of each reduces.
    ``place`` is the image's own in the stream, for the steps that take numbers of their own.
    """

    top: int = 0
    left: int = 0
    mirror: bool = False
    place: int = 0


def ten_crops(image: tuple[int, int], crop: tuple[int, int]) -> list[Draw]:
    """The crops that Caffe's ``oversample`` takes of an image, both as (height, width): the four
    corners and the centre, and then the same mirrored.
    """
    down, right = image[0] - crop[0], image[1] - crop[1]
    corners = [Draw(y, x) for y in (0, down) for x in (0, right)]
    crops = [*corners, Draw(down // 2, right // 2)]
    return [*crops, *(each._replace(mirror=True) for each in crops)]


class Transformer:
    """Caffe's transformation: crop, mirror, (x - mean) * scale, and the forks' steps before it.

    In TRAIN the crop is random, in TEST centred; mirroring is random in both, as in Caffe.
    The mean image is indexed in uncropped coordinates.

    Args:
        param: Caffe's settings.
        phase: TRAIN or TEST.
        shape: (channels, height, width) of the images.
        mean: the mean image, of the images as they are before the crop, where ``param`` has a
            ``mean_file``.
        seed, name: with the index of an image in the stream they decide its random numbers;
            ``name`` is the layer's.
        any_size: images may differ from ``shape`` in height and width; needs a crop and goes
            without a mean image.
        crop: (height, width) of the crop instead of that of ``param``. The mean image may then be
            of the crop alone: it is taken off what was cut out.

    Raises:
        LayerError: for settings that contradict each other or the shape.
        DataError: for a mean of another shape.
    """

    def __init__(
        self,
        param: TransformationParameter,
        phase: int,
        shape: ImageShape,
        mean: np.ndarray | None = None,
        *,
        seed: int = 0,
        name: str = "",
        any_size: bool = False,
        crop: tuple[int, int] | None = None,
    ) -> None:
        asked = crop_of(param)
        self.augment = Augment(param, shape, asked) if Augment.wanted(param) else None
        self.shape = shape
        inner = shape if self.augment is None else self.augment.shape
        self.varies = any_size or (self.augment is not None and self.augment.varies)
        assert not any_size or (asked is not None and mean is None), (
            "images of any size need a crop"
        )
        _check_crop(param, asked, inner, self.varies and not any_size)
        if self.varies and mean is not None:
            raise LayerError(
                "a mean_file has one size, but the images get several; give mean_value",
                ("transform_param", "mean_file"),
            )
        down, across = crop or asked or inner[1:]
        self.output_shape: ImageShape = (shape[0], down, across)
        self.scale = float(param.scale)
        fits_crop = crop is not None and mean is not None and mean.shape == self.output_shape
        self.mean = _mean_array(param, self.output_shape if fits_crop else inner, mean)
        self._inner = inner
        self._kernel = Transform.make(Device(), np.float32)
        self._mirror = bool(param.mirror)
        self._random_crop = asked is not None and phase == TRAIN
        self._centre = Draw((inner[1] - down) // 2, (inner[2] - across) // 2)
        seed = param.random_seed if param.random_seed >= 0 else seed
        self._key = np.array([seed % 2**64, zlib.crc32(name.encode())], np.uint64)

    @property
    def least(self) -> tuple[int, int] | None:
        """The least (height, width) of an image where they may differ; None where they may not."""
        if self.augment is not None:
            return (1, 1) if self.augment.takes_any else None
        return (self.output_shape[1], self.output_shape[2]) if self.varies else None

    @property
    def resizes(self) -> bool:
        """Whether images of any size get that of ``resize_param``."""
        augment = self.augment
        return augment is not None and augment.takes_any and augment.param.HasField("resize_param")

    @property
    def fitted_shape(self) -> ImageShape:
        """What images of other sizes than ``shape`` become."""
        return self.output_shape if self.resizes else self.shape

    @property
    def is_random(self) -> bool:
        """Whether the same image may give different results."""
        augmented = self.augment is not None and self.augment.is_random
        return self._mirror or self._random_crop or augmented

    def draws(self, first: int, count: int) -> list[Draw]:
        """The random draws of images ``first`` to ``first + count - 1`` of the stream.

        A function of seed, name and index, independent of threads and resumes.
        """
        if not self.is_random:
            return [self._centre] * count
        # One block of Philox (four words) belongs to each image.
        bits = np.random.Philox(key=self._key, counter=np.array([first, 0, 0, _STREAM], np.uint64))
        words = np.asarray(bits.random_raw(4 * count)).reshape(count, 4)
        mirror = (words[:, 0] >> np.uint64(63)).astype(bool) & self._mirror
        places = range(first, first + count)
        if not self._random_crop:
            return [
                self._centre._replace(mirror=each, place=place)
                for each, place in zip(mirror.tolist(), places, strict=True)
            ]
        tops, lefts = words[:, 1], words[:, 2]
        if not self.varies:
            _, height, width = self.output_shape
            tops = tops % np.uint64(self._inner[1] - height + 1)
            lefts = lefts % np.uint64(self._inner[2] - width + 1)
        return list(map(Draw, tops.tolist(), lefts.tolist(), mirror.tolist(), places))

    def rng(self, draw: Draw | None) -> ImageRNG:
        """The random numbers of one image; without a draw those of the first one."""
        return ImageRNG(self._key, 0 if draw is None else draw.place)

    def apply(self, images: np.ndarray, out: np.ndarray, draw: Draw | None = None) -> None:
        """Write transformed images to ``out``: one of ``shape``, or several of (n, *shape).

        Where they may be of any size, ``shape`` is that of the images. ``out`` is float32 of
        ``output_shape`` or (n, *output_shape). Without a ``draw`` the crop is centred and nothing
        is mirrored, distorted or expanded, as for inference.

        Raises:
            DataError: for images of another shape.
        """
        if self.augment is not None:
            if images.ndim == 4:
                for image, into in zip(images, out, strict=True):
                    self.apply(image, into, draw)
                return
            self._check_shape(images)
            # Augmentation is for training only.
            steps = self.augment.after if draw is None else self.augment.apply
            images = steps(images, self.rng(draw))
        self.finish(images, out, draw)

    def finish(self, images: np.ndarray, out: np.ndarray, draw: Draw | None = None) -> Draw:
        """``apply`` for images that the steps before the crop are done for; says what was cut."""
        if self.varies:
            draw = self._corner(images, draw)
        elif images.shape[-3:] == self._inner:
            draw = draw or self._centre
        else:
            raise DataError(
                f"expected images of {_text(self._inner)}, got {_text(images.shape[-3:])}"
            )
        self._kernel.apply(images, self.mean, out, draw.top, draw.left, draw.mirror, self.scale)
        return draw

    def _check_shape(self, image: np.ndarray) -> None:
        """One image, before the first step."""
        fits = image.shape[0] == self.shape[0] if self.least else image.shape == self.shape
        if not fits:
            raise DataError(f"expected images of {_text(self.shape)}, got {_text(image.shape)}")

    def _corner(self, images: np.ndarray, draw: Draw | None) -> Draw:
        """The draw for images of this size."""
        channels, height, width = self.output_shape
        down, across = images.shape[-2] - height, images.shape[-1] - width
        if images.shape[-3] != channels or min(down, across) < 0:
            raise DataError(
                f"expected images of {channels} channel(s) and at least {height}x{width}, got "
                f"{_text(images.shape[-3:])}"
            )
        if draw is None or not self._random_crop:
            return Draw(down // 2, across // 2, draw is not None and draw.mirror)
        return Draw(draw.top % (down + 1), draw.left % (across + 1), draw.mirror)


def crop_of(param: TransformationParameter) -> tuple[int, int] | None:
    """The (height, width) of the crop of ``param``; None for whole images.

    Raises:
        LayerError: for one of crop_h and crop_w, or for both ways of saying it.
    """
    side, down, across = int(param.crop_size), int(param.crop_h), int(param.crop_w)
    if not down and not across:
        return (side, side) if side else None
    if not down or not across:
        raise LayerError(
            f"crop_h and crop_w go together, got {down} and {across}",
            ("transform_param", "crop_h" if down else "crop_w"),
        )
    if side:
        raise LayerError(
            f"crop_size {side} and crop_h {down}, crop_w {across} are both set; remove one",
            ("transform_param", "crop_size"),
        )
    return down, across


def _check_crop(
    param: TransformationParameter,
    crop: tuple[int, int] | None,
    inner: ImageShape,
    varies: bool,
) -> None:
    """Whether the crop fits into the images, unless their size is only known one by one."""
    if crop is None or varies or (crop[0] <= inner[1] and crop[1] <= inner[2]):
        return
    field = "crop_size" if param.crop_size else "crop_h"
    asked = str(crop[0]) if param.crop_size else f"{crop[0]}x{crop[1]}"
    raise LayerError(
        f"{'crop_size' if param.crop_size else 'the crop'} {asked} is larger than the images, "
        f"which are {inner[1]}x{inner[2]}",
        ("transform_param", field),
    )


def _mean_array(
    param: TransformationParameter, shape: ImageShape, mean: np.ndarray | None
) -> np.ndarray | None:
    """The mean as (channels, height, width), or (1 or channels, 1, 1); None where there is none."""
    values = list(param.mean_value)
    if values and param.mean_file:
        raise LayerError(
            "mean_file and mean_value are both set; remove one of them",
            ("transform_param", "mean_value"),
        )
    if values:
        if len(values) not in (1, shape[0]):
            raise LayerError(
                f"expected 1 mean_value or one for each of {shape[0]} channel(s), "
                f"got {len(values)}",
                ("transform_param", "mean_value"),
            )
        return np.array(values, np.float32)[:, None, None]
    assert mean is not None or not param.mean_file, "the caller loads mean_file"
    if mean is not None and mean.shape != shape:
        raise DataError(
            f"{param.mean_file or 'mean image'}: is {_text(mean.shape)}, but the images are "
            f"{_text(shape)}: mean and images must have one size"
        )
    return mean


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
