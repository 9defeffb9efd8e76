"""What happens to an image between a database (or a file) and a net: the one place for it.

Training and inference use the same ``Transformer``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.device import Device, RandomStream
from protonet.errors import DataError, LayerError
from protonet.formats.blobs import to_array
from protonet.proto.caffe_pb2 import TRAIN, BlobProto, TransformationParameter


def load_mean(path: str | Path) -> np.ndarray:
    """A mean image as float32 (channels, height, width), from .binaryproto or .npy.

    Raises:
        DataError: for a file that is absent, damaged or of another kind.
    """
    path = Path(path)
    try:
        if path.suffix == ".npy":
            mean = np.load(path, allow_pickle=False)
        else:
            mean = to_array(BlobProto.FromString(path.read_bytes()), str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except Exception as error:
        raise DataError(f"{path}: is no mean image (.binaryproto or .npy): {error}") from error
    if mean.ndim == 4 and mean.shape[0] == 1:
        mean = mean[0]
    if mean.ndim != 3 or not mean.size:
        raise DataError(f"{path}: a mean image has 3 axes, this has shape {mean.shape}")
    return np.ascontiguousarray(mean, np.float32)


@dataclass(frozen=True)
class Draw:
    """What chance decided for one image: the corner of the crop, and whether it is mirrored."""

    top: int = 0
    left: int = 0
    mirror: bool = False


class Transformer:
    """Caffe's transformation: crop, mirror, (x - mean) * scale.

    In TRAIN the crop is random, in TEST centred; mirroring is random in both, as in Caffe.
    The mean image is indexed in uncropped coordinates.

    Args:
        param: Caffe's settings.
        phase: TRAIN or TEST.
        shape: (channels, height, width) of the images.
        mean: the mean image where ``param`` has a ``mean_file``.
        seed: with ``name`` decides the random numbers of image i of the stream.
        name: the layer's.

    Raises:
        LayerError: for settings that contradict each other or the shape.
        DataError: for a mean of another shape.
    """

    def __init__(
        self,
        param: TransformationParameter,
        phase: int,
        shape: tuple[int, int, int],
        mean: np.ndarray | None = None,
        *,
        seed: int = 0,
        name: str = "",
    ) -> None:
        self.shape = shape
        self.scale = float(param.scale)
        self.mirror = param.mirror
        self._seed, self._name = seed, name
        channels, height, width = shape
        crop = param.crop_size
        if crop > min(height, width):
            raise LayerError(
                f"crop_size {crop} is larger than the images, which are {height}x{width}",
                ("transform_param", "crop_size"),
            )
        self.output_shape = (channels, crop, crop) if crop else shape
        self._random_crop = bool(crop) and phase == TRAIN
        self._centre = Draw((height - crop) // 2, (width - crop) // 2) if crop else Draw()
        self.mean = _mean_array(param, shape, mean)

    @property
    def is_random(self) -> bool:
        """Whether the same image may come out differently another time."""
        return self.mirror or self._random_crop

    def draws(self, indices: Sequence[int]) -> list[Draw]:
        """What chance decides for these images of the stream: a function of seed, name, index."""
        if not self.is_random:
            return [self._centre] * len(indices)
        stream = RandomStream(Device("cpu"), self._seed, self._name)
        out = []
        for index in indices:
            stream.clock.iteration = index
            generator = stream.host()
            mirror = bool(self.mirror and generator.integers(2))
            top, left = self._centre.top, self._centre.left
            if self._random_crop:
                top = int(generator.integers(self.shape[1] - self.output_shape[1] + 1))
                left = int(generator.integers(self.shape[2] - self.output_shape[2] + 1))
            out.append(Draw(top, left, mirror))
        return out

    def apply(self, image: np.ndarray, out: np.ndarray, draw: Draw | None = None) -> None:
        """Write the transformed ``image`` (shape ``self.shape``) to ``out`` (``output_shape``)."""
        draw = draw or self._centre
        _, height, width = self.output_shape
        window = (
            slice(None),
            slice(draw.top, draw.top + height),
            slice(draw.left, draw.left + width),
        )
        target = out[:, :, ::-1] if draw.mirror else out
        if self.mean is None:
            target[...] = image[window]
        else:
            mean = self.mean if self.mean.shape[1:] == (1, 1) else self.mean[window]
            np.subtract(image[window], mean, out=target, dtype=np.float32)
        if self.scale != 1:
            out *= self.scale


def _mean_array(
    param: TransformationParameter, shape: tuple[int, int, int], mean: np.ndarray | None
) -> np.ndarray | None:
    """The mean as (channels, height, width) or (channels, 1, 1); None where there is none."""
    values = list(param.mean_value)
    if values and param.mean_file:
        raise LayerError(
            "mean_file and mean_value are both given", ("transform_param", "mean_value")
        )
    if values:
        if len(values) not in (1, shape[0]):
            raise LayerError(
                f"expected 1 mean_value or one for each of {shape[0]} channel(s), "
                f"got {len(values)}",
                ("transform_param", "mean_value"),
            )
        return np.broadcast_to(np.array(values, np.float32)[:, None, None], (shape[0], 1, 1))
    if mean is not None and mean.shape != shape:
        found, expected = ("x".join(map(str, each)) for each in (mean.shape, shape))
        raise DataError(
            f"the mean image {param.mean_file} is {found}, but the images are {expected}"
        )
    return mean
