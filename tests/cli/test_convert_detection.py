"""convert-detection: what it says, and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protonet.data.database import Database
from tests.data import detection_sets as sets


def test_a_data_set_is_converted(protonet: Any, tmp_path: Path) -> None:
    sets.kitti(tmp_path / "kitti")
    (tmp_path / "kitti" / "labels" / "c.txt").unlink()
    (tmp_path / "val.txt").write_text("d\n")
    made = protonet(
        "convert-detection", "kitti", "data", "--classes", "car,van", "--val-list", "val.txt",
        "--width", 10, "--height", 12, "--encoded", "png",
    )  # fmt: skip
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.splitlines() == [
        "data/train_images: 3 images",
        "data/val_images: 1 images",
        "3 boxes of 2 class(es)",
        "boxes of other classes left out: 2",
        "images without annotations, stored without boxes: 1",
        "regions of type DontCare left out: 3",
        "next: protonet train NETWORK.prototxt --data data/train_images --val-data data/val_images",
    ]
    ((key, boxes),) = sets.records(tmp_path / "data" / "val_images").items()
    assert key == "00000000_images/d.png"
    assert boxes == [(2, 0, [0.25, 0.25, 0.75, 0.75], False)]
    again = protonet("convert-detection", "kitti", "data")
    assert again.returncode == 2
    assert again.stderr.startswith("error: data: exists already")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--width", 3), "--width and --height go together"),
        (("--encoded", "tga"), "--encoded tga: expected one of own, none, png"),
        (("--classes", "car", "--label-map", "x"), "--classes and --label-map exclude each other"),
        (("--val-share", 0.5, "--val-list", "x"), "--val-share and lists of images exclude"),
        (("--images", "x"), "--images does not apply"),
    ],
)
def test_options_that_do_not_go_together(
    protonet: Any, tmp_path: Path, options: tuple[object, ...], message: str
) -> None:
    sets.voc(tmp_path / "voc")
    found = protonet("convert-detection", "voc", "data", *options)
    assert (found.returncode, found.stdout) == (2, "")
    assert message in found.stderr
    assert not (tmp_path / "data").exists()


def test_a_mistake_names_file_and_line(protonet: Any, tmp_path: Path) -> None:
    root = sets.table(tmp_path)
    text = root.read_text()
    root.write_text(text.replace("9,27", "19,27"))
    found = protonet("convert-detection", "boxes.csv", "data", "--encoded", "none")
    assert (found.returncode, found.stdout) == (4, "")
    assert found.stderr.startswith(
        "error: boxes.csv:5: the box 1 3 19 27 exceeds the image of width 10 and height 30; "
        "--repair clips boxes"
    )
    assert not (tmp_path / "data.partial").exists()
    fixed = protonet("convert-detection", "boxes.csv", "data", "--encoded", "none", "--repair")
    assert fixed.returncode == 0
    assert "boxes clipped to their images: 1" in fixed.stdout.splitlines()


def test_digits_options(protonet: Any, tmp_path: Path) -> None:
    sets.kitti(tmp_path / "kitti")
    made = protonet(
        "convert-detection", "kitti", "data", "--classes", "dontcare,car,van,dog", "--pad-width",
        48, "--pad-height", 30, "--val-min-box", 12, "--detectnet",
    )  # fmt: skip
    assert (made.returncode, made.stderr) == (0, "")
    with Database(tmp_path / "data" / "train_boxes") as database:
        assert database.image(database.keys()[0])[0].shape[2] == 16
    assert (tmp_path / "data" / "test_name_size.txt").read_text().split()[1:] == ["30", "48"]
    wrong = protonet("convert-detection", "kitti", "other", "--pad-width", 48)
    assert "--pad-width and --pad-height go together" in wrong.stderr
