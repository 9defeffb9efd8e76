"""Datum records to arrays and back."""

from __future__ import annotations

import io
import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from protonet.data.jpeg import decode_jpeg
from protonet.data.orientation import orientation_of, upright
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import Datum

if TYPE_CHECKING:
    from PIL import Image

ENCODINGS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "bmp": "BMP", "webp": "WEBP"}
"""Image formats of records, and Pillow's names of them."""

_GRAY = ("1", "L", "LA")
"""Pillow's modes of one channel with up to 8 bits."""
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_OPENING = threading.Lock()
"""``warnings.catch_warnings`` changes filters of the whole process: one thread at a time."""


def decode(
    datum: Datum, where: str, *, color: bool | None = None, data: bytes | None = None
) -> np.ndarray:
    """The values of a record: (channels, height, width), uint8 or, from float_data, float32.

    Encoded colour images come as BGR, as OpenCV gives them to Caffe. ``color`` forces encoded
    images to three channels (True) or one (False). ``data`` stands for those of the record where
    it was parsed without them. The array may be read-only.

    Raises:
        DataError: naming ``where`` (database and key) and what does not fit.
    """
    data = datum.data if data is None else data
    if not data and not datum.float_data:
        raise DataError(f"{where}: the record is empty: it has neither data nor float_data")
    if datum.encoded:
        return decode_image(data, where, color=color)
    if data:
        values: np.ndarray = np.frombuffer(data, np.uint8)
    else:
        values = np.array(datum.float_data, np.float32)
    shape = (datum.channels, datum.height, datum.width)
    text = "x".join(map(str, shape))
    if min(shape) < 1:
        raise DataError(f"{where}: the record has shape {text}, but every axis must be 1 or more")
    count = shape[0] * shape[1] * shape[2]
    if values.size != count:
        raise DataError(
            f"{where}: the record has {values.size} values, but its shape {text} needs {count}"
        )
    return values.reshape(shape)


def decode_image(
    data: bytes, where: str, *, color: bool | None = None, follows_exif: bool = False
) -> np.ndarray:
    """An encoded image (PNG, JPEG ...) as uint8 (1 or 3, height, width), colour as BGR.

    ``color=None`` keeps gray images gray. ``follows_exif`` applies the EXIF orientation, which
    is for files: records are decoded as they are stored. The array may be read-only and a strided
    view.

    Raises:
        DataError: for what is no image, is cut short, or would fill the memory.
    """
    if follows_exif:
        return upright(decode_image(data, where, color=color), orientation_of(data))
    if data.startswith(_JPEG):
        array = decode_jpeg(data, color=color, most=_most_pixels())
        if array is not None:
            return array
    with open_image(data, where) as image:
        if image.mode == "F":
            raise DataError(
                f"{where}: the image holds floating point numbers of unknown range: "
                "store it as bytes, or as an array (make_datum, HDF5Data)"
            )
        return image_array(image, color=color)


