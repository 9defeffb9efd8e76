"""Networks that read boxes get their data layers and their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.annotate import write_label_map
from protonet.data.database import Database
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError
from protonet.jobs.definitions.boxes import (
    BoxFiles,
    annotated_layer,
    class_names,
    output_notes,
    put_files,
    reads_boxes,
)
from protonet.jobs.definitions.network import Databases, make_train_val
from protonet.proto.caffe_pb2 import AnnotatedDatum, LabelMap, LayerParameter, ResizeParameter
from tests.jobs.nets import DETECTOR, SEED, net_of

INPUT = """
layer { name: "data" type: "Input" top: "data" input_param { shape {
  dim: 1 dim: %d dim: 48 dim: 64 } } }
"""
OWN = """
layer { name: "own" type: "AnnotatedData" top: "data" top: "boxes" include { phase: TRAIN }
  data_param { source: "/theirs" batch_size: 3 }
  transform_param { mirror: true mean_value: 9 distort_param { hue_prob: 0.5 hue_delta: 18 }
    expand_param { prob: 0.5 max_expand_ratio: 4 } emit_constraint { emit_type: CENTER }
    resize_param { height: 8 width: 9 interp_mode: AREA interp_mode: CUBIC } }
  annotated_data_param { batch_sampler { max_sample: 1 } label_map_file: "/their/map" } }
