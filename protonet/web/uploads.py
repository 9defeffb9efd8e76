"""Validation of uploads: file names, images and tables."""

from __future__ import annotations

import re
import shutil
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from protonet.data.datum import decode_image
from protonet.data.listed_set import ListedSet
from protonet.data.vector_table import read_table
from protonet.errors import DataError, UsageError

TABLE = "labels.csv"
"""The name of the table in a folder of uploads."""

_CHUNK = 1 << 20
_LOOKED_AT = 4 << 20
"""Bytes of lists that are read while their sender waits."""


def safe_name(name: str) -> Path:
    """An uploaded file's name as a relative path.

    Raises:
        UsageError: for one that leaves the folder.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    parts = path.parts
    bad = path.is_absolute() or ".." in parts or not parts or len(name) > 1000
    if bad or re.search(r"[\x00-\x1f]", name) or any(len(part.encode()) > 255 for part in parts):
        raise UsageError(f"'{name[:80]}' is not a valid name of an uploaded file")
    return Path(*parts)


def check_image(path: Path, pixels: int, name: str) -> None:
    """Refuse a file that is not an image, or has too many pixels, before it is decoded.

    Raises:
        DataError: saying which.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            width, height = image.size
    except Image.DecompressionBombError as error:
        raise DataError(f"{name}: {error}") from None
    except (OSError, ValueError, SyntaxError):
        raise DataError(f"{name}: is not a readable image") from None
    if width * height > pixels:
        raise DataError(
            f"{name}: {width}x{height} is more than the {pixels:,} pixels that this server accepts"
        )
    decode_image(path.read_bytes(), name)


def check_table(folder: Path, most: int) -> None:
    """Refuse an invalid table, or one that names files that were not uploaded.

    Rows are counted before they are parsed: parsing millions takes half a minute.
    """
    path = folder / TABLE
    with path.open("rb") as stream:
        rows = sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(_CHUNK), b""))
    if rows > most:
        raise UsageError(f"{TABLE}: {rows:,} rows are more than the {most:,} allowed in one upload")
    try:
        table = read_table(path)
    except DataError as error:  # without the server's folders in the message
        raise DataError(str(error).replace(str(path), TABLE)) from None
    for line, name, _ in table.rows:
        if not (folder / safe_name(name)).is_file():
            raise UsageError(f"{TABLE}:{line}: the image '{name[:80]}' was not uploaded")


def check_lists(folder: Path) -> None:
    """Refuse lists of images and classes that cannot be used; long ones are left to the job.

    Raises:
        DataError: naming the list's line.
    """
    paths = {part: folder / f"{part}.txt" for part in ("train", "val", "names")}
    there = {part: path for part, path in paths.items() if path.exists()}
    if sum(path.stat().st_size for path in there.values()) > _LOOKED_AT:
        return
    try:
        ListedSet(there["train"], there.get("val"), names=there.get("names")).read()
    except DataError as error:  # without the server's folders in the message
        raise DataError(str(error).replace(f"{folder}/", "")) from None


def make_folder(path: Path, name: str) -> None:
    """Create the folder of an uploaded file, unless an uploaded file has its name."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(
            f"'{name[:80]}' cannot be stored: another upload is a file where it needs a folder"
        ) from None
    except OSError as error:
        raise UsageError(f"'{name[:80]}' cannot be stored: {error.strerror}") from error


def store(stream: BinaryIO, path: Path) -> None:
    """Write an upload to a new file."""
    if path.exists():
        raise UsageError(f"'{path.name}' was uploaded twice")
    try:
        with path.open("xb") as out:
            shutil.copyfileobj(stream, out, _CHUNK)
    except OSError as error:
        raise UsageError(f"{path.name}: cannot be stored: {error.strerror}") from error
