"""Pairs of images and label pictures, as data sets for segmentation have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from protonet.data.detection_set import by_stem, image_files, read_names, stem_of
from protonet.data.file_list import numbered_lines
from protonet.errors import DataError, UsageError

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
"""The classes of Pascal VOC, by number."""

_LABEL_FOLDERS = ("labels", "masks", "annotations")
_SHOWN = 3
"""Files without a partner that a message names."""


@dataclass(frozen=True)
class LabelledImage:
    """An image file with its label picture.

    Attributes:
        path: the image.
        labels: the picture of its pixels' classes.
        name: the image below the folder of the data set.
        place: of the pair in its list, for messages; "" without one.
    """

    path: Path
    labels: Path
    name: str
    place: str = ""

    @property
    def where(self) -> str:
        """How messages name the image."""
        return f"{self.place}: {self.name}" if self.place else str(self.path)

    @property
    def labels_where(self) -> str:
        """How messages name the label picture."""
        return f"{self.place}: {self.labels}" if self.place else str(self.labels)


@dataclass(frozen=True)
class SegmentationSet:
    """A data set as it was found.

    Attributes:
        files: the pairs; none where ``parts`` has them.
        parts: where the data set is divided.
        counts: what was left out, by what it is for people.
    """

    files: Sequence[LabelledImage]
    parts: Mapping[str, Sequence[LabelledImage]] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


def is_voc(root: Path) -> bool:
    """Whether a folder has JPEGImages and SegmentationClass."""
    return (root / "JPEGImages").is_dir() and (root / "SegmentationClass").is_dir()


def read_voc(root: Path, labels: Path | None = None) -> SegmentationSet:
    """``JPEGImages`` and ``SegmentationClass`` (or the folder ``labels``): the pairs of
    ``ImageSets/Segmentation``, train and val, which divide the data set, or else all label
    pictures.

    Raises:
        DataError: for a label picture without an image, or the reverse in a list.
        UsageError: for a folder without label pictures.
    """
    images = by_stem(image_files(root / "JPEGImages"))
    pictures = by_stem(_pictures(root / "SegmentationClass" if labels is None else labels))

    def pair(name: str, place: str) -> LabelledImage:
        stem = stem_of(name)
        for files, what in ((images, "image"), (pictures, "label picture")):
            if stem not in files:
                raise DataError(f"{place}: there is no {what} of '{name}'")
        return LabelledImage(images[stem], pictures[stem], str(images[stem].relative_to(root)))

    own = {part: root / "ImageSets" / "Segmentation" / f"{part}.txt" for part in ("train", "val")}
    if own["train"].exists():
        lists = {part: read_names(path) for part, path in own.items() if path.exists()}
        return SegmentationSet(
            (), {part: [pair(*each) for each in names] for part, names in lists.items()}
        )
    return SegmentationSet([pair(stem, str(path)) for stem, path in pictures.items()])


def label_folder(images: Path) -> Path | None:
    """The folder of label pictures beside a folder of images; None where there is none."""
    found = (images.with_name(name) for name in _LABEL_FOLDERS)
    return next((path for path in found if path.is_dir()), None)


def read_folders(root: Path, labels: Path | None, *, only_pairs: bool) -> SegmentationSet:
    """A folder of images and one of label pictures, whose files have equal names before the
    ending, also in folders below.

    ``root`` is the folder of images where ``labels`` is given; else it has ``images`` beside
    ``labels`` (or ``masks``, ``annotations``), or ``train`` and ``val`` with these in them.
    ``only_pairs`` leaves out files without a partner.

    Raises:
        DataError: for files without a partner.
        UsageError: for a folder of another form.
    """
    if labels is not None:
        files, counts = _pairs(root, root, labels, only_pairs=only_pairs)
        return SegmentationSet(files, counts=counts)
    if beside := label_folder(root / "images"):
        files, counts = _pairs(root, root / "images", beside, only_pairs=only_pairs)
        return SegmentationSet(files, counts=counts)
    parts: dict[str, list[LabelledImage]] = {}
    total: dict[str, int] = {}
    for part in ("train", "val"):
        if beside := label_folder(root / part / "images"):
            pairs = _pairs(root, root / part / "images", beside, only_pairs=only_pairs)
            parts[part] = pairs[0]
            total = {what: total.get(what, 0) + count for what, count in pairs[1].items()}
    if "train" not in parts:
        raise UsageError(
            f"{root}: expected JPEGImages and SegmentationClass (VOC), images and labels (or "
            "train/images, train/labels and so on), a folder of images with --labels FOLDER, or "
            "the name of a list"
        )
    return SegmentationSet((), parts, total)


def read_pair_list(path: Path, base: Path | None = None) -> list[LabelledImage]:
    """The pairs of a list: lines of an image and a label picture, separated by a comma or spaces.

    Paths are looked up in ``base``, by default the folder of the list; as in the lists of DeepLab
    they may begin with "/" there.

    Raises:
        DataError: for a line of another form, or a file that is not there.
    """
    folder = path.parent if base is None else base
    pairs = []
    for number, line in numbered_lines(path, "image"):
        place = f"{path}:{number}"
        words = [word.strip() for word in line.split("," if "," in line else None)]
        if len(words) != 2 or not all(words):
            raise DataError(
                f"{place}: expected an image and a label picture, got '{line[:80]}'; paths with "
                "spaces are separated by a comma"
            )
        files = [_listed_file(word, folder, place) for word in words]
        pairs.append(LabelledImage(files[0], files[1], words[0].lstrip("/"), place))
    return pairs


def _listed_file(name: str, folder: Path, place: str) -> Path:
    for path in (folder / name, folder / name.lstrip("/")):
        if path.is_file():
            return path
    raise DataError(f"{place}: there is no file {folder / name.lstrip('/')}")


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder")
    found = image_files(folder)
    if not found:
        raise UsageError(f"{folder}: has no picture in it")
    return found


def _pairs(
    root: Path, images: Path, labels: Path, *, only_pairs: bool
) -> tuple[list[LabelledImage], dict[str, int]]:
    """The pairs of two folders, and what was left out."""
    left = {name: path for name, path in _by_name(images).items() if labels not in path.parents}
    right = _by_name(labels)
    counts: dict[str, int] = {}
    for files, others, what, partner in (
        (left, right, "images", "label picture"),
        (right, left, "label pictures", "image"),
    ):
        alone = [str(files[name]) for name in files if name not in others]
        if not alone:
            continue
        told = f"{what} without {partner}"
        if not only_pairs:
            more = f" and {len(alone) - _SHOWN} more" if len(alone) > _SHOWN else ""
            raise DataError(
                f"{len(alone)} {told}: {', '.join(alone[:_SHOWN])}{more}; names must be equal "
                "before the ending; --only-pairs leaves the others out"
            )
        counts[f"{told} left out"] = len(alone)
    return [
        LabelledImage(path, right[name], str(path.relative_to(root)))
        for name, path in left.items()
        if name in right
    ], counts


def _by_name(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by their names below it, without ending.

    Raises:
        DataError: when two have the same.
    """
    found: dict[str, Path] = {}
    for path in _pictures(folder):
        name = str(path.relative_to(folder).with_suffix(""))
        if name in found:
            raise DataError(
                f"{path}: has the name of {found[name]}; it must differ before the ending"
            )
        found[name] = path
    return found
