"""Tasks that make data sets for segmentation, as ``protonet create-db segments`` and
``convert-segmentation`` do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from protonet.jobs.tasks.image_options import check_encoding, size_of
from protonet.ranks.pool import IN_TURN, Pool

if TYPE_CHECKING:
    from protonet.data.segmentation import Converted

Progress = Callable[[int, int], None]
"""Called with the number of images done, and of all."""


@dataclass(frozen=True, kw_only=True)
class MakeSegments:
    """Images of circles, squares and triangles with the class of each pixel, in a new ``folder``.

    ``val_count`` None is a fifth of ``count``.
    """

    folder: Path
    width: int = 64
    height: int = 64
    count: int = 1000
    val_count: int | None = None
    seed: int = 0

    def make(self, progress: Progress) -> dict[str, int]:
        """Make the data set; return the number of images of each part.

        Raises:
            UsageError, DataError: as ``data.drawn_segments.create_segments``.
        """
        from protonet.data.drawn_segments import create_segments

        val_count = max(1, self.count // 5) if self.val_count is None else self.val_count
        create_segments(
            self.folder, self.width, self.height, self.count, val_count, self.seed, progress
        )
        return {"train": self.count, "val": val_count}


@dataclass(frozen=True, kw_only=True)
class ConvertSegmentation:
    """Databases in ``folder`` of ``root``, images with label pictures in one of the known forms.

    ``form``, ``labels``, ``base``, ``coding`` and ``only_pairs`` are those of
    ``data.segmentation_input.SegmentationInput``, ``classes``, ``colors`` and ``ignore`` those of
    ``data.segmentation_classes.GivenClasses``. Without ``width`` and ``height`` images keep their
    size; ``encoding`` is that of their files, "own", or another; None stores pixels.

    Raises:
        UsageError: for a width without a height, or an unknown encoding.
    """

    root: Path
    folder: Path
    form: str | None = None
    labels: Path | None = None
    base: Path | None = None
    classes: Path | None = None
    colors: Path | None = None
    ignore: str = "auto"
    coding: str | None = None
    only_pairs: bool = False
    width: int | None = None
    height: int | None = None
    fit: str = "squash"
    gray: bool = False
    encoding: str | None = "own"
    train_list: Path | None = None
    val_list: Path | None = None
    val_share: float | None = None
    seed: int = 0
    restart: bool = False

    def __post_init__(self) -> None:
        size_of(self.width, self.height)
        check_encoding(self.encoding)

    def make(
        self, progress: Progress, checking: Progress | None = None, pool: Pool = IN_TURN
    ) -> Converted:
        """Make the databases, or continue an interrupted conversion; ``checking`` is called while
        all is read before.

        Raises:
            UsageError, DataError: as ``data.segmentation.convert_segmentation``.
        """
        from protonet.data.detection_set import Division
        from protonet.data.record_format import RecordFormat
        from protonet.data.segmentation import convert_segmentation
        from protonet.data.segmentation_classes import GivenClasses
        from protonet.data.segmentation_input import SegmentationInput

        size = size_of(self.width, self.height)
        given = SegmentationInput(
            self.root,
            self.form,
            self.labels,
            self.base,
            Division(self.train_list, self.val_list, self.val_share, self.seed),
            GivenClasses(self.classes, self.colors, self.ignore),
            self.coding,
            self.only_pairs,
        )
        return convert_segmentation(
            given,
            self.folder,
            RecordFormat(size, not self.gray, self.encoding, self.fit),
            restart=self.restart,
            checking=checking,
            progress=progress,
            pool=pool,
        )
