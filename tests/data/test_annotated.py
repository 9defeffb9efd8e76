"""Images with boxes: what is read of a record, and how a transform moves both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from protonet.data.annotated import AnnotatedTransform, read_annotated
from protonet.data.database import Database
from protonet.data.datum import make_datum
from protonet.data.transform import Transformer
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import TEST, AnnotatedDatum, TransformationParameter

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 4, 8), np.uint8)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    record = AnnotatedDatum(datum=make_datum(IMAGE, label=7, encoded=True))
    group = record.annotation_group.add(group_label=3)
    box = group.annotation.add(instance_id=5).bbox
    box.xmin, box.ymin, box.xmax, box.ymax, box.difficult = 0.25, 0, 0.5, 0.5, True
    with DatabaseWriter(tmp_path / "db") as writer:
        writer.put(b"a", record)
        writer.put(b"plain", make_datum(IMAGE))
    return tmp_path / "db"


def test_a_record(database: Path) -> None:
    with Database(database) as opened:
        found = read_annotated(opened, b"a")
        np.testing.assert_array_equal(found.image, IMAGE)
        assert found.label == 7
        assert found.objects.boxes.tolist() == [[0.25, 0, 0.5, 0.5]]
        assert found.objects.marks.tolist() == [[3, 5, 1]]
        assert not found.has_boxes
        assert read_annotated(opened, b"a", boxes=True).has_boxes
        assert read_annotated(opened, b"a", color=False).image.shape == (1, 4, 8)
        with pytest.raises(DataError, match="key 'plain': is not an AnnotatedDatum"):
            read_annotated(opened, b"plain")


def test_a_database_gives_the_image_of_a_record_with_boxes(database: Path) -> None:
    with Database(database) as opened:
        assert opened.has_boxes
        image, label = opened.image(b"a")
        np.testing.assert_array_equal(image, IMAGE)
        assert label == 7
        assert opened.get(b"a").label == 7
        assert opened.first()[1].encoded


def test_bands_move_boxes(database: Path) -> None:
    param = text_format.Parse(
        "resize_param { resize_mode: FIT_LARGE_SIZE_AND_PAD height: 8 width: 8 pad_value: 9 }",
        TransformationParameter(),
    )
    transform = AnnotatedTransform(Transformer(param, TEST, (3, 4, 8)), param)
    out = np.empty((3, 8, 8), np.float32)
    with Database(database) as opened:
        objects = transform.apply(read_annotated(opened, b"a"), out, transform.draws(0, 1)[0])
    np.testing.assert_array_equal(out[:, 2:6], IMAGE)
    assert (out[:, :2] == 9).all()
    np.testing.assert_allclose(objects.boxes, [[0.25, 0.25, 0.5, 0.5]])
