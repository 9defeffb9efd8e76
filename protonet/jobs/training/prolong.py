"""Another length for a run that is there: more epochs or iterations than it had, or fewer.

What was trained stays as it is. From the iteration on at which the run goes on, the learning rate
is what a training of the new length has there: ``run.json`` keeps where that was, in
``prolonged``.

Two files change, run.json and solver.prototxt. The first one decides: it is written whole with the
text of the second in it, which is taken out again when the second is written. So a process that is
killed leaves the run with its old length or with the new one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from protonet.errors import UsageError
from protonet.formats.atomic import write_atomic
from protonet.jobs.definitions.solver import set_length
from protonet.jobs.definitions.solver_extensions import heading, split
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.record import Prolonged, RunRecord
from protonet.jobs.run.settings import MOST_ITERATIONS, RunSettings, SolverSettings
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.proto.text import write_text
from protonet.solvers.check import check_solver
from protonet.solvers.schedules import make_schedule
from protonet.train.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class Length:
    """How long a run is to be: in epochs, where it was made of a pasted network, or in iterations,
    where it follows a solver file; None for as long as it was.
    """

    epochs: float | None = None
    max_iter: int | None = None

    def __bool__(self) -> bool:
        return self.epochs is not None or self.max_iter is not None

    def check(self, run: RunDirectory) -> None:
        """Refuse the unit that the run does not count in.

        Raises:
            UsageError: naming the option that would work.
        """
        follows = run.record().kind == "solver"
        if follows and self.epochs is not None:
            raise UsageError(
                f"{run.path}: follows Caffe's files, which count iterations: give --max-iter in "
                "place of --epochs"
            )
        if not follows and self.max_iter is not None:
            raise UsageError(
                f"{run.path}: was made of a network, and its length is counted in epochs: give "
                "--epochs in place of --max-iter"
            )
        if self.max_iter is not None and self.max_iter < 1:
            raise UsageError(f"max iter must be at least 1, got {self.max_iter}")
        if self.max_iter is not None and self.max_iter > MOST_ITERATIONS:
            raise UsageError(f"max iter must be at most {MOST_ITERATIONS}, got {self.max_iter}")


def change_length(
    run: RunDirectory, solver: SolverParameter, length: Length, trainer: Trainer
) -> str:
    """Change the run's files, its solver and the trainer to another length; return what to tell.

    Args:
        run: the run; nothing of it changes where the length cannot be.
        solver: the trainer's, with what ``run.json`` adds to it.
        length: the new one.
        trainer: brought to the iteration from which the run goes on.

    Raises:
        UsageError: when more was trained than the new length has, or a finished run would get
            none to train.
    """
    before, had, at = make_schedule(solver), solver.max_iter, trainer.iteration
    record = run.record()
    settings = _lengthen(solver, length, record.settings, trainer.per_epoch)
    counted = "" if length.epochs is None else f" ({length.epochs:g} epochs)"
    if solver.max_iter < at:
        raise UsageError(
            f"{run.path}: {at} iterations are trained, more than the {solver.max_iter}{counted} "
            "asked for"
        )
    if solver.max_iter == at and record.status == "done":
        raise UsageError(
            f"{run.path}: this run is finished ({at} iterations), and {solver.max_iter}{counted} "
            "are no more"
        )
    entry = Prolonged(at, had, solver.max_iter)
    _write(run, solver, replace(record, settings=settings, prolonged=(*record.prolonged, entry)))
    trainer.reconfigure()
    now = f"the run has {solver.max_iter} iterations now; it had {had}"
    if at == 0:
        return now
    was, is_ = before.rate(at - 1), trainer.schedule.rate(at)
    return f"{now}. The learning rate was {was:g} and goes on at {is_:g}"


def _write(run: RunDirectory, solver: SolverParameter, record: RunRecord) -> None:
    """Write run.json, which decides, then solver.prototxt."""
    check_solver(solver)
    plain, beyond = split(solver)
    run.write(
        replace(
            record,
            status="abort",  # there is something to train again
            beyond=beyond,
            solver_to_write=heading(beyond) + write_text(plain),
        )
    )
    finish_writing(run)


def finish_writing(run: RunDirectory) -> None:
    """Write the solver.prototxt that run.json holds, where a killed process left one there."""
    text = run.record().solver_to_write
    if text is not None:
        write_atomic(run.solver, text.encode())
        run.update(solver_to_write=None)


def prolonged_at(record: RunRecord) -> int:
    """The iteration at which the run was given another length last; -1 for never."""
    return record.prolonged[-1].at if record.prolonged else -1


def _lengthen(
    solver: SolverParameter,
    length: Length,
    settings: RunSettings | SolverSettings,
    per_epoch: float | None,
) -> RunSettings | SolverSettings:
    """Give the solver the length, and what is scaled to it; the run's settings with it."""
    if length.max_iter is not None:
        solver.max_iter = length.max_iter
        return settings
    assert isinstance(settings, RunSettings), "checked before"
    assert length.epochs is not None
    assert per_epoch is not None, "a network is trained on images"
    settings = replace(settings, epochs=length.epochs)
    set_length(solver, settings, round(per_epoch))
    return settings
