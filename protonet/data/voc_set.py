"""Detection data sets in the form of Pascal VOC."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from protonet.data.detection_set import (
    AnnotatedFile,
    DetectionSet,
    NamedBox,
    by_stem,
    image_files,
    read_file,
    read_names,
    stem_of,
)
from protonet.errors import DataError, UsageError
from protonet.formats.xml_text import Element, parse_xml

_SIDES = ("xmin", "ymin", "xmax", "ymax")


def is_voc(root: Path) -> bool:
    """Whether a folder has JPEGImages and Annotations."""
    return (root / "JPEGImages").is_dir() and (root / "Annotations").is_dir()


def read_voc(root: Path, lists: Sequence[Path] = ()) -> DetectionSet:
    """``JPEGImages`` and ``Annotations``; only the images of the lists where any are given, or
    else those of ``ImageSets/Main``, train and val, which divide the data set.

    Corners are taken as they are, as by convert_annoset: VOC counts pixels from 1.

    Raises:
        DataError: naming file and line of what has another form, or an image that is missing.
        UsageError: for a folder of another form.
    """
    if not is_voc(root):
        raise UsageError(f"{root}: expected the folders JPEGImages and Annotations")
    images = by_stem(image_files(root / "JPEGImages"))
    own = {part: root / "ImageSets" / "Main" / f"{part}.txt" for part in ("train", "val")}
    if not lists and own["train"].exists():
        return DetectionSet(
            (),
            parts={
                part: [_read_image(root, images, *each) for each in read_names(path)]
                for part, path in own.items()
                if path.exists()
            },
        )
    if lists:
        named = {stem_of(name): where for path in lists for name, where in read_names(path)}
    else:
        sources = sorted((root / "Annotations").glob("*.xml"))
        named = {path.stem: str(path) for path in sources}
    if not named:
        raise UsageError(f"{root / 'Annotations'}: has no .xml file")
    return DetectionSet([_read_image(root, images, *each) for each in named.items()])


def _read_image(root: Path, images: dict[str, Path], name: str, where: str) -> AnnotatedFile:
    """The image of a stem with the boxes of its annotation."""
    source = root / "Annotations" / f"{name}.xml"
    if name not in images:
        raise DataError(f"{where}: there is no image {root / 'JPEGImages' / name}.jpg")
    path = images[name]
    if not source.exists():
        return AnnotatedFile(path, str(path.relative_to(root)), source, (), annotated=False)
    try:
        document = parse_xml(read_file(source))
    except ValueError as error:
        raise DataError(f"{source}:{error}") from None
    if document.name != "annotation":
        raise DataError(
            f"{source}:{document.line}: expected <annotation>, got <{document.name[:60]}>"
        )
    boxes = tuple(_box(each, source) for each in document.all("object"))
    size = _size(document, source)
    return AnnotatedFile(path, str(path.relative_to(root)), source, boxes, size=size)


def _size(document: Element, source: Path) -> tuple[int, int] | None:
    """Height and width that the annotation tells; None where it tells none."""
    size = document.first("size")
    if size is None or size.first("height") is None or size.first("width") is None:
        return None
    height, width = (_number(size, side, source) for side in ("height", "width"))
    if not (height >= 1 and width >= 1):
        raise DataError(f"{source}:{size.line}: the size {width:g}x{height:g} is no image's")
    return int(height), int(width)


def _box(element: Element, source: Path) -> NamedBox:
    name, box = element.first("name"), element.first("bndbox")
    if name is None or not name.text or box is None:
        what = "name" if box is not None else "bndbox"
        raise DataError(f"{source}:{element.line}: the object has no <{what}>")
    xmin, ymin, xmax, ymax = (_number(box, side, source) for side in _SIDES)
    difficult = element.first("difficult")
    hard = difficult is not None and difficult.text == "1"
    return NamedBox(name.text, (xmin, ymin, xmax, ymax), hard, f":{box.line}")


def _number(element: Element, name: str, source: Path) -> float:
    found = element.first(name)
    if found is None:
        raise DataError(f"{source}:{element.line}: <{element.name}> has no <{name}>")
    try:
        return float(found.text)
    except ValueError:
        raise DataError(
            f"{source}:{found.line}: expected a number as <{name}>, got '{found.text[:60]}'"
        ) from None
