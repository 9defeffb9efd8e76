"""The format of records made from image files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from protonet.blob import Shape
from protonet.data.datum import ENCODINGS, decode_image, encode_image, make_datum
from protonet.data.file_list import read_listed_file
from protonet.data.orientation import orientation_of
from protonet.data.resize import fit
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import Datum

OWN = "own"
"""Stored in the format of the file name's extension."""


@dataclass(frozen=True)
class RecordFormat:
    """How images are stored in a database.

    ``size`` is the (height, width) that each is resized to by ``fit`` (one of
    ``data.resize.RESIZE_MODES``), or None; ``color`` forces three channels
    or one, None keeps what the file has. ``encoded`` stores an image file of that kind (a key of
    ``ENCODINGS``, or OWN) instead of pixels. ``pad`` is the (height, width) that images are
    extended to before, with black on the right and below.
    """

    size: tuple[int, int] | None = None
    color: bool | None = None
    encoded: str | None = None
    fit: str = "squash"
    pad: tuple[int, int] | None = None

    def check_padding(self, size: tuple[int, int], where: str) -> None:
        """Raise DataError for an image of ``size`` that is larger than the padded one."""
        if self.pad is not None and (size[0] > self.pad[0] or size[1] > self.pad[1]):
            raise DataError(
                f"{where}: the image is {size[1]}x{size[0]}, larger than the {self.pad[1]}x"
                f"{self.pad[0]} that images are padded to"
            )

    def record(self, data: bytes, where: str, name: str, label: int | None = None) -> EncodedRecord:
        """The image file ``data`` as a record.

        Raises:
            DataError: for what is no image, or an ending that cannot be stored.
        """
        image = decode_image(data, where, follows_exif=True)
        # Records are decoded without EXIF, so a rotated file is stored upright.
        as_it_is = self.size is None and orientation_of(data) == 1
        if self.color is not None and image.shape[0] != (3 if self.color else 1):
            image = decode_image(data, where, color=self.color, follows_exif=True)
            as_it_is = False
        if self.pad is not None and image.shape[1:] != self.pad:
            height, width = image.shape[1:]
            self.check_padding((height, width), where)
            gaps = (0, 0), (0, self.pad[0] - height), (0, self.pad[1] - width)
            image, as_it_is = np.pad(image, gaps), False
        if self.size is not None:
            image = fit(image, *self.size, self.fit)
        if self.encoded is None:
            return EncodedRecord(image, make_datum(image, label=label))
        ending = Path(name).suffix.removeprefix(".").lower()
        kind = ending if self.encoded == OWN else self.encoded
        if kind not in ENCODINGS:
            raise DataError(
                f"{where}: cannot be stored as '{kind}'; say as what: {', '.join(ENCODINGS)}"
            )
        # An unchanged file keeps its bytes: it is not compressed twice.
        keeps = as_it_is and kind == ending
        return EncodedRecord(
            image,
            make_datum(image, label=label, encoded=data if keeps else encode_image(image, kind)),
        )

    def values(self) -> dict[str, Any]:
        """The settings that the form is of, for people."""
        height, width = self.size if self.size is not None else (None, None)
        color = None if self.color is None else "color" if self.color else "gray"
        values = {"width": width, "height": height, "channels": color,
                  "encoded": self.encoded, "fit": self.fit}  # fmt: skip
        if self.pad is not None:
            values |= {"pad-width": self.pad[1], "pad-height": self.pad[0]}
        return values


class ListedFile(NamedTuple):
    """An image file that a list or table names, and how messages name it; ``folder`` is where
    relative paths are looked up after the working directory. ``name`` has its ending.
    """

    path: str
    name: str
    where: str
    label: int | None = None
    folder: str | None = None

    def read(self) -> bytes:
        """The bytes of the file.

        Raises:
            DataError: when it cannot be read.
        """
        folder = None if self.folder is None else Path(self.folder)
        return read_listed_file(Path(self.path), folder, self.where)


class StoredRecord(NamedTuple):
    """The shape of an image, and the serialized record of it."""

    shape: Shape
    value: bytes


@dataclass(frozen=True)
class Encoder:
    """Makes records of files in one format, on any rank."""

    form: RecordFormat

    def __call__(self, file: ListedFile) -> StoredRecord:
        """The record of a file.

        Raises:
            DataError: when it cannot be read or used.
        """
        made = self.form.record(file.read(), file.where, file.name, file.label)
        return StoredRecord(made.image.shape, made.datum.SerializeToString())


class EncodedRecord(NamedTuple):
    """An image, (channels, height, width), and the record of it."""

    image: np.ndarray
    datum: Datum
