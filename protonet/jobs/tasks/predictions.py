"""The task that predicts on many images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from protonet.errors import UsageError

if TYPE_CHECKING:
    from protonet.jobs.predictions.stored import About


@dataclass(frozen=True, kw_only=True)
class PredictImages:
    """Predict with a run on the images of a database, a folder or a list.

    ``folders`` are those in which files of a list may be; empty for anywhere. ``most`` limits the
    number of images.
    """

    run: Path
    images: Path
    labels: Path | None = None
    snapshot: str = "last"
    most: int | None = None
    folders: tuple[Path, ...] = ()

    def predict(self, folder: Path, progress: Callable[[int, int], None]) -> About:
        """Predict, and keep the predictions in ``folder``.

        Raises:
            UsageError, DataError: as ``jobs.predictions.predict.predict_all``.
        """
        from protonet.jobs.predictions.predict import predict_all
        from protonet.jobs.run.directory import RunDirectory

        return predict_all(
            RunDirectory.open(self.run), folder, self.images, self.labels, self.snapshot,
            most=self.most, progress=progress, allow=self._allow,
        )  # fmt: skip

    def _allow(self, file: Path) -> None:
        """Refuse a file outside of the folders.

        Raises:
            UsageError: naming it.
        """
        real = file.resolve()
        if self.folders and not any(real.is_relative_to(each) for each in self.folders):
            raise UsageError(f"{file}: outside of the folders that may be read")
