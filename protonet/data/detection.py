"""Detection data sets of other forms to databases of records with boxes, as convert_annoset."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from protonet.data.allowed import AllowedFolders
from protonet.data.annotate import write_label_map
from protonet.data.box_table import read_box_table
from protonet.data.coco_set import is_coco, read_coco
from protonet.data.create import Progress
from protonet.data.detection_boxes import Boxes, MeasuredFile, measure_all
from protonet.data.detection_classes import Classes, choose_classes
from protonet.data.detection_parts import PartWriter
from protonet.data.detection_set import AnnotatedFile, DetectionSet, Division, Parts
from protonet.data.kitti_set import is_kitti, read_kitti
from protonet.data.record_format import RecordFormat
from protonet.data.resumable import ResumableOutput, Settings, refuse_existing, resumable_output
from protonet.data.set_file import write_file
from protonet.data.voc_set import is_voc, read_voc
from protonet.errors import UsageError
from protonet.ranks.pool import IN_TURN, Pool

FORMS = ("kitti", "voc", "coco", "csv")
"""What data sets are read."""
NAME_SIZES = "test_name_size.txt"
"""The file with name, height and width of each validation image."""


@dataclass(frozen=True)
class DetectionInput:
    """A data set: a folder, or a file of JSON or CSV.

    ``form`` is one of FORMS, or None to tell by what is there; ``images`` is the folder of the
    images of COCO and CSV. ``label_map`` or ``classes`` prescribe the numbers of classes. With
    ``within`` all images must be in one of these folders.
    """

    root: Path
    form: str | None = None
    images: Path | None = None
    division: Division = field(default_factory=Division)
    label_map: Path | None = None
    classes: Sequence[str] = ()
    within: Sequence[Path] = ()

    def read(self) -> DetectionSet:
        """What the data set has.

        Raises:
            UsageError: for a folder of no known form.
            DataError: for annotations that cannot be used.
        """
        form = self._form()
        if self.images is not None and form in ("kitti", "voc"):
            raise UsageError(f"--images does not apply: {self.root} is of the form {form}")
        if form == "kitti":
            return read_kitti(self.root)
        if form == "voc":
            lists = (self.division.train_list, self.division.val_list)
            # Images that no list names are for training where only the others are listed.
            only = () if lists[0] is None else [path for path in lists if path is not None]
            return read_voc(self.root, only)
        if form == "coco":
            return read_coco(self.root, self.images)
        return read_box_table(self.root, self.images)

    def _form(self) -> str:
        if not self.root.exists():
            raise UsageError(f"{self.root}: there is no such file or folder")
        if self.form is not None:
            return self.form
        for form, fits in (("voc", is_voc), ("coco", is_coco), ("kitti", is_kitti)):
            if fits(self.root):
                return form
        if self.root.is_file():
            return "csv"
        raise UsageError(
            f"{self.root}: expected images and labels (KITTI), JPEGImages and Annotations (VOC), "
            "annotations/instances_train*.json (COCO), or the name of a CSV file"
        )


@dataclass(frozen=True)
class BoxOptions:
    """Which boxes are stored, and how.

    ``repair`` clips boxes to their images and leaves out empty ones; else they are mistakes.
    ``val_least`` leaves out boxes of validation images with a side of fewer pixels. ``detectnet``
    makes train_boxes and val_boxes, too: the boxes in DIGITS' form.
    """

    repair: bool = False
    val_least: int = 0
    detectnet: bool = False

    def values(self) -> dict[str, Any]:
        """The options that the databases are of, for people."""
        given: dict[str, Any] = {"repair": self.repair}
        if self.detectnet:
            given["detectnet"] = True
        return given


_PLAIN = BoxOptions()


@dataclass(frozen=True)
class Converted:
    """The number of images of each part, of boxes, and of what was left out or changed."""

    parts: dict[str, int]
    boxes: int
    classes: int
    counts: dict[str, int]


def convert_detection(
    given: DetectionInput,
    folder: Path,
    form: RecordFormat,
    *,
    options: BoxOptions = _PLAIN,
    restart: bool = False,
    progress: Progress | None = None,
    checking: Progress | None = None,
    pool: Pool = IN_TURN,
) -> Converted:
    """Make the databases train_images and val_images in a new ``folder``, with labelmap.prototxt
    and, where there are validation images, test_name_size.txt.

    Annotations and headers of images are read first, with ``checking`` called after each: nothing
    is written when one is wrong. It resumes and uses ``pool`` as ``data.convert.convert_vectors``.

    Raises:
        UsageError: when the folder exists, or was started with other settings.
        DataError: for annotations or images that cannot be used; names file and line.
    """
    refuse_existing(folder)
    found = given.read()
    divided = given.division.parts(found)
    classes = choose_classes(found, divided, names=given.classes, label_map=given.label_map)
    boxes = Boxes(classes.labels, form, classes.only, options.repair)
    if found.left_out:
        boxes.counts["regions of type DontCare left out"] = found.left_out
    allowed = AllowedFolders(given.within)
    parts = _measured(divided, boxes, {"val": options.val_least}, allowed, checking)
    settings = Settings({**form.values(), "root": str(given.root.resolve()), **options.values()})
    with resumable_output(folder, settings, restart=restart) as work:
        _write_parts(work, parts, form, options, progress, pool)
        _write_sidecars(work.folder, parts.get("val", []), classes, form)
    return Converted(
        {part: len(files) for part, files in parts.items()},
        sum(len(each.objects.boxes) for files in parts.values() for each in files),
        len(set(classes.labels.values()) - {0}),
        dict(sorted(boxes.counts.items())),
    )


def _measured(
    divided: Parts,
    boxes: Boxes,
    least: Mapping[str, int],
    allowed: AllowedFolders,
    checking: Progress | None,
) -> dict[str, list[MeasuredFile]]:
    """The images of each part with their objects; each must be in the allowed folders. ``least`` is
    the least side of boxes of a part.
    """
    total = sum(map(len, divided.values()))
    done = itertools.count(1)

    def checked(files: Iterable[AnnotatedFile]) -> Iterator[AnnotatedFile]:
        for each in files:
            allowed.check(each.path, each.where)
            yield each
            if checking is not None:
                checking(next(done), total)

    return {
        part: measure_all(checked(files), replace(boxes, least=least.get(part, 0)))
        for part, files in divided.items()
    }


def _write_parts(
    work: ResumableOutput,
    parts: Mapping[str, Sequence[MeasuredFile]],
    form: RecordFormat,
    options: BoxOptions,
    progress: Progress | None,
    pool: Pool,
) -> None:
    done, total = 0, sum(map(len, parts.values()))
    for part, files in parts.items():
        writer = PartWriter(work, part, files, form, detectnet=options.detectnet, pool=pool)
        writer.write(_watch(work, done, total, progress))
        done += len(files)


def _write_sidecars(
    folder: Path, val: Sequence[MeasuredFile], classes: Classes, form: RecordFormat
) -> None:
    """The label map, and the sizes that the boxes of validation images are fractions of."""
    if val:
        moved = form.size if form.fit != "squash" else None
        lines = []
        for file, size, _ in val:
            height, width = size if moved is None else moved
            name = "_".join(Path(file.name).stem.split())
            lines.append(f"{name} {height} {width}\n")
        text = "".join(lines).encode("utf-8", "surrogateescape")
        write_file(folder / NAME_SIZES, text)
    write_label_map(folder, classes.label_map)


def _watch(
    work: ResumableOutput, before: int, total: int, progress: Progress | None
) -> Callable[[int], None]:
    """Counts the records of a part that begins after ``before`` records."""

    def watch(done: int) -> None:
        work.done = before + done
        if progress is not None:
            progress(before + done, total)

    return watch
