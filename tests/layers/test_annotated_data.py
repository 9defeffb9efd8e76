"""AnnotatedData in a net: what the fork computed, boxes that follow the image, and refusals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data.datum import make_datum
from protonet.data.writer import DatabaseWriter
from protonet.device import Device
from protonet.errors import DataError, NetworkError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.layers.base import LayerContext
from protonet.proto.caffe_pb2 import TEST, TRAIN, AnnotatedDatum
from protonet.proto.text import Source, read_net
from protonet.testing import assert_close

FORKS = Path(__file__).parents[1] / "golden_forks" / "missing"
LAYER = """layer {{ name: "in" type: "AnnotatedData" top: "data" top: "label"
  data_param {{ source: "{}" batch_size: 2 }} {} }}"""
SIZE = (8, 12)


def record(index: int, boxes: list[tuple[float, ...]], **fields: Any) -> AnnotatedDatum:
    """An image of bytes that are all different in the first channel, with boxes of one class."""
    image = np.zeros((3, *SIZE), np.uint8)
    image[0] = np.arange(96).reshape(SIZE)
    image[1] = index
    datum = AnnotatedDatum(datum=make_datum(image, label=index), **fields)
    for instance, (left, top, right, bottom) in enumerate(boxes):
        group = datum.annotation_group.add(group_label=index + 1)
        one = group.annotation.add(instance_id=instance)
        one.bbox.xmin, one.bbox.ymin, one.bbox.xmax, one.bbox.ymax = left, top, right, bottom
        one.bbox.difficult = instance == 1
    return datum


BOXES = [[(0.0, 0.0, 0.25, 0.5), (0.5, 0.5, 1.0, 1.0)], [(0.25, 0.25, 0.75, 0.75)], []]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return write(
        tmp_path / "db", [record(i, b, type=AnnotatedDatum.BBOX) for i, b in enumerate(BOXES)]
    )


def write(path: Path, records: list[Any]) -> Path:
    with DatabaseWriter(path) as writer:
        for index, datum in enumerate(records):
            writer.put(f"{index}".encode(), datum)
    return path


def make(path: Path, text: str = "", phase: int = TEST, **settings: Any) -> Net:
    source = Source("net", LAYER.format(path, text))
    plan = plan_net(read_net(source), phase=phase, context=LayerContext(**settings))
    return Net(plan, Device("cpu"))


def step(net: Net) -> tuple[np.ndarray, np.ndarray]:
    net.forward()
    return net.blobs["data"].data.copy(), net.blobs["label"].data.copy()


@pytest.mark.parametrize(
    "folder",
    sorted([*(FORKS / "AnnotatedData").iterdir(), *(FORKS / "Data").iterdir()]),
    ids=lambda folder: "/".join(folder.parts[-2:]),
)
def test_what_the_fork_computed(folder: Path) -> None:
    text = Source.read(folder / "net.prototxt")
    data = np.load(folder / "data.npz", allow_pickle=False)
    net = Net(plan_net(read_net(text), phase=TEST, context=LayerContext(folder)), Device("cpu"))
    for pass_ in range(int(data["steps"])):
        net.forward()
        for name in ("data", "label"):
            assert_close(net.blobs[name].data, data[f"top/{name}@{pass_}"], name)


def test_rows_of_a_batch(database: Path) -> None:
    net = make(database)
    data, rows = step(net)
    assert data.shape == (2, 3, *SIZE)
    assert data[:, 1, 0, 0].tolist() == [0, 1]
    np.testing.assert_allclose(
        rows,
        [
            [
                [
                    [0, 1, 0, 0, 0, 0.25, 0.5, 0],
                    [0, 1, 1, 0.5, 0.5, 1, 1, 1],
                    [1, 2, 0, 0.25, 0.25, 0.75, 0.75, 0],
                ]
            ]
        ],
    )
    # The third has no box, and the first comes again.
    assert step(net)[1][0, 0, :, 0].tolist() == [1, 1]


def test_no_box_at_all(tmp_path: Path) -> None:
    empty = write(tmp_path / "e", [record(0, [], type=AnnotatedDatum.BBOX)])
    assert step(make(empty))[1].tolist() == [[[[-1] * 8]]]


def test_records_without_a_type_give_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "l", [record(i, BOXES[0]) for i in range(3)])
    assert step(make(path))[1].tolist() == [0, 1]
    rows = step(make(path, "annotated_data_param { anno_type: BBOX }"))[1]
    assert rows.shape == (1, 1, 4, 8)


def test_a_mirror_turns_image_and_boxes(database: Path) -> None:
    net, seen = make(database, "transform_param { mirror: true }", TRAIN), set()
    for _ in range(6):
        data, rows = step(net)
        for image, place in zip(data, range(2), strict=True):
            index, turned = int(image[1, 0, 0]), image[0, 0, 0] == 11
            seen.add((index, turned))
            found = rows[0, 0][rows[0, 0, :, 0] == place][:, 3:7]
            expected = np.array(BOXES[index]).reshape(-1, 4)
            if turned:
                expected = np.stack(
                    [1 - expected[:, 2], expected[:, 1], 1 - expected[:, 0], expected[:, 3]], axis=1
                )
            np.testing.assert_allclose(found, expected, atol=1e-6)
    assert len(seen) > 3


def test_a_centre_crop_cuts_boxes_and_drops_those_outside(database: Path) -> None:
    data, rows = step(make(database, "transform_param { crop_h: 4 crop_w: 6 }"))
    assert data[0, 0, 0, 0] == 2 * 12 + 3
    np.testing.assert_allclose(
        rows[0, 0, :, 1:7],
        [[1, 1, 0.5, 0.5, 1, 1], [2, 0, 0, 0, 1, 1]],
        atol=1e-6,
    )
    emit = "emit_constraint { emit_type: CENTER }"
    # The centre of 0.5 to 1 is 0.75, on the edge of the window.
    rows = step(make(database, f"transform_param {{ crop_h: 4 crop_w: 4 {emit} }}"))[1]
    assert rows[0, 0, :, 1].tolist() == [2]


SAMPLERS = """annotated_data_param {
  batch_sampler { max_sample: 1 max_trials: 1 }
  batch_sampler { sampler { min_scale: 0.3 } sample_constraint { min_object_coverage: 1 }
    max_sample: 1 max_trials: 50 } }
