"""Tasks that make data sets, as ``protonet create-db``, ``convert-folders``, ``convert-lists``,
``convert-vectors`` and ``convert-detection`` do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from protonet.errors import UsageError
from protonet.jobs.tasks.image_options import check_encoding, size_of
from protonet.ranks.pool import IN_TURN, Pool

if TYPE_CHECKING:
    from protonet.data.detection import Converted
    from protonet.data.vector_table import VectorTable

_PADDING = "--pad-width and --pad-height"

Progress = Callable[[int, int], None]
"""Called with the number of images done, and of all."""


@dataclass(frozen=True, kw_only=True)
class MakeGradients:
    """Gray images that brighten along x and y, with their slopes, in a new ``folder``.

    ``val_count`` None is a fifth of ``count``; ``raw`` stores pixels instead of PNG.
    """

    folder: Path
    width: int = 50
    height: int = 50
    count: int = 100
    val_count: int | None = None
    seed: int = 0
    raw: bool = False

    def make(self, progress: Progress) -> dict[str, int]:
        """Make the data set; return the number of images of each part.

        Raises:
            UsageError, DataError: as ``data.create.create_gradients``.
        """
        from protonet.data.create import create_gradients

        val_count = max(1, self.count // 5) if self.val_count is None else self.val_count
        create_gradients(
            self.folder, self.width, self.height, self.count, val_count, self.seed, self.raw,
            progress,
        )  # fmt: skip
        return {"train": self.count, "val": val_count}


@dataclass(frozen=True, kw_only=True)
class MakeShapes:
    """Images of circles, squares and triangles with their boxes, in a new ``folder``.

    ``val_count`` None is a fifth of ``count``. ``detectnet`` stores the boxes in DIGITS' form, too.
    """

    folder: Path
    width: int = 64
    height: int = 64
    count: int = 1000
    val_count: int | None = None
    seed: int = 0
    detectnet: bool = False

    def make(self, progress: Progress) -> dict[str, int]:
        """Make the data set; return the number of images of each part.

        Raises:
            UsageError, DataError: as ``data.shapes.create_shapes``.
        """
        from protonet.data.shapes import create_shapes

        val_count = max(1, self.count // 5) if self.val_count is None else self.val_count
        create_shapes(
            self.folder,
            self.width,
            self.height,
            self.count,
            val_count,
            self.seed,
            progress,
            detectnet=self.detectnet,
        )
        return {"train": self.count, "val": val_count}


@dataclass(frozen=True, kw_only=True)
class ConvertFolders:
    """Databases in ``folder`` of ``root``, which has a folder of images for each class.

    ``encoding`` stores image files of that format instead of pixels.

    Raises:
        UsageError: for an unknown encoding.
    """

    root: Path
    folder: Path
    width: int = 256
    height: int = 256
    fit: str = "squash"
    gray: bool = False
    encoding: str | None = None
    val_share: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        if self.encoding is None:
            return
        from protonet.data.datum import ENCODINGS

        if self.encoding not in ENCODINGS:
            raise UsageError(f"--encoded {self.encoding}: expected one of {', '.join(ENCODINGS)}")

    def make(self, progress: Progress, pool: Pool = IN_TURN) -> dict[str, int]:
        """Make the databases, or continue an interrupted conversion; return the images per part.

        Raises:
            UsageError, DataError: as ``data.folders.convert_folders``.
        """
        from protonet.data.folders import convert_folders
        from protonet.data.record_format import RecordFormat

        return convert_folders(
            self.root,
            self.folder,
            RecordFormat((self.height, self.width), not self.gray, self.encoding, self.fit),
            val_share=self.val_share,
            seed=self.seed,
            progress=progress,
            pool=pool,
        )


@dataclass(frozen=True, kw_only=True)
class ConvertLists:
    """Databases in ``folder`` of the images that lists of lines ``path class`` name.

    ``root`` is the folder of relative paths, ``names`` a file with the class names; without
    ``width`` and ``height`` images keep their size. With ``within`` all images must be in one of
    these folders.

    Raises:
        UsageError: for a width without a height, or an unknown encoding.
    """

    train: Path
    folder: Path
    val: Path | None = None
    root: Path = Path()
    names: Path | None = None
    width: int | None = None
    height: int | None = None
    fit: str = "squash"
    gray: bool = False
    encoding: str | None = None
    shuffle: bool = False
    seed: int = 0
    restart: bool = False
    within: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        from protonet.data.datum import ENCODINGS

        size_of(self.width, self.height)
        if self.encoding not in (None, *ENCODINGS):
            raise UsageError(f"--encoded {self.encoding}: expected one of {', '.join(ENCODINGS)}")

    def make(self, progress: Progress, pool: Pool = IN_TURN) -> dict[str, int]:
        """Make the databases, or continue an interrupted conversion; return the images per part.

        Raises:
            UsageError, DataError: as ``data.listed_set.convert_lists``.
        """
        from protonet.data.listed_set import ListedSet, convert_lists
        from protonet.data.record_format import RecordFormat

        size = size_of(self.width, self.height)
        return convert_lists(
            ListedSet(self.train, self.val, self.root, self.names, self.within),
            self.folder,
            RecordFormat(size, not self.gray, self.encoding, self.fit),
            shuffle=self.shuffle,
            seed=self.seed,
            restart=self.restart,
            progress=progress,
            pool=pool,
        )


@dataclass(frozen=True, kw_only=True)
class ConvertVectors:
    """Paired databases in ``folder`` of the images and numbers that the CSV ``table`` lists.

    ``root`` is the folder of the images, None for that of the table. Without ``width`` and
    ``height`` the images keep their size, without ``gray`` their channels; ``encoded`` stores them
    as PNG. ``restart`` discards an interrupted conversion.

    Raises:
        UsageError: for a width without a height, or the reverse.
    """

    table: Path
    folder: Path
    root: Path | None = None
    width: int | None = None
    height: int | None = None
    gray: bool | None = None
    encoded: bool = False
    val_share: float = 0.0
    shuffle: bool = False
    seed: int = 0
    restart: bool = False

    def __post_init__(self) -> None:
        size_of(self.width, self.height)

    def make(self, progress: Progress, pool: Pool = IN_TURN) -> dict[str, int]:
        """Make the databases, or continue an interrupted conversion; return the images per part.

        Raises:
            UsageError, DataError: as ``data.convert.convert_vectors``.
        """
        from protonet.data.vector_table import read_table

        return self.make_of(read_table(self.table), progress, pool)

    def make_of(
        self, table: VectorTable, progress: Progress, pool: Pool = IN_TURN
    ) -> dict[str, int]:
        """``make``, with a table that is already read."""
        from protonet.data.convert import convert_vectors
        from protonet.data.record_format import RecordFormat

        size = size_of(self.width, self.height)
        color = None if self.gray is None else not self.gray
        return convert_vectors(
            table,
            self.folder,
            RecordFormat(size, color, "png" if self.encoded else None),
            root=self.root,
            val_share=self.val_share,
            shuffle=self.shuffle,
            seed=self.seed,
            restart=self.restart,
            progress=progress,
            pool=pool,
        )


@dataclass(frozen=True, kw_only=True)
class ConvertDetection:
    """Databases in ``folder`` of ``root``, images with boxes in one of the known forms.

    ``form``, ``images``, ``classes`` and ``label_map`` are those of
    ``data.detection.DetectionInput``. Without ``width`` and ``height`` images keep their size;
    ``encoding`` is that of their files, "own", or another; None stores pixels. With ``pad_width``
    and ``pad_height`` images are extended to that size first, in black. ``repair``, ``val_least``
    and ``detectnet`` are those of ``data.detection.BoxOptions``. With ``within`` all images must
    be in one of these folders.

    Raises:
        UsageError: for a width without a height, an unknown encoding, or options that exclude each
            other.
    """

    root: Path
    folder: Path
    form: str | None = None
    images: Path | None = None
    width: int | None = None
    height: int | None = None
    fit: str = "squash"
    pad_width: int | None = None
    pad_height: int | None = None
    gray: bool = False
    encoding: str | None = "own"
    classes: tuple[str, ...] = ()
    label_map: Path | None = None
    train_list: Path | None = None
    val_list: Path | None = None
    val_share: float | None = None
    seed: int = 0
    repair: bool = False
    val_least: int = 0
    detectnet: bool = False
    restart: bool = False
    within: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        size_of(self.width, self.height)
        size_of(self.pad_width, self.pad_height, _PADDING)
        if self.classes and self.label_map is not None:
            raise UsageError("--classes and --label-map exclude each other")
        check_encoding(self.encoding)

    def make(
        self, progress: Progress, checking: Progress | None = None, pool: Pool = IN_TURN
    ) -> Converted:
        """Make the databases, or continue an interrupted conversion; ``checking`` is called while
        all is read before.

        Raises:
            UsageError, DataError: as ``data.detection.convert_detection``.
        """
        from protonet.data.detection import BoxOptions, DetectionInput, convert_detection
        from protonet.data.detection_set import Division
        from protonet.data.record_format import RecordFormat

        size = size_of(self.width, self.height)
        pad = size_of(self.pad_width, self.pad_height, _PADDING)
        division = Division(self.train_list, self.val_list, self.val_share, self.seed)
        return convert_detection(
            DetectionInput(
                self.root,
                self.form,
                self.images,
                division,
                self.label_map,
                self.classes,
                self.within,
            ),
            self.folder,
            RecordFormat(size, not self.gray, self.encoding, self.fit, pad),
            options=BoxOptions(self.repair, self.val_least, self.detectnet),
            restart=self.restart,
            progress=progress,
            pool=pool,
            checking=checking,
        )
