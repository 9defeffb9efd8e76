"""Classes of data sets for segmentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.class_table import ClassTable, voc_colours, write_class_table
from protonet.data.label_images import RawLabels
from protonet.data.segmentation_classes import GivenClasses, in_palette, refuse_colours
from protonet.errors import DataError, UsageError

RED, GREEN = (255, 0, 0), (0, 255, 0)
PLAIN = RawLabels(np.zeros((2, 3)), colours=False)
COLOURED = RawLabels(np.zeros((2, 3)), colours=False, palette=(RED, GREEN, (1, 2, 3)))


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_table_or_names_and_colours(tmp_path: Path) -> None:
    table = ClassTable(("a", "b"), (RED, GREEN), 7)
    write_class_table(tmp_path, table)
    csv = tmp_path / "class_table.csv"
    assert GivenClasses(csv).table(voc=False) == table
    assert GivenClasses(csv.rename(tmp_path / "table.txt")).table(voc=False) == table
    names = written(tmp_path / "names.txt", "a\nb c\n\n")
    colours = written(tmp_path / "colors.txt", "255 0 0\n0, 255, 0\n1 2 3\n")
    assert GivenClasses(names).table(voc=False) == ClassTable(("a", "b c"), voc_colours(2))
    assert GivenClasses(names, colours).table(voc=False) == ClassTable(("a", "b c"), (RED, GREEN))
    found = GivenClasses(None, colours).table(voc=False)
    assert found == ClassTable(("class 0", "class 1", "class 2"), (RED, GREEN, (1, 2, 3)))
    assert [GivenClasses(*each).named_only for each in ((names,), (names, colours), ())] == [
        True, False, False,
    ]  # fmt: skip
    with pytest.raises(UsageError, match="has colors itself"):
        GivenClasses(tmp_path / "table.txt", colours).table(voc=False)
    few = written(tmp_path / "few.txt", "1 2 3\n")
    with pytest.raises(DataError, match=r"few\.txt: has 1 color\(s\) for the 2 classes of"):
        GivenClasses(names, few).table(voc=False)
    with pytest.raises(DataError, match=r"few\.txt:1: expected red, green and blue .* '1 2 256'"):
        GivenClasses(names, written(few, "1 2 256\n")).table(voc=False)


def test_the_number_to_ignore(tmp_path: Path) -> None:
    write_class_table(tmp_path, ClassTable(("a", "b"), (RED, GREEN), 7))
    csv, names = tmp_path / "class_table.csv", written(tmp_path / "names.txt", "a\nb\n")

    def ignored(classes: Path | None, ignore: str, *, voc: bool = False) -> int | None:
        table = GivenClasses(classes, ignore=ignore).table(voc=voc)
        assert table is not None
        return table.ignore

    assert ignored(csv, "auto") == 7
    assert ignored(csv, "9") == 9
    assert ignored(csv, "none") is None
    assert ignored(names, "auto") is None
    assert ignored(names, "auto", voc=True) == 255
    assert ignored(None, "auto", voc=True) == 255
    assert ignored(None, "none", voc=True) is None
    assert ignored(None, "200", voc=True) == 200
    with pytest.raises(UsageError, match="above the numbers of the 2 classes, got 1"):
        ignored(csv, "1")
    for wrong in ("256", "x", "-1", ""):
        with pytest.raises(UsageError, match="expected a number of 0 to 255, or none"):
            GivenClasses(ignore=wrong)


def test_without_any_they_are_those_of_the_pictures() -> None:
    assert GivenClasses().table(voc=False) is None
    found = GivenClasses(ignore="255").of_values({0, 2, 255}, COLOURED)
    assert found == ClassTable(("class 0", "class 1", "class 2"), (RED, GREEN, (1, 2, 3)), 255)
    assert GivenClasses().of_values({0, 1}, PLAIN) == ClassTable.of(["class 0", "class 1"])
    for values in ({0, 255}, {0, 128, 255}, {0, 1, 2, 300}):
        with pytest.raises(UsageError, match="too few to be those of classes; give a class table"):
            GivenClasses().of_values(values, PLAIN)
    with pytest.raises(UsageError, match="the numbers of ignored pixels alone"):
        GivenClasses(ignore="5").of_values({5}, PLAIN)


def test_a_palette_without_enough_colours_is_not_taken() -> None:
    table = ClassTable.of(["a", "b"])
    assert in_palette(table, COLOURED).colours == (RED, GREEN)
    same = RawLabels(np.zeros((1, 1)), colours=False, palette=(RED, RED))
    for other in (PLAIN, same):
        assert in_palette(table, other) == table


def test_colours_need_a_table() -> None:
    raw = RawLabels(np.array([[0, 65536, 257]]), colours=True)
    told = str(refuse_colours(raw, "x.png"))
    assert told.startswith("x.png: is a picture of colors (0 0 0, 0 1 1, 1 0 0), so the classes")
    many = RawLabels(np.arange(12)[None], colours=True)
    assert "0 0 7 and 4 more)" in str(refuse_colours(many, "x.png"))
