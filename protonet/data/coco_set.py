"""Detection data sets in the form of COCO: instances in JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from protonet.data.detection_set import AnnotatedFile, DetectionSet, NamedBox, read_file
from protonet.errors import DataError, UsageError
from protonet.formats.json_text import parse_json

_PREFIX = "instances_"


def is_coco(root: Path) -> bool:
    """Whether this is a JSON file, or a folder with annotations/instances_*.json."""
    return root.suffix.lower() == ".json" or any(root.glob(f"annotations/{_PREFIX}*.json"))


def read_coco(root: Path, images: Path | None = None) -> DetectionSet:
    """A file of instances, or a folder with ``annotations/instances_train*.json`` and perhaps
    ``instances_val*.json``, which divide the data set.

    Images are in ``images``; by default in the folder of the name behind ``instances_`` next to
    ``annotations`` (train2017), or in its ``images``. Crowds are difficult objects. Classes are
    named by their ids, as in the SSD fork's label map, and numbered from 1 in the order of ids.

    Raises:
        DataError: naming file and object of what has another form.
        UsageError: for a folder of another form.
    """
    if not root.is_dir():
        folder = _image_folder(root, images)
        files, classes = _read_file(root, folder, folder)
        return DetectionSet(files, classes)
    parts, classes = {}, {}
    for part in ("train", "val"):
        found = sorted((root / "annotations").glob(f"{_PREFIX}{part}*.json"))
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise UsageError(f"{root / 'annotations'}: {names}: give one of them, not the folder")
        for path in found:
            parts[part], known = _read_file(path, _image_folder(path, images), images or root)
            classes.update(known)
    if "train" not in parts:
        raise UsageError(f"{root}: expected annotations/{_PREFIX}train*.json in it")
    return DetectionSet((), dict(sorted(classes.items(), key=lambda each: int(each[0]))), parts)


def _image_folder(path: Path, images: Path | None) -> Path:
    if images is not None:
        return images
    base, name = path.parent.parent, path.stem.removeprefix(_PREFIX)
    candidates = [base / name, base / "images" / name, base / "images", path.parent / "images"]
    return next((each for each in candidates if each.is_dir()), path.parent)


def _read_file(path: Path, folder: Path, base: Path) -> tuple[list[AnnotatedFile], dict[str, str]]:
    """The images, with names relative to ``base``, and the classes of a file."""
    try:
        document = parse_json(read_file(path))
    except ValueError as error:
        raise DataError(f"{path}: is not JSON: {error}") from None
    reader = _Reader(path)
    classes: dict[int, str] = {}
    for where, each in reader.objects(document, "categories"):
        number = reader.whole(each, "id", where)
        if number in classes:
            raise DataError(f"{path}: {where}: the id {number} is there twice")
        classes[number] = reader.text(each, "name", where)
    boxes = reader.boxes(document, classes)
    files = reader.images(document, boxes, folder, base)
    return files, {str(number): classes[number] for number in sorted(classes)}


class _Reader:
    """Reads the objects of a file; messages name them by their list and place."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def objects(self, document: Any, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The objects of a list of the document, and how messages name each."""
        found = document.get(name) if isinstance(document, dict) else None
        if not isinstance(found, list):
            raise DataError(f"{self._path}: expected an object with a list of {name}")
        for place, each in enumerate(found):
            if not isinstance(each, dict):
                raise DataError(f"{self._path}: {name}[{place}]: expected an object")
            yield f"{name}[{place}]", each

    def whole(self, each: Mapping[str, Any], key: str, where: str) -> int:
        """A whole number of an object."""
        found = each.get(key)
        if not isinstance(found, int) or isinstance(found, bool) or found < 0:
            raise self._wrong(where, f"a whole number as {key}", found)
        return found

    def text(self, each: Mapping[str, Any], key: str, where: str) -> str:
        """A text of an object."""
        found = each.get(key)
        if not isinstance(found, str) or not found:
            raise self._wrong(where, f"a text as {key}", found)
        return found

    def boxes(self, document: Any, classes: Mapping[int, str]) -> dict[int, list[NamedBox]]:
        """The boxes by the ids of their images."""
        found: dict[int, list[NamedBox]] = {}
        for where, each in self.objects(document, "annotations"):
            image, kind = (self.whole(each, key, where) for key in ("image_id", "category_id"))
            if kind not in classes:
                raise DataError(f"{self._path}: {where}: category_id {kind} is not in categories")
            corners = self._corners(each.get("bbox"), where)
            crowd = each.get("iscrowd", 0) in (1, True)
            box = NamedBox(str(kind), corners, crowd, f": {where}")
            found.setdefault(image, []).append(box)
        return found

    def _corners(self, box: Any, where: str) -> tuple[float, float, float, float]:
        """Of left, top, width and height, added in float32 as by convert_annoset."""
        if (
            not isinstance(box, list)
            or len(box) != 4
            or any(isinstance(each, bool) or not isinstance(each, int | float) for each in box)
        ):
            raise self._wrong(where, "x, y, width and height as bbox", box)
        with np.errstate(over="ignore", invalid="ignore"):
            left, top, width, height = np.array([float(f"{each}") for each in box], np.float32)
            return float(left), float(top), float(left + width), float(top + height)

    def images(
        self, document: Any, boxes: Mapping[int, list[NamedBox]], folder: Path, base: Path
    ) -> list[AnnotatedFile]:
        """The images of the document with their boxes."""
        found: dict[int, AnnotatedFile] = {}
        for where, each in self.objects(document, "images"):
            number, name = self.whole(each, "id", where), self.text(each, "file_name", where)
            if number in found:
                raise DataError(f"{self._path}: {where}: the id {number} is there twice")
            size = (self.whole(each, "height", where), self.whole(each, "width", where))
            if min(size) < 1:
                raise self._wrong(where, "height and width of 1 or more", size)
            path = folder / name
            shown = str(path.relative_to(base) if path.is_relative_to(base) else name)
            own = tuple(boxes.get(number, ()))
            found[number] = AnnotatedFile(path, shown, self._path, own, f": {where}", size)
        for number in boxes:
            if number not in found:
                raise DataError(
                    f"{self._path}{boxes[number][0].place}: image_id {number} is not in images"
                )
        return list(found.values())

    def _wrong(self, where: str, expected: str, found: Any) -> DataError:
        return DataError(f"{self._path}: {where}: expected {expected}, got {str(found)[:60]}")
