"""Tasks that make data sets for segmentation, as ``protonet create-db segments`` and
``convert-segmentation`` do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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
