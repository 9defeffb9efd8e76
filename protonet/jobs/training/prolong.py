"""Change the length of an existing run: more epochs or iterations, or fewer.

Completed iterations stay. From the iteration at which the run resumes, the learning rate follows
the schedule of the new length; ``run.json`` stores that iteration in ``prolonged``.

Two files change, run.json and solver.prototxt. run.json is written atomically, with the text of
solver.prototxt in it, which is removed once solver.prototxt is written. So a killed process leaves
the run with its old length or with the new one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from protonet.errors import UsageError
from protonet.formats.atomic import write_atomic
from protonet.jobs.definitions.solver import set_length
from protonet.jobs.definitions.solver_extensions import heading, split
from protonet.jobs.run.bounds import MOST_ITERATIONS
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.record import Prolonged, RunRecord
from protonet.jobs.run.settings import RunSettings, SolverSettings
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.proto.text import write_text
from protonet.solvers.check import check_solver
from protonet.solvers.schedules import make_schedule
from protonet.train.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class Length:
    """The new length of a run: in epochs for a pasted network, or in iterations for a solver file;
    None for unchanged.
    """

    epochs: float | None = None
    max_iter: int | None = None

    def __bool__(self) -> bool:
        return self.epochs is not None or self.max_iter is not None

    def check(self, run: RunDirectory) -> None:
        """Refuse the unit that does not apply to the run.

        Raises:
            UsageError: naming the option that would work.
        """
        follows = run.record().kind == "solver"
        if follows and self.epochs is not None:
            raise UsageError(
                f"{run.path}: follows a solver file, which counts iterations: give --max-iter "
                "instead of --epochs"
            )
        if not follows and self.max_iter is not None:
            raise UsageError(
                f"{run.path}: trains a network, and its length is in epochs: give "
                "--epochs instead of --max-iter"
            )
        if self.max_iter is not None and self.max_iter < 1:
            raise UsageError(f"max iter must be at least 1, got {self.max_iter}")
        if self.max_iter is not None and self.max_iter > MOST_ITERATIONS:
            raise UsageError(f"max iter must be at most {MOST_ITERATIONS}, got {self.max_iter}")


def change_length(
    run: RunDirectory, solver: SolverParameter, length: Length, trainer: Trainer
) -> str:
    """Change the length in the run's files, its solver and the trainer; return a note.

    Args:
        run: the run; left unchanged if the length is refused.
        solver: the trainer's, with the extensions of ``run.json``.
        length: the new one.
        trainer: at the iteration at which the run resumes.

    Raises:
        UsageError: when more iterations are done than the new length has, or a finished run would
        have none to train.
    """
    before, had, at = make_schedule(solver), solver.max_iter, trainer.iteration
    record = run.record()
    settings = _lengthen(solver, length, record.settings, trainer.per_epoch)
    counted = "" if length.epochs is None else f" ({length.epochs:g} epochs)"
    if solver.max_iter < at:
        raise UsageError(
            f"{run.path}: {at} iterations are done, more than the requested "
            f"{solver.max_iter}{counted}"
        )
    if solver.max_iter == at and record.status == "done":
        raise UsageError(
            f"{run.path}: this run is finished ({at} iterations); {solver.max_iter}{counted} "
            "would not lengthen it"
        )
    entry = Prolonged(at, had, solver.max_iter)
    _write(run, solver, replace(record, settings=settings, prolonged=(*record.prolonged, entry)))
    trainer.reconfigure()
    now = f"the run now has {solver.max_iter} iterations instead of {had}"
    if at == 0:
        return now
    was, is_ = before.rate(at - 1), trainer.schedule.rate(at)
    return f"{now}. The learning rate was {was:g} and continues at {is_:g}"


def _write(run: RunDirectory, solver: SolverParameter, record: RunRecord) -> None:
    """Write run.json, which is authoritative, then solver.prototxt."""
    check_solver(solver)
    plain, beyond = split(solver)
    run.write(
        replace(
            record,
            status="abort",  # there are iterations to train again
            beyond=beyond,
            solver_to_write=heading(beyond) + write_text(plain),
        )
    )
    finish_writing(run)


def finish_writing(run: RunDirectory) -> None:
    """Write the solver.prototxt that a killed process left in run.json, if any."""
    text = run.record().solver_to_write
    if text is not None:
        write_atomic(run.solver, text.encode())
        run.update(solver_to_write=None)


def prolonged_at(record: RunRecord) -> int:
    """The iteration of the run's last change of length; -1 for none."""
    return record.prolonged[-1].at if record.prolonged else -1


def _lengthen(
    solver: SolverParameter,
    length: Length,
    settings: RunSettings | SolverSettings,
    per_epoch: float | None,
) -> RunSettings | SolverSettings:
    """Set the solver's length, and the schedule scaled to it; return the run's settings."""
    if length.max_iter is not None:
        solver.max_iter = length.max_iter
        return settings
    assert isinstance(settings, RunSettings), "checked before"
    assert length.epochs is not None
    assert per_epoch is not None, "a network is trained on images"
    settings = replace(settings, epochs=length.epochs)
    set_length(solver, settings, round(per_epoch))
    return settings
