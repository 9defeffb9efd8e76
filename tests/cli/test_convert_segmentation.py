"""convert-segmentation: what it says, and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data import segmentation_sets as sets


def test_a_data_set_is_converted(protonet: Any, tmp_path: Path) -> None:
    sets.folders(tmp_path / "set")
    sets.write_image(tmp_path / "set" / "images" / "e.png", 9)
    (tmp_path / "names.txt").write_text("ground\nsquare\nsky\n")
    (tmp_path / "val.txt").write_text("d\n")
    made = protonet(
        "convert-segmentation", "set", "data", "--classes", "names.txt", "--val-list", "val.txt",
        "--width", 12, "--height", 10, "--encoded", "png", "--only-pairs", "--ignore", 255,
    )  # fmt: skip
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.splitlines() == [
        "data/train_images and train_labels: 3 images",
        "data/val_images and val_labels: 1 images",
        "images without label picture left out: 1",
        "class  name    pixels",
        "    0  ground  33.33%",
        "    1  square  33.33%",
        "    2  sky     33.33%",
        "  255  ignore   0.00%",
        "next: protonet train NETWORK.prototxt --data data/train_images --labels "
        "data/train_labels --val-data data/val_images --val-labels data/val_labels",
    ]
    ((key, (image, labels)),) = sets.records(tmp_path / "data", "val").items()
    assert key == "00000000_images/d.png"
    assert (image.shape, labels.shape) == ((3, 10, 12), (1, 10, 12))
    assert (tmp_path / "data" / "class_table.csv").read_text().splitlines()[1:] == [
        "0,ground,0,0,0", "1,square,128,0,0", "2,sky,0,128,0", "255,ignore,224,224,192",
    ]  # fmt: skip
    again = protonet("convert-segmentation", "set", "data")
    assert again.returncode == 2
    assert again.stderr.startswith("error: data: exists already")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--width", 3), "--width and --height go together"),
        (("--encoded", "tga"), "--encoded tga: expected one of own, none, png"),
        (("--val-share", 0.5, "--val-list", "x"), "--val-share and lists of images exclude"),
        (("--base", "x"), "--base does not apply"),
        (("--ignore", "x"), "--ignore x: expected a number of 0 to 255, or none"),
        (("--ignore", "3"), "the ignore value must be from 21 to 255"),
    ],
)
def test_options_that_do_not_go_together(
    protonet: Any, tmp_path: Path, options: tuple[object, ...], message: str
) -> None:
    sets.voc(tmp_path / "voc")
    found = protonet("convert-segmentation", "voc", "data", *options)
    assert (found.returncode, found.stdout) == (2, "")
    assert message in found.stderr
    assert not (tmp_path / "data").exists()


def test_a_mistake_names_the_picture_and_the_place(protonet: Any, tmp_path: Path) -> None:
    sets.voc(tmp_path / "voc")
    labels = sets.classes_of(0)
    labels[2:4, 3] = 99
    sets.write_labels(tmp_path / "voc" / "SegmentationClass" / "a.png", labels)
    found = protonet("convert-segmentation", "voc", "data")
    assert found.returncode == 4
    assert found.stderr.splitlines() == [
        "error: voc/SegmentationClass/a.png: the number 99 of 2 pixel(s), the first in column 3, "
        "row 2, is of no class; the classes are 0 to 20, and 255 is ignored"
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["voc"]


def test_a_bar_for_each_of_the_two_steps(terminal: Any, tmp_path: Path) -> None:
    sets.folders(tmp_path / "set")
    made = terminal("convert-segmentation", "set", "data", "--encoded", "none")
    assert made.returncode == 0
    assert "label pictures checked" in made.stdout
    assert "train_labels: 3 images" in made.stdout
    ((_, (_, labels)),) = sets.records(tmp_path / "data", "val").items()
    assert labels.dtype == np.uint8
