"""The files of a data set, and which of the four forms it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from protonet.data.annotate import LABEL_MAP
from protonet.data.class_table import CLASS_TABLE
from protonet.data.database import DATA_FILE, Database
from protonet.data.datum import decode
from protonet.data.detection import NAME_SIZES
from protonet.errors import DataError

Form = Literal["classification", "regression", "detection", "segmentation"]
"""What the labels of a data set are: a class, numbers, boxes with classes, or a class per pixel."""

_FORMS = 256
"""Number of data sets whose form is cached."""


@dataclass(frozen=True)
class Databases:
    """The paths of a data set.

    ``mean`` is a file, ``classes`` a labels.txt, ``label_map`` a labelmap.prototxt, ``sizes`` a
    test_name_size.txt, ``class_table`` a class_table.csv.
    """

    train_images: Path
    train_labels: Path | None = None
    val_images: Path | None = None
    val_labels: Path | None = None
    mean: Path | None = None
    classes: Path | None = None
    label_map: Path | None = None
    sizes: Path | None = None
    class_table: Path | None = None

    @staticmethod
    def of_folder(folder: Path) -> Databases:
        """The files in a folder that the commands for data sets write."""

        def there(name: str) -> Path | None:
            return folder / name if (folder / name).exists() else None

        return Databases(
            folder / "train_images",
            train_labels=there("train_labels"),
            val_images=there("val_images"),
            val_labels=there("val_labels"),
            mean=there("train_mean.binaryproto"),
            classes=there("labels.txt"),
            label_map=there(LABEL_MAP),
            sizes=there(NAME_SIZES),
            class_table=there(CLASS_TABLE),
        )

    @staticmethod
    def of_names(names: Mapping[str, str | None]) -> Databases:
        """Databases by the names of the fields here."""
        given = {each.name: names.get(each.name) for each in fields(Databases)}
        rest = {name: Path(value) if value else None for name, value in given.items()}
        del rest["train_images"]
        return Databases(Path(names["train_images"] or ""), **rest)

    def part(self, name: str) -> tuple[Path | None, Path | None]:
        """Images and labels of ``train`` or ``val``."""
        if name == "train":
            return self.train_images, self.train_labels
        return self.val_images, self.val_labels

    def with_boxes(self) -> Databases | None:
        """The data set with its boxes in DetectNet's form as labels; None for one without them."""
        train, val = (
            None if images is None else images.parent / f"{part}_boxes"
            for part, images in (("train", self.train_images), ("val", self.val_images))
        )
        if train is None or not train.exists() or (val is not None and not val.exists()):
            return None
        return replace(self, train_labels=train, val_labels=val)

    @property
    def form(self) -> Form:
        """What the labels are, by the files and the first record; cached while they are the same.

        Databases that cannot be read count as classification, or as regression where there are
        labels.
        """
        return _cached_form(self, self.stamp())

    def stamp(self) -> tuple[float, ...]:
        """The modification times of the files; -1 for those that do not exist."""
        times = []
        for each in fields(self):
            path = getattr(self, each.name)
            for file in () if path is None else (path, path / DATA_FILE):
                try:
                    times.append(file.stat().st_mtime)
                except OSError:
                    times.append(-1.0)
        return tuple(times)


@lru_cache(_FORMS)
def _cached_form(databases: Databases, _stamp: tuple[float, ...]) -> Form:
    if databases.label_map is not None:
        return "detection"
    if databases.class_table is not None:
        return "segmentation"
    try:
        with Database(databases.train_images) as images:
            if images.has_boxes:
                return "detection"
            if databases.train_labels is None:
                return "classification"
            size = images.image(images.first()[0])[0].shape[1:]
        with Database(databases.train_labels) as labels:
            key, datum = labels.first()
            label = decode(datum, labels.where(key))
    except DataError:
        return "classification" if databases.train_labels is None else "regression"
    pixels = label.dtype == np.uint8 and label.shape == (1, *size) and min(size) > 1
    return "segmentation" if pixels else "regression"
