"""Tasks that train: a network with its settings, or a run to resume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from protonet.jobs.run.settings import RunSettings
from protonet.ranks.communicator import ALONE, Communicator

if TYPE_CHECKING:
    from protonet.jobs.training.join import Outcome
    from protonet.jobs.training.session import OnTrainer
    from protonet.train.events import Listener


@dataclass(frozen=True)
class TrainNetwork:
    """Train the network in the file ``network``."""

    network: Path
    settings: RunSettings

    def wanted_ranks(self) -> int:
        """The ranks that it is to have."""
        return self.settings.wanted_ranks()

    def train(
        self,
        listeners: Sequence[Listener],
        on_trainer: OnTrainer,
        ranks: Communicator = ALONE,
    ) -> Outcome:
        """Train in a new run directory.

        Raises:
            As ``jobs.training.start.start``.
        """
        from protonet.jobs.reading.network import read_definition, shapes_of
        from protonet.jobs.tasks.progress_log import log_progress
        from protonet.jobs.training.start import start
        from protonet.proto.text import Source

        return start(
            read_definition(Source.read(self.network), shapes_of(self.settings)),
            self.settings,
            listeners=listeners,
            on_trainer=on_trainer,
            progress=log_progress("images of the mean"),
            ranks=ranks,
        )


@dataclass(frozen=True)
class ResumeRun:
    """Resume a run directory; ``epochs`` is a new total length, ``device`` another device."""

    run: Path
    epochs: float | None = None
    device: str | None = None

    def wanted_ranks(self) -> int:
        """The ranks that it is to have: as many as before, or one for each of other GPUs."""
        from protonet.jobs.run.directory import RunDirectory
        from protonet.ranks.devices import count_devices

        settings = RunDirectory.open(self.run).record().settings
        if self.device in (None, "cpu", settings.device):
            return settings.wanted_ranks()
        return count_devices(self.device)

    def train(
        self,
        listeners: Sequence[Listener],
        on_trainer: OnTrainer,
        ranks: Communicator = ALONE,
    ) -> Outcome:
        """Resume from the newest snapshot.

        Raises:
            As ``jobs.training.resume.resume``.
        """
        from protonet.jobs.training.resume import ResumeOptions, resume

        changes = ResumeOptions(epochs=self.epochs, device=self.device)
        return resume(self.run, changes, listeners=listeners, on_trainer=on_trainer, ranks=ranks)
