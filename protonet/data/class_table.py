"""Tables of the classes of pixels: numbers, names, colours, and the number of ignored pixels."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.data.set_file import write_file
from protonet.errors import DataError, UsageError

CLASS_TABLE = "class_table.csv"
"""The file of a data set, or of a run, with its class table."""
IGNORE = "ignore"
"""The name in a table's row of pixels that have no class."""

_COLUMNS = ("index", "name", "red", "green", "blue")
_MOST = 256

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""


@dataclass(frozen=True)
class ClassTable:
    """The classes of pixels.

    Attributes:
        names: of the classes, whose numbers are their places, from 0.
        colours: of the classes.
        ignore: the number of pixels without a class; None where all have one.
        ignore_colour: of those pixels.

    Raises:
        UsageError: for no class or more than 256, an ignore value that is one of a class, and a
            class that has no name, or that of ignored pixels.
    """

    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    ignore: int | None = None
    ignore_colour: Colour = (224, 224, 192)

    def __post_init__(self) -> None:
        assert len(self.names) == len(self.colours), "a colour for each class"
        count = len(self.names)
        if not 1 <= count <= _MOST:
            raise UsageError(f"expected 1 to {_MOST} classes, got {count}")
        for number, name in enumerate(self.names):
            if name in ("", IGNORE):
                told = f"is named '{IGNORE}', which marks ignored pixels" if name else "has no name"
                raise UsageError(f"class {number} {told}")
        if self.ignore is not None and not count <= self.ignore < _MOST:
            raise UsageError(
                f"the ignore value must be from {count} to {_MOST - 1}, above the numbers of the "
                f"{count} classes, got {self.ignore}"
            )

    @staticmethod
    def of(names: Sequence[str], ignore: int | None = None) -> ClassTable:
        """Classes of these names in the colours of Pascal VOC.

        Raises:
            UsageError: as the class.
        """
        return ClassTable(tuple(names), voc_colours(len(names)), ignore)

    def rows(self) -> list[tuple[int, str, Colour]]:
        """Number, name and colour of the classes, then of ignored pixels."""
        rows = [
            (number, name, colour)
            for number, (name, colour) in enumerate(zip(self.names, self.colours, strict=True))
        ]
        return rows if self.ignore is None else [*rows, (self.ignore, IGNORE, self.ignore_colour)]

    def palette(self) -> np.ndarray:
        """The colours by number, uint8 (256, 3); black for numbers that are no class's."""
        palette = np.zeros((_MOST, 3), np.uint8)
        for number, _, colour in self.rows():
            palette[number] = colour
        return palette

    def text(self) -> str:
        """As in CLASS_TABLE: ``index,name,red,green,blue``, a line each."""
        target = io.StringIO()
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows((number, name, *colour) for number, name, colour in self.rows())
        return target.getvalue()


def voc_colours(count: int) -> tuple[Colour, ...]:
    """The first colours of Pascal VOC: the three lowest bits of a number are the highest bits of
    red, green and blue, the next three the next ones (VOCdevkit, VOClabelcolormap.m).
    """
    colours = []
    for number in range(count):
        channels = [0, 0, 0]
        for digit in range(3):
            for channel in range(3):
                channels[channel] |= (number >> (3 * digit + channel) & 1) << (7 - digit)
        colours.append((channels[0], channels[1], channels[2]))
    return tuple(colours)


def write_class_table(folder: Path, table: ClassTable) -> None:
    """Write it as CLASS_TABLE into a folder.

    Raises:
        DataError: when it cannot be written.
    """
    write_file(folder / CLASS_TABLE, table.text().encode())


def find_class_table(database: Path) -> ClassTable | None:
    """The table in or beside a database; None where there is none.

    Raises:
        DataError: for a file that is no class table.
    """
    for folder in (database, database.resolve().parent):
        if (folder / CLASS_TABLE).is_file():
            return read_class_table(folder / CLASS_TABLE)
    return None


def read_class_table(path: Path) -> ClassTable:
    """A table in the form of ``ClassTable.text``; the order of the lines does not matter.

    Raises:
        DataError: naming the line that is wrong, or the number that no class has.
    """
    rows: dict[int, tuple[int, str, Colour]] = {}
    for line, cells in _lines(path):
        where = f"{path}:{line}"
        number, name, colour = _row(where, cells)
        if number in rows:
            raise DataError(f"{where}: the index {number} is on line {rows[number][0]} already")
        if name == IGNORE and any(other == IGNORE for _, other, _ in rows.values()):
            raise DataError(f"{where}: there is a row '{IGNORE}' already; one value is ignored")
        rows[number] = (line, name, colour)
    ignored = [number for number, (_, name, _) in rows.items() if name == IGNORE]
    ignore = ignored[0] if ignored else None
    ignore_row = () if ignore is None else (rows.pop(ignore)[2],)
    absent = next((number for number in range(len(rows)) if number not in rows), None)
    if not rows or absent is not None:
        raise DataError(
            f"{path}: has {len(rows)} class(es), but none with the index {absent or 0}; the "
            "numbers of classes are 0, 1, 2 and so on, without gaps"
        )
    ordered = [rows[number] for number in range(len(rows))]
    names, colours = tuple(name for _, name, _ in ordered), tuple(each[2] for each in ordered)
    try:
        return ClassTable(names, colours, ignore, *ignore_row)
    except UsageError as error:
        raise DataError(f"{path}: {error}") from None


def _lines(path: Path) -> Iterable[tuple[int, list[str]]]:
    """The lines behind the header that have something in them."""
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not a class table: it is not text ({error})") from None
    reader = csv.reader(io.StringIO(text))
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: {error}") from None
    lines = [(number, cells) for number, cells in lines if any(cells)]
    if not lines or tuple(cell.lower() for cell in lines[0][1]) != _COLUMNS:
        found = ",".join(lines[0][1])[:80] if lines else "nothing"
        number = lines[0][0] if lines else 1
        raise DataError(f"{path}:{number}: expected the header {','.join(_COLUMNS)}, got {found}")
    return lines[1:]


def _row(where: str, cells: Sequence[str]) -> tuple[int, str, Colour]:
    if len(cells) != len(_COLUMNS):
        raise DataError(f"{where}: expected {','.join(_COLUMNS)}, got {len(cells)} value(s)")
    name = " ".join(cells[1].split())
    numbers = [cells[0], *cells[2:]]
    wrong = [
        each for each in numbers if not (re.fullmatch("[0-9]{1,3}", each) and int(each) < _MOST)
    ]
    if wrong:
        raise DataError(f"{where}: expected numbers of 0 to {_MOST - 1}, got '{wrong[0][:40]}'")
    number, red, green, blue = map(int, numbers)
    return number, name, (red, green, blue)