"""


def made(text: str, **options: object) -> list[LayerParameter]:
    """The data layers of training and validation."""
    definition = make_train_val(
        net_of(text), Databases("/t"), Databases("/v"), **options
    )  # fmt: skip
    return [layer for layer in definition.net.layer if layer.type.endswith("Data")]


def test_which_networks_read_boxes() -> None:
    assert reads_boxes(net_of(DETECTOR).net)
    assert reads_boxes(net_of(OWN).net)
    assert not reads_boxes(net_of(SEED).net)


def test_a_detector_without_data_layers_gets_them() -> None:
    train, val = made(DETECTOR)
    for layer, source, phase in ((train, "/t", 0), (val, "/v", 1)):
        assert (layer.type, list(layer.top)) == ("AnnotatedData", ["data", "label"])
        assert (layer.data_param.source, layer.data_param.batch_size) == (source, 16)
        assert layer.include[0].phase == phase
        assert layer.annotated_data_param.anno_type == AnnotatedDatum.BBOX
        assert not layer.transform_param.HasField("resize_param")


@pytest.mark.parametrize(("channels", "force"), [(3, "force_color"), (1, "force_gray"), (2, "")])
def test_images_get_the_size_of_the_input(channels: int, force: str) -> None:
    layer = annotated_layer(net_of(INPUT % channels + DETECTOR).net)
    transform = layer.transform_param
    assert (transform.resize_param.height, transform.resize_param.width) == (48, 64)
    assert list(transform.resize_param.interp_mode) == [ResizeParameter.LINEAR]
    given = {field.name for field, _ in transform.ListFields()} - {"resize_param"}
    assert given == ({force} if force else set())
    assert all(each.type != "Input" for each in made(INPUT % channels + DETECTOR))


def test_validation_augments_nothing() -> None:
    train, val = made(OWN + DETECTOR.replace('"label"', '"boxes"'))
    assert (train.data_param.source, val.data_param.source) == ("/t", "/v")
    assert train.transform_param.mirror
    assert len(train.annotated_data_param.batch_sampler) == 1
    assert list(val.top) == ["data", "boxes"]
    assert val.data_param.batch_size == 3
    names = {field.name for field, _ in val.transform_param.ListFields()}
    assert names == {"mean_value", "resize_param"}
    assert list(val.transform_param.resize_param.interp_mode) == [ResizeParameter.LINEAR]
    assert not val.annotated_data_param.batch_sampler


def test_files_fill_what_is_left_out() -> None:
    files = BoxFiles(Path("/a/map"), Path("/a/sizes"))
    train, _ = made(OWN + DETECTOR.replace('"label"', '"boxes"'), files=files)
    assert train.annotated_data_param.label_map_file == "/their/map"
    train, val = made(DETECTOR, files=files)
    assert train.annotated_data_param.label_map_file == "/a/map"
    assert val.annotated_data_param.label_map_file == "/a/map"
    definition = make_train_val(net_of(DETECTOR), Databases("/t"), Databases("/v"), files=files)
    tested = next(each for each in definition.net.layer if each.name == "eval")
    assert tested.detection_evaluate_param.name_size_file == "/a/sizes"


def test_sizes_are_for_images_that_are_warped() -> None:
    """Boxes of other images cannot be put back into pixels."""
    tested = LayerParameter(name="eval", type="DetectionEvaluate")
    for mode, expected in (("WARP", "/a/sizes"), ("FIT_LARGE_SIZE_AND_PAD", "")):
        data = LayerParameter(name="data", type="AnnotatedData")
        data.transform_param.resize_param.resize_mode = ResizeParameter.Resize_mode.Value(mode)
        tested.ClearField("detection_evaluate_param")
        put_files([data, tested], BoxFiles(None, Path("/a/sizes")))
        assert tested.detection_evaluate_param.name_size_file == expected
    tested.detection_evaluate_param.name_size_file = "/own"
    put_files([tested], BoxFiles(None, Path("/a/sizes")))
    assert tested.detection_evaluate_param.name_size_file == "/own"


def test_files_beside_the_databases(shapes: Path, tmp_path: Path) -> None:
    train, val = shapes / "train_images", shapes / "val_images"
    found = BoxFiles.find(train, val)
    assert found == BoxFiles(shapes / "labelmap.prototxt", shapes / "test_name_size.txt")
    assert found.classes() == ["background", "circle", "square", "triangle"]
    # Those sizes are of other images.
    assert BoxFiles.find(train, train).name_sizes is None
    assert BoxFiles.find(train, None).name_sizes is None
    with DatabaseWriter(tmp_path / "db") as writer, Database(val) as database:
        for key in database.keys():  # noqa: SIM118 - a Database is not a dict
            writer.put(key, database.annotated(key))
    assert BoxFiles.find(tmp_path / "db", None) == BoxFiles()
    assert BoxFiles().classes() is None
    given = BoxFiles.find(tmp_path / "db", val, found.label_map, found.name_sizes)
    assert given == found


def test_sizes_of_other_images_are_refused(shapes: Path, tmp_path: Path) -> None:
    sizes = tmp_path / "sizes.txt"
    sizes.write_text("a 1 2\n\nb 3 4\n")
    with pytest.raises(DataError, match=r"sizes.txt: has 2 lines, but .* has 5 images"):
        BoxFiles.find(shapes / "train_images", shapes / "val_images", None, sizes)
    with pytest.raises(DataError, match="cannot be read"):
        BoxFiles.find(shapes / "train_images", shapes / "val_images", None, tmp_path / "absent")
    sizes.write_text("a 1\n")
    with pytest.raises(DataError, match=r"sizes.txt:1: expected a name, height and width"):
        BoxFiles.find(shapes / "train_images", shapes / "val_images", None, sizes)


def test_a_network_without_output_of_boxes() -> None:
    assert output_notes(net_of(DETECTOR).net) == []
    assert output_notes(net_of(SEED).net) == []
    lone = "layer {".join(each for each in DETECTOR.split("layer {") if "TEST" not in each)
    (note,) = output_notes(net_of(lone).net)
    assert note.startswith("the network has no DetectionOutput: its predictions are offsets")


def test_names_by_number(tmp_path: Path) -> None:
    label_map = LabelMap()
    label_map.item.add(name="n3", label=3, display_name="car")
    label_map.item.add(name="n0", label=0)
    assert class_names(label_map) == ["n0", "", "", "car"]
    label_map.item.add(name="bad", label=-1)
    write_label_map(tmp_path, label_map)
    with pytest.raises(DataError, match="class 'bad' has the number -1; expected 0 to"):
        BoxFiles(tmp_path / "labelmap.prototxt").classes()
