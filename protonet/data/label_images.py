"""Label pictures: image files whose pixels tell classes, by numbers or by colours."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from protonet.data.class_table import ClassTable, Colour
from protonet.data.datum import open_image
from protonet.data.orientation import orientation_of, upright
from protonet.errors import DataError, UsageError

if TYPE_CHECKING:
    from PIL import Image

CODINGS = ("numbers", "colors")
"""What the pixels of label pictures are: numbers of classes, or colours of a table."""

_NUMBERS = ("1", "L", "LA", "P")
"""Pillow's modes of pictures whose pixels are numbers of 0 to 255."""
_LOSSY = frozenset({".jpg", ".jpeg", ".webp"})


@dataclass(frozen=True)
class RawLabels:
    """A label picture as it is stored.

    Attributes:
        values: (height, width); numbers, or colours as red * 65536 + green * 256 + blue.
        colours: whether they are colours.
        palette: the colours of numbers, where the picture has a palette.
    """

    values: np.ndarray
    colours: bool
    palette: tuple[Colour, ...] = ()


def read_raw(data: bytes, where: str, coding: str | None = None) -> RawLabels:
    """The pixels of a label picture. Those of gray pictures and of such with a palette are
    numbers, those of other pictures colours, unless ``coding`` (one of CODINGS) says so.

    Raises:
        DataError: for what is no image or damaged, and for numbers wanted of a picture of colours.
    """
    with open_image(data, where) as image:
        numbered = image.mode in _NUMBERS or image.mode.startswith("I")
        if coding == "numbers" and not numbered:
            raise DataError(
                f"{where}: is a picture of colors ({image.mode}), not of numbers; --coding colors "
                "finds its classes by a class table"
            )
        if coding == "colors" or not numbered:
            return RawLabels(_upright(_colours(image), data), colours=True)
        return RawLabels(_upright(_numbers(image), data), colours=False, palette=_palette(image))


def _upright(values: np.ndarray, data: bytes) -> np.ndarray:
    """As images are stored: the picture of a rotated photograph may be rotated itself."""
    return np.asarray(upright(values[None], orientation_of(data))[0])


def _numbers(image: Image.Image) -> np.ndarray:
    if image.mode == "LA":
        image = image.getchannel(0)
    return np.asarray(image).astype(np.int64)


def _colours(image: Image.Image) -> np.ndarray:
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # Pillow warns about such palettes otherwise
    if image.mode.startswith("I"):
        numbers = _numbers(image)
        return np.asarray(numbers * 65536 + numbers * 256 + numbers)
    pixels = np.asarray(image.convert("RGB")).astype(np.int64)
    return np.asarray(pixels @ np.array([65536, 256, 1]))


def _palette(image: Image.Image) -> tuple[Colour, ...]:
    if image.mode != "P":
        return ()
    values = image.getpalette("RGB") or []
    rows = zip(values[::3], values[1::3], values[2::3], strict=True)
    return tuple((red, green, blue) for red, green, blue in rows)


@dataclass(frozen=True)
class LabelReader:
    """Classes of pixels from label pictures.

    Args:
        table: the classes.
        coding: one of CODINGS, or None to tell by each picture.
        pixels: is told the pixels of each class, and of ignored ones.

    Raises:
        UsageError: for colours wanted of a table where two classes have the same.
    """

    table: ClassTable
    coding: str | None = None
    pixels: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if self.coding == "colors":
            self._codes()

    def classes(self, raw: RawLabels, where: str) -> np.ndarray:
        """The classes of a picture, uint8 (height, width).

        Raises:
            DataError: naming the commonest number or colour that is of no class, its first place,
                and how many pixels have it.
            UsageError: for a picture of colours, where two classes have the same.
        """
        if raw.colours:
            codes = self._codes()
        else:
            codes = {number: number for number, _, _ in self.table.rows()}
        values, places, counts = np.unique(raw.values, return_inverse=True, return_counts=True)
        unknown = [place for place, value in enumerate(values.tolist()) if value not in codes]
        if unknown:
            worst = max(unknown, key=lambda place: int(counts[place]))
            told = self._told(raw, int(values[worst]), int(counts[worst]), len(unknown) - 1)
            raise DataError(f"{where}: {told}{self._advice(raw, int(values[worst]), where)}")
        known = np.array([codes[value] for value in values.tolist()], np.uint8)
        for number, count in zip(known.tolist(), counts.tolist(), strict=True):
            self.pixels[number] += count
        return np.asarray(known[places].reshape(raw.values.shape))

    def _codes(self) -> dict[int, int]:
        """The numbers of classes by colours."""
        codes: dict[int, int] = {}
        names: dict[int, str] = {}
        for number, name, (red, green, blue) in self.table.rows():
            code = red * 65536 + green * 256 + blue
            if code in codes:
                raise UsageError(
                    f"the classes '{names[code]}' and '{name}' have the same color {red} {green} "
                    f"{blue}, so label pictures of colors cannot tell them apart"
                )
            codes[code], names[code] = number, name
        return codes

    def _told(self, raw: RawLabels, value: int, count: int, others: int) -> str:
        row, column = (int(places[0]) for places in np.nonzero(raw.values == value))
        shown = colour_text(value) if raw.colours else str(value)
        what = "color" if raw.colours else "number"
        more = f", as are {others} other {what}s" if others else ""
        return (
            f"the {what} {shown} of {count} pixel(s), the first in column {column}, row {row}, is "
            f"of no class{more}"
        )

    def _advice(self, raw: RawLabels, value: int, where: str) -> str:
        most = len(self.table.names) - 1
        ignored = self.table.ignore
        if Path(where).suffix.lower() in _LOSSY:
            return "; JPEG and WebP change values: label pictures must be lossless, as PNG is"
        if raw.colours:
            return "; see the colors of the class table"
        if value < 256 and ignored is None and value > most:
            return f"; the classes are 0 to {most}; --ignore {value} leaves such pixels out"
        also = "" if ignored is None else f", and {ignored} is ignored"
        return f"; the classes are 0 to {most}{also}"


def colour_text(code: int) -> str:
    """A colour for people: ``255 128 0``."""
    return f"{code >> 16} {code >> 8 & 255} {code & 255}"
