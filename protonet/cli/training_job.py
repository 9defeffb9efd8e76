"""The training of ``protonet train``: of a network, of a solver file, or a resumed run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protonet.cli.sweep import Planned
from protonet.cli.terminal import note
from protonet.errors import UsageError, nearest
from protonet.jobs.run.bounds import SOLVERS
from protonet.jobs.run.sweep import MOST, sweep
from protonet.jobs.tasks.progress_log import log_progress

if TYPE_CHECKING:
    from protonet.jobs.run.settings import RunSettings
    from protonet.jobs.training.join import Outcome

    Job = Callable[..., Outcome]

TORCH_NAMES = {"nag": "TorchNAG"}
"""Names of Torch7's optim that are no names of Caffe's rules."""
_OPTION_NAMES = {
    "steps": "step",
    "stages": "stage",
    "fuse": "no_fuse",
    "accumulation": "accumulate",
    "lrs": "lr",
    "batch_sizes": "batch_size",
}
_IN_SOLVER_FILES = {
    "epochs": "max_iter",
    "max_iter": "max_iter",
    "snapshot_every": "snapshot",
    "val_every": "test_interval",
    "accumulation": "iter_size",
}
"""The fields of a solver file for these options, in iterations."""
_DATABASES = ("data", "labels", "val_data", "val_labels")
"""Options of --resume for moved databases."""


def _trust(given: dict[str, Any]) -> dict[str, Any]:
    """Replace --untrusted and --allow-python-layers by one setting."""
    untrusted, allowed = given.pop("untrusted", False), given.pop("allow_python_layers", False)
    if allowed and not untrusted:
        raise UsageError(
            "--allow-python-layers requires --untrusted; otherwise they are allowed anyway"
        )
    return {**given, "python_layers": False} if untrusted and not allowed else given


def choose_jobs(network: str | None, resume: Path | None, options: dict[str, Any]) -> list[Planned]:
    """The job that the given options select, or the jobs of a sweep.

    Raises:
        UsageError: for contradictory options, or none.
    """
    given = _trust(options)
    if resume is not None:
        if network is not None:
            raise UsageError("--resume continues a run; it takes no NETWORK")
        return [Planned("", _resuming(resume, given))]
    if network is not None:
        return _training(network, given)
    if "solver" in given:
        return [Planned("", _following(given))]
    raise UsageError(
        "nothing to train: give NETWORK (a prototxt file, or '-'), "
        "--solver SOLVER.prototxt, or --resume RUN"
    )


def _resuming(run: Path, given: dict[str, Any]) -> Job:
    moved = {name: given.pop(name) for name in _DATABASES if name in given}
    from protonet.jobs.training.resume import ResumeOptions, resume

    known = [field.name for field in fields(ResumeOptions)]
    _refuse_others(given, known, "--resume", "a run keeps its settings")
    return partial(resume, run, ResumeOptions(moved=moved, **given))


def _following(given: dict[str, Any]) -> Job:
    """Train with a solver file."""
    path = Path(given.pop("solver"))
    if not path.exists():
        what = f"--solver {path}: no such file"
        if match_solver(str(path)) is not None:
            what = f"--solver {path} names an update rule, which needs a NETWORK to train"
        raise UsageError(f"{what}; without NETWORK, --solver is one of Caffe's solver files")
    if "weights" in given and "snapshot" in given:
        raise UsageError(
            "--weights starts a new training, --snapshot continues one; give one of them"
        )
    from protonet.jobs.run.settings import SolverSettings
    from protonet.jobs.training.start import start_solver

    known = [field.name for field in fields(SolverSettings)]
    said = [_IN_SOLVER_FILES[name] for name in given if name in _IN_SOLVER_FILES]
    there = f" ({', '.join(dict.fromkeys(said))})" if said else ""
    _refuse_others(given, known, f"--solver {path}", f"the file has its own{there}")
    return partial(start_solver, path, SolverSettings(**given))


def _training(network: str, given: dict[str, Any]) -> list[Planned]:
    """Train a pasted network, once for each learning rate and batch size."""
    _refuse_of_solver_files(given)
    if "val_every" in given and "val_data" not in given:
        raise UsageError("--val-every needs validation data: --val-data")
    if "solver" in given:
        given["solver"] = _solver_type(given["solver"])
    if "steps" in given:
        given["steps"] = percentages(given["steps"])
    if "weights" in given:
        from protonet.jobs.inference.weights import with_runs

        given["weights"] = with_runs(given["weights"])
    from protonet.jobs.run.settings import RunSettings

    plans = sweep(given.pop("lrs", (RunSettings.lr,)), given.pop("batch_sizes", ()))
    if len(plans) > MOST:
        raise UsageError(f"{len(plans)} trainings of one sweep; at most {MOST}")
    wanted = [RunSettings(**given, lr=rate, batch_size=size) for _, rate, size in plans]
    return _planned(network, [name for name, _, _ in plans], wanted)


def _planned(network: str, names: Sequence[str], wanted: Sequence[RunSettings]) -> list[Planned]:
    """The trainings of a network; several are in folders of one."""
    from protonet.jobs.reading.network import read_definition, read_network, shapes_of
    from protonet.jobs.training.new_run import run_name
    from protonet.jobs.training.start import start
    from protonet.proto.source import Source

    if network == "-" and sys.stdin.isatty():
        note("paste the network, then press Ctrl-D on an empty line")
    source = Source.read(network) if network == "-" else None  # which can be read once
    planned, folder = [], wanted[0].out
    for name, given in zip(names, wanted, strict=True):
        shapes, settings = shapes_of(given), given
        pasted = (
            read_network(network, shapes) if source is None else read_definition(source, shapes)
        )
        if name:
            folder = folder or Path("runs", f"{run_name(pasted)}-{datetime.now():%Y%m%d-%H%M%S}")
            settings = replace(given, out=folder / name.replace(" ", "-"))
        told = log_progress("images of the mean")
        planned.append(Planned(name, partial(start, pasted, settings, progress=told)))
    return planned


def _refuse_of_solver_files(given: dict[str, Any]) -> None:
    """Refuse options of solver files, for the training of a network."""
    if "data" not in given:
        raise UsageError("--data is missing: the LMDB of the training images")
    if "snapshot" in given:
        raise UsageError(
            "--snapshot requires a solver file: --solver SOLVER.prototxt; to continue a run "
            "directory, use --resume, and to start a network from weights, --weights"
        )
    if "max_iter" in given:
        raise UsageError(
            "--max-iter requires --resume RUN, of a run of a solver file; for a NETWORK use "
            "--epochs"
        )
    if "batch_per_rank" in given:
        raise UsageError(
            "--batch-per-rank requires a solver file; --batch-size of a NETWORK is the batch of "
            "all ranks"
        )
    for name in ("level", "stages"):
        if name in given:
            raise UsageError(
                f"--{_OPTION_NAMES.get(name, name)} requires a solver file; a NETWORK is trained "
                "in stage train and validated in stage val"
            )


def _refuse_others(given: dict[str, Any], known: Sequence[str], option: str, why: str) -> None:
    odd = [_OPTION_NAMES.get(name, name).replace("_", "-") for name in given if name not in known]
    if odd:
        names = ", ".join(f"--{name}" for name in odd)
        raise UsageError(f"{option} cannot be combined with {names}: {why}")


def _solver_type(text: str) -> str:
    found = match_solver(text)
    if found is not None:
        return found
    if text.endswith(".prototxt") or Path(text).exists():
        raise UsageError(
            f"--solver {text} is a file with its own net: omit NETWORK, or give "
            f"an update rule ({', '.join(known_solvers())})"
        )
    raise UsageError(
        f"--solver: no update rule '{text}'{nearest(text, known_solvers())}\n"
        f"    known are {', '.join(known_solvers())}"
    )


def match_solver(text: str) -> str | None:
    """The update rule with this name, ignoring case, or None."""
    if text.lower() in TORCH_NAMES:
        return TORCH_NAMES[text.lower()]
    return next((name for name in known_solvers() if name.lower() == text.lower()), None)


def known_solvers() -> list[str]:
    """The update rules, including those of ``--import``: first ours, in the order of the help."""
    from protonet.solvers.update_rule import rule_names

    return [*SOLVERS, *(name for name in rule_names() if name not in SOLVERS)]


def percentages(text: str) -> tuple[float, ...]:
    """The numbers of a list such as ``50,75``.

    Raises:
        UsageError: for anything else.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"--step: expected percentages such as 33 or 50,75, got '{text}'"
        ) from None
