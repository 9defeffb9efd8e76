"""Trainings to do: a network with its settings, or a run to go on with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from protonet.jobs.run.settings import RunSettings

if TYPE_CHECKING:
    from protonet.jobs.training.session import Watch
    from protonet.jobs.training.start import Outcome
    from protonet.train.events import Listener


@dataclass(frozen=True)
class TrainNetwork:
    """Train the network whose text is the file ``network``."""

    network: Path
    settings: RunSettings

    def train(self, listeners: Sequence[Listener], watch: Watch) -> Outcome:
        """Train in a new run directory.

        Raises:
            As ``jobs.training.start.start``.
        """
        from protonet.jobs.tasks.telling import lines_of
        from protonet.jobs.training.start import start
        from protonet.proto.text import Source, read_net

        return start(
            read_net(Source.read(self.network)),
            self.settings,
            listeners=listeners,
            watch=watch,
            progress=lines_of("images of the mean"),
        )


@dataclass(frozen=True)
class ResumeRun:
    """Go on with a run directory, with ``epochs`` for another length of the whole."""

    run: Path
    epochs: float | None = None

    def train(self, listeners: Sequence[Listener], watch: Watch) -> Outcome:
        """Go on from the newest snapshot.

        Raises:
            As ``jobs.training.resume.resume``.
        """
        from protonet.jobs.training.resume import Changes, resume

        return resume(self.run, Changes(epochs=self.epochs), listeners=listeners, watch=watch)
