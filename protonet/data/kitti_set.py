"""Detection data sets in KITTI's form, as DIGITS reads them.

Source: NVIDIA/DIGITS, digits/extensions/data/objectDetection/utils.py.
"""

from __future__ import annotations

from pathlib import Path

from protonet.data.detection_set import (
    AnnotatedFile,
    DetectionSet,
    NamedBox,
    by_stem,
    image_files,
    read_file,
)
from protonet.errors import DataError, UsageError

_FORM = "type truncated occluded alpha xmin ymin xmax ymax height width length x y z rotation"
_COLUMNS = (15, 16)
"""With a score, which is not looked at."""
_NO_OBJECT = "dontcare"


def is_kitti(root: Path) -> bool:
    """Whether a folder has images and labels, itself or for train."""
    return any((base / "images").is_dir() for base in (root, root / "train"))


def read_kitti(root: Path) -> DetectionSet:
    """``images`` and ``labels`` in a folder, or in its folders ``train`` and ``val``.

    A label file has the name of its image and a line for each object, ``_FORM``; classes are in
    lower case, as in DIGITS. Regions of type DontCare are no objects. An image without a label
    file has no objects, as with convert_annoset.

    Raises:
        DataError: naming file and line of what has another form, and for labels without image.
        UsageError: for a folder without images.
    """
    if (root / "images").is_dir():
        files, ignored = _read_folder(root, root)
        return DetectionSet(files, left_out=ignored)
    parts, left_out = {}, 0
    for part in ("train", "val"):
        if (root / part / "images").is_dir():
            parts[part], ignored = _read_folder(root, root / part)
            left_out += ignored
    if "train" not in parts:
        raise UsageError(f"{root}: expected images and labels in it, or train/images, train/labels")
    return DetectionSet((), parts=parts, left_out=left_out)


def _read_folder(root: Path, folder: Path) -> tuple[list[AnnotatedFile], int]:
    """The images and the number of regions that are no objects."""
    labels = folder / "labels"
    if not labels.is_dir():
        raise UsageError(f"{labels}: there is no such folder; it has a .txt for each image")
    images = by_stem(image_files(folder / "images"))
    if not images:
        raise UsageError(f"{folder / 'images'}: has no image")
    sources = by_stem(path for path in labels.rglob("*.txt") if path.is_file())
    for stem, source in sorted(sources.items()):
        if stem not in images:
            raise DataError(f"{source}: there is no image {folder / 'images' / stem}")
    found, ignored = [], 0
    for stem, path in images.items():
        name = str(path.relative_to(root))
        if stem not in sources:
            source = labels / f"{stem}.txt"
            found.append(AnnotatedFile(path, name, source, (), annotated=False))
            continue
        boxes = _read_labels(sources[stem])
        kept = tuple(box for box in boxes if box.name != _NO_OBJECT)
        ignored += len(boxes) - len(kept)
        found.append(AnnotatedFile(path, name, sources[stem], kept))
    return found, ignored


def _read_labels(path: Path) -> list[NamedBox]:
    try:
        lines = read_file(path).decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not text ({error})") from None
    boxes = []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        if len(words) not in _COLUMNS:
            raise DataError(
                f"{path}:{number}: expected {_COLUMNS[0]} words ({_FORM}), got {len(words)}: "
                f"'{line.strip()[:60]}'"
            )
        try:
            xmin, ymin, xmax, ymax = map(float, words[4:8])
        except ValueError:
            raise DataError(
                f"{path}:{number}: expected xmin ymin xmax ymax as words 5 to 8, got "
                f"'{' '.join(words[4:8])[:60]}'"
            ) from None
        details = _details(words, f"{path}:{number}")
        corners = (xmin, ymin, xmax, ymax)
        boxes.append(NamedBox(words[0].lower(), corners, False, f":{number}", details))
    return boxes


def _details(words: list[str], where: str) -> tuple[float, ...]:
    """The other numbers of a line, in the order of DIGITS' databases."""
    try:
        truncated, occluded, alpha = map(float, words[1:4])
        height, width, length, x, y, z, rotation = map(float, words[8:15])
    except ValueError:
        raise DataError(
            f"{where}: expected numbers behind the type ({_FORM}), got '{' '.join(words)[:80]}'"
        ) from None
    return (alpha, rotation, truncated, occluded, length, width, height, x, y, z)
