"""Pasted networks: mistakes with and without data, what they are, and what they may not do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from protonet.data.shapes import create_shapes
from protonet.errors import NetworkError
from protonet.jobs.checks.network_report import report_json
from protonet.web.datasets import Databases
from protonet.web.networks import CheckOptions, draw, inspect_network, read_bounded
from protonet.web.workspace import Limits, Workspace
from tests.jobs.nets import DETECTOR
from tests.web.browser import ROOT
from tests.web.conftest import NET


def test_mistakes_without_data(workspace: Workspace) -> None:
    text = NET.replace('"Power"', '"Powr"').replace('"output" bottom', '"out" bottom')
    report = inspect_network(text, workspace)
    told = [(mistake.line, mistake.message) for mistake in report.mistakes]
    assert [line for line, _ in told] == [1, 3]
    assert "Powr" in told[0][1]
    assert "'out'" in told[1][1]
    assert inspect_network(NET, workspace).mistakes == ()
    assert [row.name for row in inspect_network(NET, workspace).rows] == ["scale", "hidden", "loss"]


def test_fields_and_types_are_told_at_once(workspace: Workspace, gradients: Path) -> None:
    """Whether or not a data set is chosen, with the place of each."""
    text = NET.replace('"Power"', '"Powr"').replace("num_output", "num_outputs")
    lines = text.split("\n")
    for data in (None, Databases.of_folder(gradients)):
        found = inspect_network(text, workspace, data).mistakes
        assert [lines[each.line - 1][each.column - 1 :].split()[0] for each in found] == [
            '"Powr"',
            "num_outputs:",
        ]
        assert [each.excerpt for each in found] == [lines[each.line - 1] for each in found]


def test_what_a_network_is(workspace: Workspace, gradients: Path) -> None:
    data, five = Databases.of_folder(gradients), CheckOptions(batch_size=5)
    report = inspect_network(NET, workspace, data, five)
    assert report.mistakes == ()
    shapes = {name: shape for row in report.rows for name, shape in row.tops}
    assert shapes["scale"] == (5, 1, 10, 12)
    assert report.parameters == 2 * 120 + 2
    assert {row.name for row in report.rows} - report.deployed == {"label", "loss"}
    assert 0 < report.inference_bytes < report.training_bytes
    assert (report.images, report.batch_size) == (40, 5)


def test_a_detector_with_its_data(workspace: Workspace, tmp_path: Path, gradients: Path) -> None:
    create_shapes(tmp_path / "shapes", 32, 24, 12, 5, seed=3)
    data = Databases.of_folder(tmp_path / "shapes")
    source = 'layer { name: "data" type: "AnnotatedData" top: "data" top: "label"\n' + (
        'data_param { source: "/not/there" batch_size: 3 } }\n'
    )
    report = inspect_network(source + DETECTOR, workspace, data)
    assert report.mistakes == ()
    assert (report.images, report.batch_size) == (12, 3)
    assert {row.name for row in report.rows} - report.deployed == {"loss"}
    wrong = DETECTOR.replace("{ num_classes: 4 }", "{ num_classes: 5 }")
    (mistake,) = inspect_network(wrong, workspace, data).mistakes
    assert "num_classes is 5, but" in mistake.message
    (mistake,) = inspect_network(DETECTOR, workspace, Databases.of_folder(gradients)).mistakes
    assert "reads boxes" in mistake.message


def test_fields_without_effect(workspace: Workspace, gradients: Path) -> None:
    text = "reduce_buckets: 3\n" + NET
    for databases in (None, Databases.of_folder(gradients)):
        report = inspect_network(text, workspace, databases)
        assert (report.mistakes, report.ignored) == ((), ("reduce_buckets",))
        assert report_json(report)["ignored"] == ["reduce_buckets"]


def test_mistakes_with_data(workspace: Workspace, gradients: Path) -> None:
    wrong = NET.replace("num_output: 2", "num_output: 3")
    (mistake,) = inspect_network(wrong, workspace, Databases.of_folder(gradients)).mistakes
    assert mistake.line == 3
    assert "5" not in str(mistake.column)
    absent = Databases(gradients / "nowhere")
    assert "nowhere" in inspect_network(NET, workspace, absent).mistakes[0].message


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        ('type: "ImageData" top: "i" image_data_param { source: "jobs/x/uploaded/labels.csv" }',
         "is a list of other files"),
        ('type: "VideoData" top: "i" video_data_param { source: "jobs/x/uploaded/labels.csv" }',
         "is a list of other files"),
        ('type: "Mean" bottom: "data" mean_param { file: "/etc/passwd" }', "outside"),
        ('type: "Python" bottom: "data" python_param { module: "os" layer: "X" }', "Python"),
        ('type: "ImageData" top: "i" image_data_param { source: "/etc/passwd" }', "outside"),
        ('type: "HDF5Data" top: "i" hdf5_data_param { source: "../../list.txt" }', "outside"),
        ('type: "HDF5Output" bottom: "data" hdf5_output_param { file_name: "x" }', "writes files"),
        ('type: "Data" top: "i" transform_param { mean_file: "/etc/passwd" }', "outside"),
        ('type: "InfogainLoss" bottom: "data" bottom: "label" '
         'infogain_loss_param { source: "/etc/shadow" }', "outside"),
    ],
)  # fmt: skip
def test_what_strangers_may_not(
    workspace: Workspace, gradients: Path, layer: str, told: str
) -> None:
    text = NET + f'layer {{ name: "bad" {layer} }}\n'
    for databases in (None, Databases.of_folder(gradients)):
        mistakes = inspect_network(text, workspace, databases).mistakes
        assert any(told in str(mistake) for mistake in mistakes), mistakes


def test_bombs(workspace: Workspace, gradients: Path, tmp_path: Path) -> None:
    """Too long, too deep, too large: a sentence, not a crash."""
    small = Workspace.open(tmp_path / "small", limits=Limits(text=100, memory=1 << 20))
    with pytest.raises(NetworkError, match="more than the 100 that this server accepts"):
        read_bounded(NET, small)
    deep = "layer {" * 5000
    assert inspect_network(deep, workspace).mistakes
    large = NET.replace("num_output: 2", "num_output: 2000000000")
    databases = Databases.of_folder(gradients)
    (mistake, *_) = inspect_network(large, workspace, databases).mistakes
    assert "16x2000000000 would have 32,000,000,000 elements" in str(mistake)
    wide = NET.replace(
        'layer { name: "hidden"',
        'layer { name: "w" type: "InnerProduct" bottom: "scale" top: "w" '
        'inner_product_param { num_output: 10000000 } } layer { name: "hidden"',
    )
    (mistake, *_) = inspect_network(wide, workspace, databases).mistakes
    assert 'layer "w" (InnerProduct) needs 610.4 MiB for its tops and 9.0 GiB' in str(mistake)
    assert "more than the 4.0 GiB that may be taken" in str(mistake)


def test_drawings(workspace: Workspace) -> None:
    svg = draw(NET, workspace)
    assert svg.startswith(b"<?xml")
    assert b"stroke-dasharray" in svg
    with pytest.raises(NetworkError):
        draw("layer {", workspace)


def test_detectnet_has_the_boxes_as_labels(workspace: Workspace, tmp_path: Path) -> None:
    folder, text = tmp_path / "shapes", (ROOT / "examples/prototxt/detectnet/net.prototxt")
    create_shapes(folder, 64, 64, 6, 2, 1, detectnet=True)
    data = Databases.of_folder(folder)
    report = inspect_network(text.read_text(), workspace, data, CheckOptions(batch_size=2))
    assert (report.mistakes, report.boxes) == ((), True)
    ssd = (ROOT / "examples/prototxt/shapes/net.prototxt").read_text()
    report = inspect_network(ssd, workspace, data, CheckOptions(batch_size=2))
    assert (report.mistakes, report.boxes) == ((), False)
    shutil.rmtree(folder / "val_boxes")
    assert data.with_boxes() is None
