"""Images with boxes drawn over them, colored by class."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont, ImageOps

from protonet.errors import DataError
from protonet.jobs.detection.detector import Detection

_SMALLEST = 400
"""Width or height in pixels below which an image is enlarged, so that labels are readable."""
_GOLDEN = 0.618034
_CONTRAST = 4.6


def color_of(label: int) -> str:
    """A color for a class, as #rrggbb: neighbouring classes differ much, and white text on any has
    a contrast of 4.5 to 1 or more (WCAG 2.1, 1.4.3).
    """
    hue = (0.57 + _GOLDEN * (label - 1)) % 1
    lightness = 0.45
    while True:
        levels = colorsys.hls_to_rgb(hue, lightness, 0.75)
        if 1.05 / (_luminance(levels) + 0.05) > _CONTRAST:
            break
        lightness -= 0.01
    return "#" + "".join(f"{round(255 * level):02x}" for level in levels)


def _luminance(levels: Sequence[float]) -> float:
    """The relative luminance of red, green and blue in 0 to 1 (sRGB)."""
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in levels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class Marked(NamedTuple):
    """A box to draw: the number of its class, its text, and left, top, right, bottom in pixels."""

    label: int
    text: str
    box: tuple[float, float, float, float]


def draw_boxes(image: Path, found: Sequence[Detection]) -> bytes:
    """The image of a file with its boxes, class names and scores, as PNG bytes.

    Raises:
        DataError: for a file that is not an image.
    """
    try:
        with Image.open(image) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError) as error:
        raise DataError(f"{image}: cannot be drawn on: {error}") from error
    told = [Marked(each.label, f"{each.name} {each.score:.2f}", each.box) for each in found]
    buffer = BytesIO()
    marked(picture, told).save(buffer, format="PNG")
    return buffer.getvalue()


def marked(picture: Image.Image, boxes: Sequence[Marked]) -> Image.Image:
    """An RGB picture with boxes and their texts, the first on top; enlarged where it is small."""
    scale = max(1, -(-_SMALLEST // max(1, min(picture.size))))
    size = picture.width * scale, picture.height * scale
    picture = picture.resize(size, Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(picture)
    line = max(2, round(min(picture.size) / 250))
    font = ImageFont.load_default(size=max(11, round(min(picture.size) / 32)))
    for each in reversed(boxes):
        left, top, right, bottom = (value * scale for value in each.box)
        color = color_of(each.label)
        draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=color,
                       width=line)  # fmt: skip
        _, _, width, height = draw.textbbox((0, 0), each.text, font=font)
        x = max(0.0, min(left, picture.width - width - 4))
        y = top - height - 3 if top > height + 3 else top
        draw.rectangle((x, y, x + width + 4, y + height + 3), fill=color)
        draw.text((x + 2, y + 1), each.text, fill="white", font=font)
    return picture
