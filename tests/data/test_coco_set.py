"""Data sets in the form of COCO."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protonet.data.coco_set import is_coco, read_coco
from protonet.data.detection_set import NamedBox
from protonet.errors import DataError, UsageError
from tests.data import detection_sets as sets


def test_a_folder(tmp_path: Path) -> None:
    assert not is_coco(tmp_path)
    root = sets.coco(tmp_path)
    assert is_coco(root)
    found = read_coco(root)
    assert found.parts is not None
    assert found.classes == {"3": "car", "18": "dog", "70": "van"}
    assert [each.name for each in found.parts["train"]] == [f"train2017/{s}.jpg" for s in "abc"]
    first = found.parts["train"][0]
    assert first.boxes[1] == NamedBox("18", (0, 0, 40, 20), True, ": annotations[1]")
    assert first.size == (20, 40)
    assert found.parts["train"][2].boxes == ()
    (root / "annotations" / "instances_train2014.json").write_text("{}")
    with pytest.raises(UsageError, match=r"instances_train2014\.json, .*: give one of them"):
        read_coco(root)
    for path in (root / "annotations").glob("*train*"):
        path.unlink()
    with pytest.raises(UsageError, match=r"expected annotations/instances_train\*\.json"):
        read_coco(root)


def test_a_file_and_a_folder_of_images(tmp_path: Path) -> None:
    root = sets.coco(tmp_path)
    path = root / "annotations" / "instances_val2017.json"
    (file,) = read_coco(path).files
    assert (file.name, file.path) == ("d.jpg", root / "val2017" / "d.jpg")
    (file,) = read_coco(path, tmp_path / "other").files
    assert (file.name, file.path) == ("d.jpg", tmp_path / "other" / "d.jpg")


def test_corners_are_added_in_float32(tmp_path: Path) -> None:
    path = sets.coco(tmp_path) / "annotations" / "instances_val2017.json"
    document = json.loads(path.read_text())
    document["annotations"][0]["bbox"] = [1.1, 2.2, 3.3, 4.4]
    path.write_text(json.dumps(document))
    (file,) = read_coco(path).files
    # 1.1 + 3.3 in float32 is 4.3999996185302734375; 2.2 + 4.4 is 6.6000003814697265625.
    assert file.boxes[0].corners[2:] == (4.400000095367432, 6.600000381469727)


BOX = {"image_id": 50, "category_id": 3, "bbox": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotations": None}, "expected an object with a list of annotations"),
        ({"annotations": [3]}, r"annotations\[0\]: expected an object"),
        ({"annotations": [{**BOX, "bbox": [1, 2, 3]}]}, r"annotations\[0\]: expected x, y, width"),
        ({"annotations": [{**BOX, "bbox": [1, 2, 3, True]}]}, r"annotations\[0\]: expected x, y"),
        ({"annotations": [BOX, {**BOX, "category_id": 4}]},
         r"annotations\[1\]: category_id 4 is not in categories"),
        ({"annotations": [{**BOX, "image_id": 9}]},
         r"annotations\[0\]: image_id 9 is not in images"),
        ({"annotations": [{**BOX, "image_id": "9"}]},
         r"annotations\[0\]: expected a whole number as image_id, got 9"),
        ({"images": [{"id": 1, "file_name": "", "height": 1, "width": 1}]},
         r"images\[0\]: expected a text as file_name"),
        ({"images": [{"id": 1, "file_name": "a", "height": 0, "width": 1}]},
         r"images\[0\]: expected height and width of 1 or more, got \(0, 1\)"),
        ({"images": [{"id": 1, "file_name": "a", "height": 1, "width": 1}] * 2},
         r"images\[1\]: the id 1 is there twice"),
        ({"categories": [{"id": 3, "name": "a"}, {"id": 3, "name": "b"}]},
         r"categories\[1\]: the id 3 is there twice"),
    ],
)  # fmt: skip
def test_objects_of_another_form(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = sets.coco(tmp_path) / "annotations" / "instances_train2017.json"
    document = {**json.loads(path.read_text()), **changes}
    if "images" in changes:
        document["annotations"] = []
    path.write_text(json.dumps(document))
    with pytest.raises(DataError, match=rf"instances_train2017\.json: {message}"):
        read_coco(path)


@pytest.mark.parametrize("text", ["{", "[" * 100000, "\udcff"])
def test_broken_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(DataError, match=r"a\.json: is not JSON: "):
        read_coco(path)
    with pytest.raises(DataError, match=r"b\.json: cannot be read: No such file"):
        read_coco(tmp_path / "b.json")
    path.write_text("[]")
    with pytest.raises(DataError, match=r"a\.json: expected an object with a list of categories"):
        read_coco(path)
