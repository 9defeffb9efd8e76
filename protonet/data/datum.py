"""Datum records to arrays and back."""

from __future__ import annotations

import io
import warnings

import numpy as np

from protonet.errors import DataError
from protonet.proto.caffe_pb2 import Datum

PIXEL_LIMIT = 2**28
"""Values of the largest record that is decoded: a damaged header must not fill the memory."""


def decode(datum: Datum, where: str, *, color: bool | None = None) -> np.ndarray:
    """The values of a record: (channels, height, width), uint8 or, from float_data, float32.

    Encoded colour images come as BGR, as OpenCV gives them to Caffe. ``color`` forces encoded
    images to three channels (True) or one (False).

    Raises:
        DataError: naming ``where`` (database and key) and what does not fit.
    """
    if datum.encoded:
        return decode_image(datum.data, where, color=color)
    shape = (datum.channels, datum.height, datum.width)
    text = "x".join(map(str, shape))
    if min(shape) < 1 or shape[0] * shape[1] * shape[2] > PIXEL_LIMIT:
        raise DataError(f"{where}: the record says shape {text}, which cannot be")
    count = shape[0] * shape[1] * shape[2]
    if datum.data:
        values: np.ndarray = np.frombuffer(datum.data, np.uint8)
    elif len(datum.float_data):
        values = np.array(datum.float_data, np.float32)
    else:
        raise DataError(f"{where}: the record has neither data nor float_data")
    if values.size != count:
        raise DataError(
            f"{where}: the record has {values.size} values, but its shape {text} needs {count}"
        )
    return values.reshape(shape)


def decode_image(data: bytes, where: str, *, color: bool | None = None) -> np.ndarray:
    """An encoded image (PNG, JPEG ...) as uint8 (1 or 3, height, width), colour as BGR.

    Raises:
        DataError: for what is no image, or one that is cut short.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as image:
                return image_array(image, color=color)
    except UnidentifiedImageError:
        raise DataError(f"{where}: the data is no image that can be decoded") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Warning) as error:
        raise DataError(f"{where}: the image is damaged or cut short ({error})") from error


def image_array(image: object, *, color: bool | None = None) -> np.ndarray:
    """A Pillow image as uint8 (1, height, width) or BGR (3, height, width).

    ``color=None`` keeps gray images gray. 16-bit gray is scaled to 8 bits; transparency is
    laid over black, as OpenCV ignores it.
    """
    from PIL import Image

    assert isinstance(image, Image.Image)
    if image.mode.startswith("I;16") or image.mode == "I":
        wide = np.asarray(image).astype(np.uint32)
        image = Image.fromarray((wide >> 8).astype(np.uint8))
    gray = image.mode in ("1", "L", "LA") if color is None else not color
    if gray:
        return np.asarray(image.convert("L"))[None]
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1].transpose(2, 0, 1))


def encode_png(array: np.ndarray) -> bytes:
    """A uint8 (1, height, width) or BGR (3, height, width) array as a PNG file."""
    from PIL import Image

    pixels = array[0] if array.shape[0] == 1 else array[::-1].transpose(1, 2, 0)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG")
    return buffer.getvalue()


def make_datum(array: np.ndarray, *, label: int | None = None, encoded: bool = False) -> Datum:
    """A record of a (channels, height, width) array: uint8 as bytes or PNG, floats as float_data."""
    channels, height, width = array.shape
    datum = Datum(channels=channels, height=height, width=width)
    if label is not None:
        datum.label = label
    if array.dtype != np.uint8:
        datum.float_data.extend(array.ravel().tolist())
    elif encoded:
        datum.data, datum.encoded = encode_png(array), True
    else:
        datum.data = array.tobytes()
    return datum