@contextmanager
def open_image(data: bytes, where: str) -> Iterator[Image.Image]:
    """An image file as Pillow's; what the block finds damaged is told, too.

    Raises:
        DataError: for what is no image, is cut short, or would fill the memory.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with _opened(data, _most_pixels()) as image:
            yield image
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"{where}: the data is not an image that can be decoded") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"{where}: the image is too large ({error})") from error
    except Exception as error:  # Pillow's parsers let through whatever damaged bytes provoke
        raise DataError(f"{where}: the image is damaged or cut short ({error})") from error


def _most_pixels() -> float:
    from PIL import Image

    return math.inf if Image.MAX_IMAGE_PIXELS is None else Image.MAX_IMAGE_PIXELS


def encoded_shape(data: bytes, where: str) -> tuple[int, int, int]:
    """The shape that ``decode_image`` would return, from the file's header alone.

    Raises:
        DataError: for what is no image, or is too large.
    """
    try:
        with _opened(data, _most_pixels()) as image:
            gray = image.mode in _GRAY or image.mode.startswith("I")
            return (1 if gray else 3, image.height, image.width)
    except Exception as error:  # whatever damaged bytes provoke
        # Pillow's own words name an object in memory.
        reason = "" if "cannot identify image file" in str(error) else f" ({error})"
        raise DataError(f"{where}: the data is not an image that can be decoded{reason}") from error


def _opened(data: bytes, most: float) -> Image.Image:
    """The image, its pixels not yet decoded.

    JPEG and PNG are opened without ``Image.open``, which may warn, so that threads need not wait
    for each other. ``Image.open`` reports what is wrong with one.
    """
    from PIL import Image
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile

    for signature, kind in ((_JPEG, JpegImageFile), (_PNG, PngImageFile)):
        if data.startswith(signature):
            try:
                image: Image.Image = kind(io.BytesIO(data))
            except Exception:  # whatever damaged bytes provoke
                break
            if image.width * image.height <= most:
                return image
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(data))


def image_array(image: Image.Image, *, color: bool | None = None) -> np.ndarray:
    """A Pillow image as uint8 (1, height, width) or BGR (3, height, width).

    ``color=None`` keeps gray images gray. 16-bit gray is scaled to 8 bits; transparency is
    dropped, as OpenCV does. The array is read-only, its columns contiguous.
    """
    if image.mode.startswith("I"):
        from PIL import Image

        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        # Pillow warns about such palettes unless they are converted through RGBA.
        image = image.convert("RGBA")
    gray = image.mode in _GRAY if color is None else not color
    if gray:
        return np.asarray(image.convert("L"))[None]
    if image.mode != "RGB":
        image = image.convert("RGB")
    # Planar within each row (R, G, B): Pillow deinterleaves faster than NumPy.
    rows = np.frombuffer(image.tobytes("raw", "RGB;L"), np.uint8)
    return rows.reshape(image.height, 3, image.width).transpose(1, 0, 2)[::-1]


def encode_image(array: np.ndarray, kind: str = "png") -> bytes:
    """A uint8 array as an image file: (height, width), (1, height, width) or BGR (3, height,
    width). ``kind`` is one of ENCODINGS; JPEG has OpenCV's quality.

    Raises:
        DataError: for another type or shape.
    """
    from PIL import Image

    planes = array[None] if array.ndim == 2 else array
    if array.dtype != np.uint8 or planes.ndim != 3 or planes.shape[0] not in (1, 3):
        raise DataError(
            f"an image needs uint8 values with 1 or 3 channels, got {array.dtype} of shape "
            + "x".join(map(str, array.shape))
        )
    pixels = planes[0] if planes.shape[0] == 1 else planes[::-1].transpose(1, 2, 0)
    buffer = io.BytesIO()
    quality = {"quality": 95} if ENCODINGS[kind] == "JPEG" else {}
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, ENCODINGS[kind], **quality)
    return buffer.getvalue()


def as_bytes(image: np.ndarray) -> np.ndarray:
    """An image (channels, height, width) as uint8, to be looked at: its first channel unless it has
    1 or 3, and other values than bytes scaled to their range.
    """
    shown = image if image.shape[0] in (1, 3) else image[:1]
    if shown.dtype != np.uint8:
        low, high = float(shown.min()), float(shown.max())
        if low < 0 or high > 255 or high <= 1:
            shown = (shown - low) * (255 / (high - low) if high > low else 0)
        shown = np.clip(np.rint(shown), 0, 255).astype(np.uint8)
    return shown


def make_datum(
    array: np.ndarray, *, label: int | None = None, encoded: bool | bytes = False
) -> Datum:
    """A record of a (channels, height, width) array: uint8 as bytes or PNG, else as float_data.

    ``encoded`` may be the file whose image the array is: it is stored as it is.

    Raises:
        DataError: with ``encoded``, for values that ``encode_image`` refuses.
    """
    channels, height, width = array.shape
    datum = Datum(channels=channels, height=height, width=width)
    if label is not None:
        datum.label = label
    if encoded:
        datum.data = encode_image(array) if encoded is True else encoded
        datum.encoded = True
    elif array.dtype == np.uint8:
        datum.data = array.tobytes()
    else:
        datum.float_data.extend(array.ravel().tolist())
    return datum
