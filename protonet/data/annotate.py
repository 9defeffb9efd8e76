"""Making records of images with boxes, and the label map of their classes.

Facts from the SSD fork (weiliu89/caffe): tools/convert_annoset.cpp, src/caffe/util/io.cpp.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from google.protobuf import text_format

from protonet.data.boxes import Objects
from protonet.data.set_file import write_file
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import AnnotatedDatum, Datum, LabelMap

BACKGROUND = ("none_of_the_above", "background")
"""Name and display name of class 0 in label maps."""
LABEL_MAP = "labelmap.prototxt"
"""The file of a data set with its label map."""
MOST_CLASSES = 1_000_000
"""A label map's numbers are below this."""


def annotated_datum(datum: Datum, objects: Objects) -> AnnotatedDatum:
    """A record as convert_annoset writes it: label -1, a group for each class in the order of
    first appearance, instances of a class numbered from 0.

    Only the classes and the marks of difficult objects are taken of ``objects.marks``.
    """
    record = AnnotatedDatum(datum=datum, type=AnnotatedDatum.BBOX)
    record.datum.label = -1
    groups = {}
    for corners, (label, _, difficult) in zip(
        objects.boxes.tolist(), objects.marks[:, :3].tolist(), strict=True
    ):
        if label not in groups:
            groups[label] = record.annotation_group.add(group_label=int(label))
        annotations = groups[label].annotation
        box = annotations.add(instance_id=len(annotations)).bbox
        box.xmin, box.ymin, box.xmax, box.ymax = corners
        box.difficult = bool(difficult)
    return record


def make_label_map(classes: Iterable[tuple[str, str]]) -> LabelMap:
    """The classes (name, display name) under the numbers from 1, after the background as 0."""
    found = LabelMap()
    for label, (name, display_name) in enumerate([BACKGROUND, *classes]):
        found.item.add(name=name, label=label, display_name=display_name)
    return found


def read_label_map(path: Path) -> LabelMap:
    """A label map, whose names must differ.

    Raises:
        DataError: for a file that cannot be read, is no label map, or names a class twice.
    """
    found = LabelMap()
    try:
        text_format.Parse(path.read_text("utf-8"), found)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not a label map: it is not text ({error})") from None
    except text_format.ParseError as error:
        raise DataError(f"{path}:{error}; expected a label map: item {{ name: label: }}") from None
    names = [item.name for item in found.item]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise DataError(f"{path}: names the class '{name}' twice")
    if not names:
        raise DataError(f"{path}: names no class")
    for item in found.item:
        if not 0 <= item.label < MOST_CLASSES:
            raise DataError(
                f"{path}: the class '{item.name}' has the number {item.label}; expected 0 to "
                f"{MOST_CLASSES - 1:,}"
            )
    return found


def write_label_map(folder: Path, classes: LabelMap) -> None:
    """Write it as LABEL_MAP into a folder.

    Raises:
        DataError: when it cannot be written.
    """
    text = text_format.MessageToString(classes, as_utf8=True)
    write_file(folder / LABEL_MAP, text.encode())
