"""Records of images with boxes, and label maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from protonet.data.annotate import (
    annotated_datum,
    make_label_map,
    read_label_map,
    write_label_map,
)
from protonet.data.boxes import Objects
from protonet.data.datum import make_datum
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import AnnotatedDatum

IMAGE = np.zeros((3, 2, 5), np.uint8)


def test_a_record_is_grouped_by_class_and_numbered_within() -> None:
    boxes = np.array([[0, 0, 0.5, 0.5], [0.25, 0, 1, 1], [0.5, 0.5, 1, 0.75]], np.float32)
    marks = np.array([[2, 9, 0], [1, 9, 1], [2, 9, 1]], np.float32)
    record = annotated_datum(make_datum(IMAGE), Objects(boxes, marks))
    expected = text_format.Parse(
        """
        type: BBOX
        datum { channels: 3 height: 2 width: 5 label: -1 }
        annotation_group { group_label: 2
          annotation { instance_id: 0 bbox { xmin: 0 ymin: 0 xmax: 0.5 ymax: 0.5
            difficult: false } }
          annotation { instance_id: 1 bbox { xmin: 0.5 ymin: 0.5 xmax: 1 ymax: 0.75
            difficult: true } } }
        annotation_group { group_label: 1
          annotation { instance_id: 0 bbox { xmin: 0.25 ymin: 0 xmax: 1 ymax: 1
            difficult: true } } }
        """,
        AnnotatedDatum(),
    )
    expected.datum.data = bytes(30)
    assert record == expected


def test_a_record_without_boxes_has_a_type() -> None:
    record = annotated_datum(make_datum(IMAGE), Objects.none())
    assert record.HasField("type")
    assert len(record.annotation_group) == 0


def test_label_maps_are_written_and_read(tmp_path: Path) -> None:
    classes = make_label_map([("1", "person"), ("3", "café")])
    write_label_map(tmp_path, classes)
    assert read_label_map(tmp_path / "labelmap.prototxt") == classes
    assert [(item.name, item.label, item.display_name) for item in classes.item] == [
        ("none_of_the_above", 0, "background"), ("1", 1, "person"), ("3", 2, "café"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'item { name: "a" }\nitem { nam: "b" }', r'map:2:8 : .*"nam".*expected a label map'),
        (b'item { name: "a" label: 1 }\nitem { name: "a" label: 2 }', "map: names .* 'a' twice"),
        (b"", "map: names no class"),
        (b"\xff", "map: is not a label map: it is not text"),
    ],
)
def test_label_maps_that_are_refused(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "map").write_bytes(text)
    with pytest.raises(DataError, match=message):
        read_label_map(tmp_path / "map")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none: cannot be read: No such file"):
        read_label_map(tmp_path / "none")
