"""Data sets in the form of Pascal VOC."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.detection_set import NamedBox
from protonet.data.voc_set import is_voc, read_voc
from protonet.errors import DataError, UsageError
from tests.data import detection_sets as sets


def test_lists_divide_the_set(tmp_path: Path) -> None:
    assert not is_voc(tmp_path)
    root = sets.voc(tmp_path)
    assert is_voc(root)
    found = read_voc(root)
    assert found.parts is not None
    assert [each.name for each in found.parts["train"]] == [f"JPEGImages/{s}.jpg" for s in "abc"]
    (last,) = found.parts["val"]
    assert last.size == (24, 48)
    assert found.parts["train"][0].boxes == (
        NamedBox("car", (4, 5, 20, 15), False, ":5"),
        NamedBox("dog", (0, 0, 40, 20), True, ":9"),
        NamedBox("car", (10, 2, 30, 18), False, ":13"),
    )


def test_only_the_images_of_given_lists_are_read(tmp_path: Path) -> None:
    root = sets.voc(tmp_path)
    (root / "Annotations" / "a.xml").write_text("broken")
    (root / "one.txt").write_text("d.jpg\nb  1\n")
    assert [each.path.stem for each in read_voc(root, [root / "one.txt"]).files] == ["d", "b"]


def test_without_lists_all_annotations_are_read(tmp_path: Path) -> None:
    root = sets.voc(tmp_path)
    (root / "ImageSets" / "Main" / "train.txt").unlink()
    assert [each.path.stem for each in read_voc(root).files] == list("abcd")
    for path in (root / "Annotations").glob("*"):
        path.unlink()
    with pytest.raises(UsageError, match=r"Annotations: has no \.xml file"):
        read_voc(root)
    with pytest.raises(UsageError, match="expected the folders JPEGImages and Annotations"):
        read_voc(root / "JPEGImages")


def test_annotations_and_images_that_are_not_there(tmp_path: Path) -> None:
    root = sets.voc(tmp_path)
    (root / "Annotations" / "b.xml").unlink()
    found = read_voc(root)
    assert found.parts is not None
    assert [each.annotated for each in found.parts["train"]] == [True, False, True]
    (root / "JPEGImages" / "d.jpg").unlink()
    with pytest.raises(DataError, match=r"Main/val\.txt:1: there is no image .*JPEGImages/d\.jpg"):
        read_voc(root)
    (root / "ImageSets" / "Main" / "val.txt").write_text("a\nb\na\n")
    with pytest.raises(DataError, match=r"val\.txt:3: 'a' is on line 1 already"):
        read_voc(root)


BOX = "<xmin>1</xmin><ymin>1</ymin><xmax>3</xmax>"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation>\n<object></annotation>", "2: mismatched tag"),
        ("\n<html/>", "2: expected <annotation>, got <html>"),
        ("<annotation>\n<object><bndbox/></object></annotation>", "2: the object has no <name>"),
        ("<annotation><object><name>a</name></object></annotation>", "1: the object has no <bnd"),
        (
            f"<annotation><object><name>a</name>\n<bndbox>{BOX}</bndbox></object></annotation>",
            "2: <bndbox> has no <ymax>",
        ),
        (
            f"<annotation><object><name>a</name>\n<bndbox>{BOX}\n<ymax>x</ymax></bndbox></object>"
            "</annotation>",
            "3: expected a number as <ymax>, got 'x'",
        ),
        (
            "<annotation>\n<size><width>0</width><height>3</height></size></annotation>",
            "2: the size 0x3 is no image's",
        ),
        (
            '<!DOCTYPE annotation [<!ENTITY e "x">]><annotation>&e;</annotation>',
            "1: a document type is not read",
        ),
    ],
)
def test_annotations_of_another_form(tmp_path: Path, text: str, message: str) -> None:
    root = sets.voc(tmp_path)
    (root / "Annotations" / "a.xml").write_text(text)
    with pytest.raises(DataError, match=rf"a\.xml:{message}"):
        read_voc(root)
