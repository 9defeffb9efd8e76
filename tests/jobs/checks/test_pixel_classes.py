"""Class tables of runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.class_table import ClassTable, read_class_table
from protonet.errors import NetworkError
from protonet.jobs.checks.pixel_classes import with_ignored_pixels
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.training.new_run import write_run
from protonet.proto.text import Source, read_net
from tests.data import segmentation_sets as sets
from tests.jobs.nets import MAPS, net_of


@pytest.fixture
def settings(tmp_path: Path) -> RunSettings:
    sets.converted(tmp_path)
    data = tmp_path / "data"
    return RunSettings(
        data / "train_images",
        labels=data / "train_labels",
        val_data=data / "val_images",
        val_labels=data / "val_labels",
    )


def test_the_run_keeps_the_table_and_ignores_its_pixels(
    tmp_path: Path, settings: RunSettings
) -> None:
    run = RunDirectory.create(tmp_path / "run", "x")
    files, notes = write_run(run, net_of(MAPS), settings)
    table = read_class_table(tmp_path / "data" / "class_table.csv")
    assert run.pixel_classes() == table
    assert table.ignore == 9
    assert run.class_names() == ["ground", "car", "sky"]
    assert notes == [
        'ignore_label: 9 was missing in "loss", "accuracy": set, since class_table.csv of the '
        "labels ignores it"
    ]
    layers = {layer.name: layer for layer in files.train.net.layer}
    assert layers["loss"].loss_param.ignore_label == 9
    assert layers["accuracy"].accuracy_param.ignore_label == 9


def test_what_the_text_ignores_stays(tmp_path: Path) -> None:
    table = ClassTable.of(["a", "b"], 9)
    own = net_of(MAPS.replace("# own", "loss_param { ignore_label: 7 }"))
    changed, notes = with_ignored_pixels(own, table)
    layers = {layer.name: layer for layer in changed.net.layer}
    assert layers["loss"].loss_param.ignore_label == 7
    assert notes[0].startswith('ignore_label: 9 was missing in "accuracy"')
    assert not any(layer.accuracy_param.HasField("ignore_label") for layer in own.net.layer)
    for other in (None, ClassTable.of(["a", "b"])):
        assert with_ignored_pixels(own, other) == (own, [])
    plain = read_net(Source("n", 'layer { name: "x" type: "ReLU" bottom: "data" top: "x" }'))
    assert with_ignored_pixels(plain, table) == (plain, [])


def test_scores_for_all_classes(tmp_path: Path, settings: RunSettings) -> None:
    few = net_of(MAPS.replace("num_output: 3", "num_output: 2"))
    with pytest.raises(
        NetworkError,
        match=r"'score' has 2 score\(s\) for a pixel, but the labels have 3 classes \(ground, car, "
        r'sky\); set num_output: 3 in layer "score"',
    ):
        write_run(RunDirectory.create(tmp_path / "few", "x"), few, settings)
    many = net_of(MAPS.replace("num_output: 3", "num_output: 5"))
    _, notes = write_run(RunDirectory.create(tmp_path / "many", "x"), many, settings)
    assert notes[-1] == "'score' has 5 scores for a pixel; the labels have 3 classes"
