"""Small data sets for segmentation, and what databases of them have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from protonet.data.database import Database
from protonet.data.datum import decode, encode_image
from protonet.data.record_format import RecordFormat
from protonet.data.segmentation import convert_segmentation
from protonet.data.segmentation_classes import GivenClasses
from protonet.data.segmentation_input import SegmentationInput

SIZE = (6, 8)
"""Height and width of the images."""


def classes_of(seed: int, count: int = 3) -> np.ndarray:
    """The classes of the pixels of picture ``seed``: blocks of all classes."""
    blocks = np.random.default_rng(seed).permutation(np.arange(12) % count).reshape(3, 4)
    return blocks.repeat(2, 0).repeat(2, 1).astype(np.uint8)


def image_of(seed: int) -> np.ndarray:
    return np.random.default_rng(seed + 100).integers(0, 256, (3, *SIZE)).astype(np.uint8)


def write_image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_image(image_of(seed)))


def write_labels(
    path: Path,
    classes: np.ndarray,
    *,
    palette: Sequence[Sequence[int]] = (),
    colours: Sequence[Sequence[int]] = (),
) -> None:
    """As a picture with a palette, of colours, or gray."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if colours:
        Image.fromarray(np.array(colours, np.uint8)[classes]).save(path)
        return
    picture = Image.fromarray(classes)
    if palette:
        picture.putpalette([value for colour in palette for value in colour])
    picture.save(path)


def folders(root: Path, names: Sequence[str] = "abcd", **options: Sequence[Sequence[int]]) -> None:
    """``images`` and ``labels`` with pictures of three classes."""
    for seed, name in enumerate(names):
        write_image(root / "images" / f"{name}.png", seed)
        write_labels(root / "labels" / f"{name}.png", classes_of(seed), **options)


def voc(root: Path) -> None:
    """a, b and c; d has no label picture. c is for validation; the border of b is ignored."""
    palette = (np.arange(768).reshape(256, 3) % 256).tolist()
    for seed, name in enumerate("abcd"):
        write_image(root / "JPEGImages" / f"{name}.png", seed)
        if name != "d":
            labels = classes_of(seed)
            labels[0] = 255 if name == "b" else labels[0]
            write_labels(root / "SegmentationClass" / f"{name}.png", labels, palette=palette)
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\nb\n")
    (lists / "val.txt").write_text("c\n")


def records(folder: Path, part: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Image and labels by their keys, which must be equal."""
    with (
        Database(folder / f"{part}_images") as images,
        Database(folder / f"{part}_labels") as labels,
    ):
        keys = list(images.keys())
        assert keys == list(labels.keys())
        return {
            key.decode(): (decode(images.get(key), ""), decode(labels.get(key), "")) for key in keys
        }


def converted(folder: Path, names: Sequence[str] = "abcdefgh") -> None:
    """``set`` and, made of it, ``data``: three classes with names, 9 is ignored."""
    folders(folder / "set", names)
    for seed, name in enumerate(names):
        labels = classes_of(seed)
        labels[0, :2] = 9
        write_labels(folder / "set" / "labels" / f"{name}.png", labels)
    text = "index,name,red,green,blue\n0,ground,0,0,0\n1,car,200,100,50\n2,sky,0,0,255\n"
    (folder / "classes.csv").write_text(f"{text}9,ignore,255,255,255\n")
    given = SegmentationInput(folder / "set", classes=GivenClasses(folder / "classes.csv"))
    convert_segmentation(given, folder / "data", RecordFormat(color=True, encoded="png"))
