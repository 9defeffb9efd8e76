"""Class tables of runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from protonet.data.class_table import ClassTable, read_class_table
from protonet.device import Device
from protonet.errors import NetworkError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.jobs.checks.pixel_classes import with_ignored_pixels
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.training.new_run import write_run
from protonet.proto.caffe_pb2 import TRAIN
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


def transforms(text: str) -> str:
    """MAPS with data layers of images and of labels, with what they do."""
    layers = ""
    for top, transform in zip(("data", "label"), text.split("|"), strict=True):
        for stage in ("train", "val"):
            own = transform if stage == "train" else ""
            layers += (
                f'layer {{ name: "{top}" type: "Data" top: "{top}" include {{ stage: "{stage}" }} '
                f"transform_param {{ {own} }} data_param {{ batch_size: 2 }} }}\n"
            )
    return layers + MAPS


def test_labels_are_mirrored_and_cropped_with_their_images(
    tmp_path: Path, settings: RunSettings
) -> None:
    """In every batch, each pixel has the class that it had in the files."""
    text = transforms("mirror: true crop_size: 5|crop_size: 5")
    text = text.replace('"val" } transform_param { }', '"val" } transform_param { crop_size: 5 }')
    run = RunDirectory.create(tmp_path / "run", "x")
    settings = replace(settings, mean="none", batch_size=2, shuffle=True, seed=3)
    files, notes = write_run(run, net_of(text), settings)
    assert '"label": mirrored and cropped as the images are' in notes
    context = settings.layer_context(run.path)
    net = Net(plan_net(files.train, phase=TRAIN, stages=["train"], context=context), Device())
    known = {}
    for seed, name in enumerate("abcdefgh"):
        labels = sets.classes_of(seed)
        labels[0, :2] = 9
        for pixel, label in zip(sets.image_of(seed).reshape(3, -1).T, labels.ravel(), strict=True):
            known[(name, *pixel.tolist())] = int(label)
    of_pixel = {key[1:]: label for key, label in known.items()}
    turned = 0
    for _ in range(6):
        net.forward()
        data, label = net.blobs["data"].data, net.blobs["label"].data
        assert (data.shape, label.shape) == ((2, 3, 5, 5), (2, 1, 5, 5))
        for image, classes in zip(data, label, strict=True):
            found = [of_pixel[tuple(map(int, pixel))] for pixel in image.reshape(3, -1).T]
            assert found == classes.ravel().tolist()
            turned += _is_turned(image)
    assert 0 < turned < 12
    net.close()


def _is_turned(image: np.ndarray) -> bool:
    """Whether the rows of an image are found backwards in the files."""
    row = image[:, 0, ::-1].astype(np.uint8)
    for seed in range(8):
        whole = sets.image_of(seed)
        for top in range(2):
            for left in range(4):
                if np.array_equal(whole[:, top, left : left + 5], row):
                    return True
    return False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crop_size: 5|", 'layer "data" has crop_size, but layer "label" of the labels of its pix'),
        ("resize_param { height: 6 width: 8 }|", 'layer "data" has resize_param, which the labels'),
    ],
)
def test_what_labels_cannot_follow(
    tmp_path: Path, settings: RunSettings, text: str, message: str
) -> None:
    with pytest.raises(NetworkError, match=message):
        write_run(RunDirectory.create(tmp_path / "run", "x"), net_of(transforms(text)), settings)


def test_mirror_of_the_settings(tmp_path: Path, settings: RunSettings) -> None:
    given = replace(settings, mirror=True)
    files, _ = write_run(RunDirectory.create(tmp_path / "run", "x"), net_of(MAPS), given)
    layers = [layer for layer in files.train.net.layer if layer.top[0] == "label"]
    assert [(each.transform_param.mirror, each.transform_param.draws_of) for each in layers] == [
        (True, "data"),
        (False, ""),
    ]
