"""A run of a detector keeps the files of its classes and sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protonet.data.annotate import write_label_map
from protonet.errors import NetworkError, UsageError
from protonet.jobs.checks.box_files import store_box_files, store_label_map
from protonet.jobs.definitions.boxes import BoxFiles
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings
from protonet.proto.caffe_pb2 import LabelMap
from tests.jobs.nets import DETECTOR, SEED, net_of


def settings_on(data: Path, **more: Any) -> RunSettings:
    return RunSettings(data / "train_images", val_data=data / "val_images", **more)


def test_copies_in_the_run(shapes: Path, tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", "x")
    assert store_box_files(run, net_of(DETECTOR), settings_on(shapes)) == BoxFiles(
        run.label_map, run.name_sizes
    )
    assert run.label_map.read_bytes() == (shapes / "labelmap.prototxt").read_bytes()
    assert run.name_sizes.read_bytes() == (shapes / "test_name_size.txt").read_bytes()
    assert run.class_names() == ["background", "circle", "square", "triangle"]


def test_files_that_are_given(shapes: Path, tmp_path: Path) -> None:
    label_map = LabelMap()
    for number, name in enumerate(("none", "disc", "box", "wedge")):
        label_map.item.add(name=name, label=number)
    write_label_map(tmp_path, label_map)
    sizes = tmp_path / "sizes.txt"
    sizes.write_text("".join(f"v{place} 10 20\n" for place in range(5)))
    run = RunDirectory.create(tmp_path / "run", "x")
    given = settings_on(shapes, label_map=tmp_path / "labelmap.prototxt", name_sizes=sizes)
    assert given.absolute().name_sizes == sizes
    store_box_files(run, net_of(DETECTOR), given)
    assert run.class_names() == ["none", "disc", "box", "wedge"]
    assert run.name_sizes.read_text() == sizes.read_text()


def test_a_label_map_of_fewer_classes(shapes: Path, tmp_path: Path) -> None:
    label_map = LabelMap()
    label_map.item.add(name="line\nbreak", label=1)
    write_label_map(tmp_path, label_map)
    run = RunDirectory.create(tmp_path / "run", "x")
    path = tmp_path / "labelmap.prototxt"
    with pytest.raises(NetworkError, match=r"num_classes is 4, but .* has 2 with the background"):
        store_box_files(run, net_of(DETECTOR), settings_on(shapes, label_map=path))
    store_label_map(run, path)
    assert run.labels.read_text() == "\nline break\n"


def test_what_is_not_read(shapes: Path, gradients: Path, tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", "x")
    labels = {"labels": gradients / "train_labels", "val_labels": gradients / "val_labels"}
    assert store_box_files(run, net_of(SEED), settings_on(gradients, **labels)) is None
    with pytest.raises(UsageError, match=r"reads no boxes; omit --label-map"):
        store_box_files(
            run, net_of(SEED), settings_on(gradients, label_map=tmp_path / "x", **labels)
        )
    with pytest.raises(UsageError, match="--name-sizes are of the validation images"):
        store_box_files(
            run, net_of(DETECTOR),
            RunSettings(shapes / "train_images", name_sizes=shapes / "test_name_size.txt"),
        )  # fmt: skip
    with pytest.raises(NetworkError, match=r"reads boxes, but .*val_images has plain images"):
        store_box_files(
            run, net_of(DETECTOR),
            RunSettings(shapes / "train_images", val_data=gradients / "val_images"),
        )  # fmt: skip


def test_names_for_a_network_that_reads_the_images_alone(shapes: Path, tmp_path: Path) -> None:
    """As DetectNet, whose boxes are in a database of labels."""
    text = """
layer { name: "maps" type: "DetectNetTransformation" bottom: "data" bottom: "label"
  top: "image" top: "truth" }
"""
    labels = {"labels": shapes / "val_images", "val_labels": shapes / "val_images"}
    run = RunDirectory.create(tmp_path / "run", "x")
    settings = settings_on(shapes, name_sizes=shapes / "test_name_size.txt", **labels)
    assert store_box_files(run, net_of(text), settings) is None
    assert run.class_names() == ["background", "circle", "square", "triangle"]
    assert not run.name_sizes.exists()
