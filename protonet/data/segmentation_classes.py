"""The classes of a data set for segmentation: from files that the user names, or from the label
pictures.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from protonet.data.class_table import ClassTable, Colour, read_class_table, voc_colours
from protonet.data.file_list import numbered_lines
from protonet.data.label_images import RawLabels, colour_text
from protonet.data.segmentation_set import VOC_CLASSES
from protonet.errors import DataError, UsageError

VOC_IGNORE = 255
"""What Pascal VOC ignores: the borders of objects, and difficult ones."""

_SHOWN = 8
"""Colours that a message names."""


@dataclass(frozen=True)
class GivenClasses:
    """What the user says about the classes.

    Attributes:
        classes: a class table, or a text with the name of a class in each line.
        colours: a text with red, green and blue of a class in each line, as DIGITS reads it.
        ignore: the number of pixels without a class; "none"; "auto" for that of the table, or
            255 for the form of Pascal VOC.

    Raises:
        UsageError: for another ``ignore``.
    """

    classes: Path | None = None
    colours: Path | None = None
    ignore: str = "auto"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"auto|none|[0-9]{1,3}", self.ignore) or (
            self.ignore.isdecimal() and int(self.ignore) > 255
        ):
            raise UsageError(f"--ignore {self.ignore}: expected a number of 0 to 255, or none")

    def table(self, *, voc: bool) -> ClassTable | None:
        """The classes, where they do not depend on the label pictures.

        Raises:
            DataError: for a file that cannot be used.
            UsageError: for an ignore value that is a class's number.
        """
        if self.classes is None and self.colours is None:
            return self._ignoring(ClassTable.of(VOC_CLASSES, VOC_IGNORE)) if voc else None
        if self.classes is not None and _is_table(self.classes):
            if self.colours is not None:
                raise UsageError(f"{self.classes}: has colors itself, so omit --colors")
            return self._ignoring(read_class_table(self.classes))
        colours = None if self.colours is None else _read_colours(self.colours)
        if self.classes is None:
            names = [f"class {number}" for number in range(len(colours or ()))]
        else:
            names = [name for _, name in numbered_lines(self.classes, "class")]
        if colours is None:
            colours = voc_colours(len(names))
        if len(colours) < len(names):
            raise DataError(
                f"{self.colours}: has {len(colours)} color(s) for the {len(names)} classes of "
                f"{self.classes}"
            )
        table = ClassTable(tuple(names), tuple(colours[: len(names)]))
        return self._ignoring(table, voc=voc)

    @property
    def named_only(self) -> bool:
        """Whether the classes have names, but no colours of the user's."""
        given = self.classes is not None and not _is_table(self.classes)
        return given and self.colours is None

    def of_values(self, values: Collection[int], first: RawLabels) -> ClassTable:
        """As many classes as the numbers of label pictures tell, in the colours of the palette of
        the first.

        Raises:
            UsageError: for numbers with gaps, which need a table.
        """
        ignore = None if self.ignore in ("auto", "none") else int(self.ignore)
        numbers = sorted(set(values) - {ignore})
        if not numbers or numbers[-1] > 255 or 2 * len(numbers) < numbers[-1] + 1:
            shown = ", ".join(map(str, numbers[:_SHOWN])) + (", ..." * (len(numbers) > _SHOWN))
            raise UsageError(
                f"the label pictures have the numbers {shown or 'of ignored pixels alone'}: too "
                "few to be those of classes; give a class table with --classes (and --coding "
                "colors, if they are shades of gray), or the number to ignore with --ignore"
            )
        names = tuple(f"class {number}" for number in range(numbers[-1] + 1))
        return in_palette(ClassTable.of(names, ignore), first)

    def _ignoring(self, table: ClassTable, *, voc: bool = False) -> ClassTable:
        """The table with the user's ignore value; else, for ``voc``, with VOC's."""
        if self.ignore == "none":
            return replace(table, ignore=None)
        if self.ignore != "auto":
            return replace(table, ignore=int(self.ignore))
        if voc and table.ignore is None and len(table.names) <= VOC_IGNORE:
            return replace(table, ignore=VOC_IGNORE)
        return table


def in_palette(table: ClassTable, first: RawLabels) -> ClassTable:
    """The table in the colours of a picture's palette, if that has different ones for all."""
    colours = first.palette[: len(table.names)]
    if len(set(colours)) < len(table.names):
        return table
    return replace(table, colours=colours)


def refuse_colours(first: RawLabels, where: str) -> UsageError:
    """The error for label pictures of colours without a table."""
    codes = sorted({int(value) for value in first.values.ravel()})
    shown = ", ".join(colour_text(code) for code in codes[:_SHOWN])
    more = f" and {len(codes) - _SHOWN} more" if len(codes) > _SHOWN else ""
    return UsageError(
        f"{where}: is a picture of colors ({shown}{more}), so the classes need a table: --classes "
        "FILE with lines of index,name,red,green,blue, or --colors FILE"
    )


def _is_table(path: Path) -> bool:
    """Whether a file of classes is a class table, by its name or its first line."""
    if path.suffix.lower() == ".csv":
        return True
    first = numbered_lines(path, "class")[0][1]
    return first.lower().replace(" ", "").startswith("index,name")


def _read_colours(path: Path) -> Sequence[Colour]:
    colours = []
    for number, line in numbered_lines(path, "color"):
        words = re.split(r"[\s,]+", line)
        if len(words) != 3 or not all(
            re.fullmatch("[0-9]{1,3}", word) and int(word) < 256 for word in words
        ):
            raise DataError(
                f"{path}:{number}: expected red, green and blue of 0 to 255, got '{line[:40]}'"
            )
        red, green, blue = map(int, words)
        colours.append((red, green, blue))
    return colours
