"""Sheets of augmented images: each image as it is, and beside it as several epochs would see it."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image

from protonet.data.augmented_images import AugmentedImage, Variant
from protonet.data.datum import as_bytes, encode_image
from protonet.jobs.detection.detector import class_name
from protonet.jobs.detection.pictures import Marked, marked

_GAP = 8
"""Pixels between images."""


def sheet(image: AugmentedImage, names: Sequence[str] | None = None, side: int = 400) -> bytes:
    """A PNG file with the image on the left and its variants beside it.

    Args:
        image: with its boxes, if it has any.
        names: of the classes of boxes; without them their numbers are told.
        side: pixels of the longer side of an image.
    """
    tiles = [_tile(each, names, side) for each in (image.original, *image.variants)]
    width = sum(tile.width + _GAP for tile in tiles) - _GAP
    whole = Image.new("RGB", (width, max(tile.height for tile in tiles)), "white")
    left = 0
    for tile in tiles:
        whole.paste(tile, (left, 0))
        left += tile.width + _GAP
    buffer = BytesIO()
    whole.save(buffer, format="PNG")
    return buffer.getvalue()


def _tile(variant: Variant, names: Sequence[str] | None, side: int) -> Image.Image:
    """An image with its boxes, whose longer side is ``side`` pixels."""
    picture: Image.Image
    with Image.open(BytesIO(encode_image(np.ascontiguousarray(as_bytes(variant.image))))) as opened:
        picture = opened.convert("RGB")
    extent = np.tile([picture.width, picture.height], 2)
    boxes = [
        Marked(label, class_name(names, label), (left, top, right, bottom))
        for (left, top, right, bottom), label in zip(
            (variant.objects.boxes * extent).tolist(),
            variant.objects.marks[:, 0].astype(int).tolist(),
            strict=True,
        )
    ]
    picture = marked(picture, boxes)
    scale = side / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST)
