"""Data sets of the same images and boxes in all forms, as their tools write them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from protonet.data.database import Database
from protonet.data.datum import encode_image

SIZES = {"a": (20, 40), "b": (30, 10), "c": (16, 16), "d": (24, 48)}
"""Height and width of each image."""
BOXES = {
    "a": [("car", 4, 5, 20, 15, 0), ("dog", 0, 0, 40, 20, 1), ("car", 10, 2, 30, 18, 0)],
    "b": [("dog", 1, 3, 9, 27, 0)],
    "c": [],
    "d": [("van", 12, 6, 36, 18, 0)],
}
NUMBERS = {"car": 1, "dog": 2, "van": 3}


def image(stem: str) -> np.ndarray:
    """Its pixels."""
    random = np.random.default_rng(ord(stem))
    return random.integers(0, 256, (3, *SIZES[stem]), np.uint8)


def save(folder: Path, stem: str, kind: str = "png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{stem}.{kind}").write_bytes(encode_image(image(stem), kind))


def kitti(root: Path) -> Path:
    for stem, boxes in BOXES.items():
        save(root / "images", stem)
        (root / "labels").mkdir(exist_ok=True)
        lines = [
            f"{name.capitalize()} 0.00 0 -1.57 {x0:.2f} {y0:.2f} {x1:.2f} {y1:.2f} 1 1 1 0 0 9 0\n"
            for name, x0, y0, x1, y1, _ in boxes
        ]
        lines.append("DontCare -1 -1 -10 1 1 3 3 -1 -1 -1 -1000 -1000 -1000 -10\n")
        (root / "labels" / f"{stem}.txt").write_text("".join(lines))
    return root


def voc(root: Path) -> Path:
    (root / "Annotations").mkdir(parents=True)
    (root / "ImageSets" / "Main").mkdir(parents=True)
    for stem, boxes in BOXES.items():
        save(root / "JPEGImages", stem, "jpg")
        height, width = SIZES[stem]
        objects = "".join(
            f"<object>\n<name>{name}</name><difficult>{hard}</difficult>\n"
            f"<bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox>"
            "\n<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part></object>\n"
            for name, x0, y0, x1, y1, hard in boxes
        )
        (root / "Annotations" / f"{stem}.xml").write_text(
            f"<annotation>\n<size><width>{width}</width><height>{height}</height>"
            f"<depth>3</depth></size>\n{objects}</annotation>\n"
        )
    (root / "ImageSets" / "Main" / "train.txt").write_text("a\nb\nc\n")
    (root / "ImageSets" / "Main" / "val.txt").write_text("d\n")
    return root


COCO_IDS = {"car": 3, "dog": 18, "van": 70}


def coco(root: Path) -> Path:
    (root / "annotations").mkdir(parents=True)
    for part, stems in (("train2017", "abc"), ("val2017", "d")):
        document: dict[str, list[dict[str, object]]] = {
            "images": [],
            "annotations": [],
            "categories": [{"id": COCO_IDS[name], "name": name} for name in ("van", "dog", "car")],
        }
        for number, stem in enumerate(stems, 50):
            save(root / part, stem, "jpg")
            height, width = SIZES[stem]
            document["images"].append(
                {"id": number, "file_name": f"{stem}.jpg", "height": height, "width": width}
            )
            for name, x0, y0, x1, y1, hard in BOXES[stem]:
                document["annotations"].append(
                    {"image_id": number, "category_id": COCO_IDS[name], "iscrowd": hard,
                     "bbox": [x0, y0, x1 - x0, y1 - y0]}
                )  # fmt: skip
        (root / "annotations" / f"instances_{part}.json").write_text(json.dumps(document))
    return root


def table(root: Path) -> Path:
    for stem in BOXES:
        save(root / "photos", stem)
    with (root / "boxes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "label", "xmin", "ymin", "xmax", "ymax", "difficult"])
        for stem, boxes in BOXES.items():
            rows = [(f"photos/{stem}.png", *box) for box in boxes]
            writer.writerows(rows or [(f"photos/{stem}.png", "", "", "", "", "", "")])
    return root / "boxes.csv"


def records(path: Path) -> dict[str, list[tuple[int, int, list[float], bool]]]:
    """Class, instance, corners and difficult of each box of a database, by key."""
    found = {}
    with Database(path) as database:
        for key in list(database.keys()):
            record = database.annotated(key)
            assert record.HasField("type")
            assert record.datum.label == -1
            found[key.decode()] = [
                (group.group_label, each.instance_id,
                 [each.bbox.xmin, each.bbox.ymin, each.bbox.xmax, each.bbox.ymax],
                 each.bbox.difficult)
                for group in record.annotation_group
                for each in group.annotation
            ]  # fmt: skip
    return found


def expected(stem: str, *, marked: bool = True) -> list[tuple[int, int, list[float], bool]]:
    """What ``records`` has of an image, in the order of the groups."""
    height, width = SIZES[stem]
    groups: dict[str, list[tuple[int, int, list[float], bool]]] = {}
    for name, *corners, hard in BOXES[stem]:
        own = groups.setdefault(name, [])
        shares = np.array(corners, np.float32) / np.array([width, height] * 2, np.float32)
        own.append((NUMBERS[name], len(own), shares.tolist(), bool(hard) and marked))
    return [each for own in groups.values() for each in own]
