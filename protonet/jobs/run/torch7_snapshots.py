"""Snapshots as .t7 files, as DIGITS' Torch wrapper wrote them."""

from __future__ import annotations

import re
from pathlib import Path

from protonet.blob import Shape
from protonet.formats.caffemodel import read_weights
from protonet.jobs.run.directory import RunDirectory
from protonet.train.events import Event, Snapshotted, Started

_NAME = re.compile(r"snapshot_[\d.]+_(?:Model|Weights)\.t7")


class Torch7Snapshots:
    """Writes ``snapshot_<epoch>_Model.t7`` and ``snapshot_<epoch>_Weights.t7`` after each snapshot,
    and removes those whose snapshot is gone.

    Args:
        run: a run with ``model.t7``, the tree of modules.
        shape: of a batch of images.
    """

    def __init__(self, run: RunDirectory, shape: Shape) -> None:
        from protonet.torch7.trained import ModelWriter

        self._run = run
        self._writer = ModelWriter(run.model, shape)
        self._per_epoch = 1.0

    def __call__(self, event: Event) -> None:
        """Write the files when a snapshot is on disk."""
        match event:
            case Started():
                self._per_epoch = event.per_epoch or 1.0
            case Snapshotted():
                path, flat = self.paths(event.iteration)
                name = str(event.model)
                self._writer.write(read_weights(event.model), name, path, flat)
                self._remove_old()
            case _:
                pass

    def paths(self, iteration: int) -> tuple[Path, Path]:
        """The files of the model and of all weights as one vector."""
        epoch = f"{iteration / self._per_epoch:.4f}".rstrip("0").rstrip(".")
        folder = self._run.path
        return folder / f"snapshot_{epoch}_Model.t7", folder / f"snapshot_{epoch}_Weights.t7"

    def _remove_old(self) -> None:
        kept = {path for each in self._run.iterations() for path in self.paths(each)}
        for path in self._run.path.glob("snapshot_*.t7"):
            if _NAME.fullmatch(path.name) and path not in kept:
                path.unlink()
