"""Detection data sets in a CSV of image files and boxes."""

from __future__ import annotations

import csv
from pathlib import Path

from protonet.data.detection_set import AnnotatedFile, DetectionSet, NamedBox
from protonet.errors import DataError

_FORM = "image,label,xmin,ymin,xmax,ymax[,difficult]"
_COLUMNS = (6, 7)


def read_box_table(path: Path, images: Path | None = None) -> DetectionSet:
    """A line for each box: ``image,label,xmin,ymin,xmax,ymax[,difficult]``; the first line may be
    a header. A line with an image alone is an image without objects.

    Images are looked up in ``images``, by default next to the table.

    Raises:
        DataError: naming the line of what has another form.
    """
    boxes: dict[str, list[NamedBox]] = {}
    lines: dict[str, int] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            for row in reader:
                cells = [cell.strip() for cell in row]
                number = reader.line_num
                if not any(cells) or (not lines and _is_header(cells)):
                    continue
                found = _read_row(cells, f"{path}:{number}", number)
                lines.setdefault(cells[0], number)
                boxes.setdefault(cells[0], []).extend(found)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}") from error
    if not any(boxes.values()):
        raise DataError(f"{path}: has no line of {_FORM}")
    folder = path.parent if images is None else images
    return DetectionSet(
        [
            AnnotatedFile(folder / name, name, path, tuple(own), f":{lines[name]}")
            for name, own in boxes.items()
        ]
    )


def _is_header(cells: list[str]) -> bool:
    """Whether no cell is a number where boxes have only numbers."""
    return len(cells) in _COLUMNS and not any(_is_number(cell) for cell in cells[2:6])


def _read_row(cells: list[str], where: str, number: int) -> list[NamedBox]:
    """The box of a row; none of a row with an image alone."""
    if cells[0] and not any(cells[1:]):
        return []
    if len(cells) not in _COLUMNS or not cells[0] or not cells[1]:
        raise DataError(f"{where}: expected {_FORM}, got '{','.join(cells)[:80]}'")
    for name, cell in zip(("xmin", "ymin", "xmax", "ymax"), cells[2:6], strict=True):
        if not _is_number(cell):
            raise DataError(f"{where}: expected a number as {name}, got '{cell[:60]}'")
    difficult = cells[6] if len(cells) > 6 else ""
    if difficult not in ("", "0", "1"):
        raise DataError(f"{where}: expected 0 or 1 as difficult, got '{difficult[:60]}'")
    xmin, ymin, xmax, ymax = map(float, cells[2:6])
    return [NamedBox(cells[1], (xmin, ymin, xmax, ymax), difficult == "1", f":{number}")]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
