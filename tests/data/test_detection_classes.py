"""The classes of a detection data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.detection_classes import choose_classes
from protonet.data.detection_set import AnnotatedFile, DetectionSet, NamedBox, Parts
from protonet.errors import UsageError

COCO = DetectionSet((), {"3": "car", "18": "dog"})


def parts(*names: str) -> Parts:
    boxes = tuple(NamedBox(name, (0, 0, 1, 1), False, ":1") for name in names)
    return {"train": [AnnotatedFile(Path("a.png"), "a.png", Path("a.txt"), boxes)]}


def test_all_classes_are_numbered_by_their_names() -> None:
    found = choose_classes(DetectionSet(()), parts("van", "car", "van"))
    assert found.labels == {"car": 1, "van": 2}
    assert [item.name for item in found.label_map.item] == ["none_of_the_above", "car", "van"]
    assert not found.only
    with pytest.raises(UsageError, match="no annotation there has a box"):
        choose_classes(DetectionSet(()), parts())


def test_only_some_in_their_order() -> None:
    found = choose_classes(DetectionSet(()), parts("van", "Car", "dog"), names=["van", "car"])
    assert found.labels == {"van": 1, "Car": 2}
    assert found.only
    assert choose_classes(COCO, {}, names=["dog", "3"]).labels == {"18": 1, "3": 2}
    with pytest.raises(UsageError, match=r"--classes: no box is of class 'cer'.*car"):
        choose_classes(COCO, {}, names=["cer"])
    with pytest.raises(UsageError, match="--classes dog,18: names a class twice"):
        choose_classes(COCO, {}, names=["dog", "18"])


def test_a_label_map_prescribes_the_numbers(tmp_path: Path) -> None:
    path = tmp_path / "map"
    path.write_text('item { name: "car" label: 5 } item { name: "18" label: 2 }')
    found = choose_classes(COCO, {}, label_map=path)
    assert (found.labels["3"], found.labels["18"]) == (5, 2)
    assert len(found.label_map.item) == 2
    found = choose_classes(DetectionSet(()), parts("car", "cat"), label_map=path)
    assert found.labels["car"] == 5
    assert "cat" not in found.labels
