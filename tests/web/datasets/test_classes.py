"""Names and colours of classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from protonet.data.drawn_segments import create_segments
from protonet.data.shapes import create_shapes
from protonet.web.datasets import Databases
from protonet.web.datasets.classes import Classes


def test_names_of_every_form(tmp_path: Path, gradients: Path) -> None:
    create_shapes(tmp_path / "boxes", 24, 16, 2, 1, seed=1)
    boxes = Classes.of(Databases.of_folder(tmp_path / "boxes"))
    assert boxes.names == {0: "background", 1: "circle", 2: "square", 3: "triangle"}
    assert [boxes.name(2), boxes.name(9)] == ["square", "9"]
    assert boxes.colour(1) != boxes.colour(2)
    create_segments(tmp_path / "pixels", 24, 16, 2, 1, seed=1)
    pixels = Classes.of(Databases.of_folder(tmp_path / "pixels"))
    assert pixels.table is not None
    assert [pixels.names[number] for number in (1, 2, 3)] == ["circle", "square", "triangle"]
    assert pixels.colour(1) == "#{:02x}{:02x}{:02x}".format(*pixels.table.colours[1])
    bare = Classes.of(replace(Databases.of_folder(tmp_path / "pixels"), class_table=None))
    assert bare.names == {}
    assert (bare.pixels().names[255], bare.pixels().colours[1]) == ("255", (128, 0, 0))
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    one = Databases(tmp_path / "nowhere", classes=tmp_path / "labels.txt")
    assert Classes.of(one).names == {0: "cat", 1: "dog"}
    assert Classes.of(Databases.of_folder(gradients)).names == {}
