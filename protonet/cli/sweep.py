"""Several trainings one after another: a sweep over learning rates and batch sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from protonet.cli.terminal import complain, note, print_table
from protonet.errors import TrainingError
from protonet.train.interrupts import INTERRUPTED

if TYPE_CHECKING:
    from protonet.jobs.training.join import Outcome

    Job = Callable[..., Outcome]


@dataclass(frozen=True)
class Planned:
    """A training to run; ``name`` tells it from the others of its sweep."""

    name: str
    job: Job


def train_all(planned: Sequence[Planned], train: Callable[[Job], Outcome], *, quiet: bool) -> int:
    """Run the trainings in order; the exit code: of an interrupt, or of the last failure, or 0.

    In a sweep, one whose loss becomes no number ends the others not. One that is interrupted does.
    """
    if len(planned) == 1:
        return INTERRUPTED if train(planned[0].job).result.interrupted else 0
    rows, code = [], 0
    for place, each in enumerate(planned):
        if not quiet:
            note(f"training {place + 1} of {len(planned)}: {each.name}")
        try:
            outcome = train(each.job)
        except TrainingError as error:
            complain(f"{each.name}: {error}")
            rows.append((each.name, "failed", "", ""))
            code = error.exit_code
            continue
        rows.append((each.name, *_shown(outcome)))
        if outcome.result.interrupted:
            code = INTERRUPTED
            left = ", ".join(other.name for other in planned[place + 1 :])
            if left:
                note(f"not trained: {left}")
            break
    if not quiet:
        click.echo()
        print_table(("training", "loss", "best validation", "results"), rows)
    return code


def _shown(outcome: Outcome) -> tuple[str, str, str]:
    """The loss, the best validation, and the folder of a training."""
    figures = outcome.run.figures()
    best = f"{abs(min(figures.values())):.6g}" if figures else ""
    return f"{outcome.result.loss:.6g}", best, str(outcome.run.path)
