"""convert-lists: what it says, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from protonet.data.database import Database
from tests.data.test_listed_set import image


def test_lists_become_a_data_set(protonet: Any, tmp_path: Path) -> None:
    for number in range(4):
        image(tmp_path / "images" / f"{number}.png", number, (3, 7, 9))
    (tmp_path / "train.txt").write_text("0.png 1\n1.png 0\n2.png 1\n")
    (tmp_path / "val.txt").write_text("3.png 1\n")
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    made = protonet(
        "convert-lists", "train.txt", "data", "--val", "val.txt", "--root", "images",
        "--names", "names.txt", "--width", 6, "--height", 5, "--gray", "--encoded", "PNG",
    )  # fmt: skip
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.splitlines() == [
        "data/train_images: 3 images",
        "data/val_images: 1 images",
        "next:",
        "  protonet train NETWORK.prototxt --data data/train_images --val-data data/val_images",
    ]
    with Database(tmp_path / "data" / "val_images") as val:
        found, label = val.image(b"00000000_3.png")
        assert (found.shape, label) == ((1, 5, 6), 1)
    assert (tmp_path / "data" / "labels.txt").read_text() == "cat\ndog\n"


def test_what_is_refused(protonet: Any, tmp_path: Path) -> None:
    image(tmp_path / "0.png", 0)
    (tmp_path / "train.txt").write_text("0.png 0\nabsent.png 1\n")
    for options, code, message in (
        (("--width", 3), 2, "--width and --height go together"),
        (("--encoded", "tga"), 2, "--encoded tga: expected one of png"),
        ((), 4, "train.txt:2: "),
    ):
        found = protonet("convert-lists", "train.txt", "data", *options)
        assert (found.returncode, found.stdout) == (code, "")
        assert message in found.stderr
        assert not (tmp_path / "data").exists()
