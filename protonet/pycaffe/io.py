"""``caffe.io``: images, records and blobs as arrays, and what is done to images before a net."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from protonet.blob import Shape
from protonet.data import datum as records
from protonet.data.resize import resize
from protonet.data.transform import ten_crops
from protonet.errors import DataError, FormatError
from protonet.formats.blobs import blob_shape, from_array, to_array
from protonet.proto import caffe_pb2


def load_image(filename: str | PathLike[str] | BinaryIO, color: bool = True) -> np.ndarray:
    """An image file, or a file object of one, as float32 values from 0 to 1: H x W x 3 in RGB, or
    H x W x 1.

    Raises:
        DataError: when the file cannot be read or is no image.
    """
    data, name = _contents(filename)
    planes = records.decode_image(data, name, color=color)
    return np.ascontiguousarray(planes[::-1].transpose(1, 2, 0), np.float32) / np.float32(255)


def _contents(file: str | PathLike[str] | BinaryIO) -> tuple[bytes, str]:
    """The bytes of a file, and its name for messages."""
    if not isinstance(file, str | PathLike):
        return file.read(), str(getattr(file, "name", "the image"))
    path = Path(fspath(file))
    try:
        return path.read_bytes(), str(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def resize_image(im: np.ndarray, new_dims: Sequence[int], interp_order: int = 1) -> np.ndarray:
    """An H x W x K image in new height and width: order 1 is bilinear, 0 the nearest value.

    Raises:
        ValueError: for another order.
    """
    image, (height, width) = np.asarray(im, np.float32), (int(extent) for extent in new_dims)
    if interp_order not in (0, 1):
        raise ValueError(f"expected order 0 (nearest) or 1 (bilinear), got {interp_order}")
    if interp_order == 0:
        rows = np.arange(height) * image.shape[0] // height
        columns = np.arange(width) * image.shape[1] // width
        nearest: np.ndarray = image[rows][:, columns]
        return nearest
    return resize(image.transpose(2, 0, 1), height, width).transpose(1, 2, 0)


def oversample(images: Iterable[np.ndarray], crop_dims: Iterable[int]) -> np.ndarray:
    """Ten crops of every H x W x K image: four corners and the centre, and all of them mirrored."""
    height, width = (int(extent) for extent in crop_dims)
    crops = []
    for image in images:
        if image.shape[0] < height or image.shape[1] < width:
            raise ValueError(
                f"expected images of {height}x{width} or more, got {image.shape[0]}x"
                f"{image.shape[1]}"
            )
        for draw in ten_crops(image.shape[:2], (height, width)):
            top, left, mirror, _ = draw
            cut = image[top : top + height, left : left + width]
            crops.append(cut[:, ::-1] if mirror else cut)
    return np.asarray(crops, np.float32)


def array_to_datum(arr: np.ndarray, label: int | None = None) -> caffe_pb2.Datum:
    """A record of a K x H x W array: bytes for uint8, else floats."""
    if arr.ndim != 3:
        raise ValueError(f"expected an array of 3 axes, got shape {arr.shape}")
    return records.make_datum(arr, label=label)


def datum_to_array(datum: caffe_pb2.Datum) -> np.ndarray:
    """The values of a record as K x H x W; encoded images are decoded, colour as BGR."""
    return records.decode(datum, "the record")


def blobproto_to_array(blob: caffe_pb2.BlobProto, return_diff: bool = False) -> np.ndarray:
    """The values of a message, or its gradient, in the message's shape.

    Raises:
        ValueError: when the shape is of another number of values. A message that states no shape
            is a scalar, as in Caffe.
    """
    if return_diff:
        values = blob.double_diff if blob.double_diff else blob.diff
        return np.array(values, np.float64 if blob.double_diff else np.float32).reshape(
            blob_shape(blob)
        )
    try:
        return to_array(blob)
    except FormatError as error:
        raise ValueError(str(error)) from error


def array_to_blobproto(arr: np.ndarray, diff: np.ndarray | None = None) -> caffe_pb2.BlobProto:
    """A message of an array and, where given, its gradient."""
    blob = from_array(np.asarray(arr))
    if diff is not None:
        blob.diff.extend(np.asarray(diff, np.float32).ravel().tolist())
    return blob


def arraylist_to_blobprotovector_str(arraylist: Sequence[np.ndarray]) -> bytes:
    """Several arrays as the bytes of one message."""
    message = caffe_pb2.BlobProtoVector(
        blobs=[from_array(np.asarray(array)) for array in arraylist]
    )
    data: bytes = message.SerializeToString()
    return data


def blobprotovector_str_to_arraylist(data: bytes) -> list[np.ndarray]:
    """What ``arraylist_to_blobprotovector_str`` made, as arrays."""
    return [to_array(blob) for blob in caffe_pb2.BlobProtoVector.FromString(data).blobs]


class Transformer:
    """What is done to an image before it becomes an input of a net, and back.

    ``inputs`` maps names to shapes such as ``net.blobs["data"].data.shape``. ``preprocess`` takes
    H x W x K and does, in this order, what was set: resize, transpose, swap channels, raw scale,
    mean, input scale.
    """

    def __init__(self, inputs: Mapping[str, Shape]) -> None:
        self.inputs = {name: tuple(shape) for name, shape in inputs.items()}
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, np.ndarray] = {}
        self.input_scale: dict[str, float] = {}

    def preprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """An image as input ``in_`` wants it."""
        self._check(in_)
        image = np.asarray(data, np.float32)
        height, width = self.inputs[in_][2:]
        if image.shape[:2] != (height, width):
            image = resize_image(image, (height, width))
        if in_ in self.transpose:
            image = image.transpose(self.transpose[in_])
        if in_ in self.channel_swap:
            image = image[list(self.channel_swap[in_]), :, :]
        if in_ in self.raw_scale:
            image = image * np.float32(self.raw_scale[in_])
        if in_ in self.mean:
            image = image - self.mean[in_]
        if in_ in self.input_scale:
            image = image * np.float32(self.input_scale[in_])
        return image

    def deprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """Undo ``preprocess``, but for the size."""
        self._check(in_)
        image = np.array(data, np.float32).squeeze()
        if in_ in self.input_scale:
            image = image / np.float32(self.input_scale[in_])
        if in_ in self.mean:
            image = image + self.mean[in_]
        if in_ in self.raw_scale:
            image = image / np.float32(self.raw_scale[in_])
        if in_ in self.channel_swap:
            image = image[np.argsort(self.channel_swap[in_]), :, :]
        if in_ in self.transpose:
            image = image.transpose(np.argsort(self.transpose[in_]))
        return image

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """Order the axes; ``(2, 0, 1)`` makes K x H x W of H x W x K."""
        self._check(in_)
        if len(order) != len(self.inputs[in_]) - 1:
            raise ValueError(
                f"expected an order of {len(self.inputs[in_]) - 1} axes, got {tuple(order)}"
            )
        self.transpose[in_] = tuple(order)

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """Order the channels; ``(2, 1, 0)`` makes BGR of RGB."""
        self._check(in_)
        if len(order) != self.inputs[in_][1]:
            raise ValueError(f"expected {self.inputs[in_][1]} channels, got {tuple(order)}")
        self.channel_swap[in_] = tuple(order)

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """Multiply before the mean is taken off; 255 for images of 0 to 1."""
        self._check(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: np.ndarray) -> None:
        """Take off a mean: K values, one for each channel, or K x H x W."""
        self._check(in_)
        mean = np.asarray(mean, np.float32)
        channels = self.inputs[in_][1]
        if mean.ndim == 1:
            if len(mean) not in (1, channels):
                raise ValueError(f"expected a mean of {channels} channels, got {len(mean)}")
            mean = mean[:, None, None]
        else:
            mean = mean[None] if mean.ndim == 2 else mean
            if mean.shape != self.inputs[in_][1:]:
                raise ValueError(
                    f"expected a mean of shape {self.inputs[in_][1:]}, got {mean.shape}"
                )
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """Multiply after the mean was taken off."""
        self._check(in_)
        self.input_scale[in_] = scale

    def _check(self, in_: str) -> None:
        if in_ not in self.inputs:
            raise ValueError(f"'{in_}' is not one of the net inputs: {list(self.inputs)}")


def save_image(filename: str | PathLike[str], image: np.ndarray) -> None:
    """Write values from 0 to 1, H x W x 3 in RGB or H x W, as an image file."""
    from PIL import Image

    values: Any = np.clip(np.rint(np.asarray(image) * 255), 0, 255).astype(np.uint8)
    Image.fromarray(values.squeeze()).save(fspath(filename))
