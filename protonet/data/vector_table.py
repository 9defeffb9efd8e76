"""Tables of image files and the numbers that belong to each."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.errors import DataError


@dataclass(frozen=True)
class VectorTable:
    """A CSV of image files and numbers: ``rows`` are (line, file, numbers)."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[int, str, tuple[float, ...]], ...]


_MOST_ROWS, _MOST_COLUMNS, _MOST_CELLS = 2**21, 2**14, 2**24
"""What a table may have: all of it is held in memory."""


def _bounded_rows(path: Path, file: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, with their line; refuses what would fill the memory."""
    rows = cells = 0
    for number, row in enumerate(csv.reader(file), 1):
        if not any(row):
            continue
        rows, cells = rows + 1, cells + len(row)
        if len(row) > _MOST_COLUMNS or rows > _MOST_ROWS or cells > _MOST_CELLS:
            raise DataError(
                f"{path}:{number}: the table is too large: at most {_MOST_COLUMNS} columns, "
                f"{_MOST_ROWS} rows and {_MOST_CELLS} cells are read; divide it"
            )
        yield number, row


def read_table(path: Path) -> VectorTable:
    """Read a CSV whose first column names an image, and whose others are the label's numbers.

    A first line whose numbers are none is a header.

    Raises:
        DataError: naming line and column of what is missing or is no number, or where the table
            grows too large.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(_bounded_rows(path, file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}") from error
    columns: tuple[str, ...] = ()
    if lines and not any(_is_number(cell) for cell in lines[0][1][1:]):
        columns = tuple(cell.strip() for cell in lines.pop(0)[1][1:])
    if not lines:
        raise DataError(f"{path}: has no row of an image and its numbers")
    width = len(lines[0][1])
    rows = []
    for number, row in lines:
        if len(row) != width or width < 2:
            raise DataError(
                f"{path}:{number}: expected an image and {max(1, width - 1)} number(s), got "
                f"{len(row)} column(s)"
            )
        for place, cell in enumerate(row[1:], 2):
            if not _is_number(cell):
                raise DataError(f"{path}:{number}: column {place}: '{cell}' is not a finite number")
        rows.append((number, row[0].strip(), tuple(float(cell) for cell in row[1:])))
    return VectorTable(path, columns, tuple(rows))


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False