transform_param { resize_param { height: 8 width: 12 interp_mode: NEAREST } }"""


def test_windows_show_the_objects_they_say(database: Path) -> None:
    """Where a box of a sample lies on the picture, there lie the pixels that it had before."""
    net, whole = make(database, SAMPLERS, TRAIN), 0
    for _ in range(20):
        data, rows = step(net)
        for place, image in enumerate(data):
            whole += image[0, 0, 0] == 0 and image[0, -1, -1] == 95
            own = rows[0, 0][rows[0, 0, :, 0] == place]
            if int(image[1, 0, 0]) != 1:
                continue
            assert len(own) == 1
            left, top, right, bottom = own[0, 3:7]
            if right - left > 0.99 or bottom - top > 0.99:
                continue  # clipped
            row = min(int((top + bottom) / 2 * 8), 7)
            column = min(int((left + right) / 2 * 12), 11)
            pixel = image[0, row, column]
            # The middle of the box of this image is at half of both axes, within two pixels.
            assert abs(pixel // 12 - 4) <= 2
            assert abs(pixel % 12 - 6) <= 2
    assert 5 < whole < 35


def test_runs_repeat_and_go_on_where_they_were(database: Path) -> None:
    first = make(database, SAMPLERS, TRAIN, seed=3, threads=2)
    passes = [step(first) for _ in range(6)]
    again = make(database, SAMPLERS, TRAIN, seed=3, threads=1)
    again.layers[0].restore({"position": 4})
    for data, rows in passes[2:]:
        found = step(again)
        np.testing.assert_array_equal(found[0], data)
        np.testing.assert_array_equal(found[1], rows)
    assert first.layers[0].state() == {"position": 12}
    other = make(database, SAMPLERS, TRAIN, seed=4)
    assert any((step(other)[0] != data).any() for data, _ in passes)


def test_shuffled(database: Path) -> None:
    net = make(database, "", TRAIN, shuffle=True, seed=1)
    seen = [int(image[1, 0, 0]) for _ in range(6) for image in step(net)[0]]
    assert [sorted(seen[i : i + 3]) for i in range(0, 12, 3)] == [[0, 1, 2]] * 4
    assert seen[:3] != seen[3:6] or seen[3:6] != seen[6:9]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("transform_param { num_labels: 3 }", "num_labels is not supported by AnnotatedData"),
        ("annotated_data_param { batch_sampler { } }", "a resize_param must follow"),
        (
            "annotated_data_param { batch_sampler { sampler { max_scale: 2 } } }",
            "expected 0 < min_scale <= max_scale <= 1, got 1 and 2",
        ),
        ("transform_param { force_color: true force_gray: true }", "are both set"),
        ("annotated_data_param { yolo_data_type: 1 }", "yolo_data_type, the labels and crops"),
    ],
)
def test_settings_that_cannot_be(database: Path, text: str, message: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(message)):
        make(database, text)


def test_records_that_cannot_be(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain", [make_datum(np.zeros((1, 2, 2), np.uint8))])
    with pytest.raises(
        DataError, match="is not an AnnotatedDatum, a record with boxes; a Data layer"
    ):
        make(plain)
    records = [record(0, BOXES[0], type=AnnotatedDatum.BBOX), record(1, BOXES[0])]
    mixed = make(write(tmp_path / "mixed", records))
    with pytest.raises(DataError, match="key '1': the record has no type, but the first one has"):
        mixed.forward()
    odd = record(1, [], type=AnnotatedDatum.BBOX)
    odd.datum.CopyFrom(make_datum(np.zeros((3, 2, 2), np.uint8)))
    records[1] = odd
    told = r"key '1': expected images of 3x8x12, got 3x2x2; .* an Input layer"
    with pytest.raises(DataError, match=told):
        make(write(tmp_path / "sizes", records)).forward()
