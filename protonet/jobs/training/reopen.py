"""Reopen an existing run: read its files and find its databases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from protonet.errors import DataError, UsageError
from protonet.formats.atomic import write_atomic
from protonet.jobs.definitions.paths import databases_of, inputs_of
from protonet.jobs.definitions.solver_extensions import merge
from protonet.jobs.definitions.solver_files import SolverFiles
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.fingerprint import fingerprints
from protonet.jobs.run.mean import find_copies
from protonet.jobs.run.record import RunRecord
from protonet.jobs.run.settings import RunSettings, SolverSettings
from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.text import write_text

DATABASES = ("data", "labels", "val_data", "val_labels")
"""The settings that are databases."""


@dataclass(frozen=True)
class Reopened:
    """The nets and settings of a run, and notes for the user."""

    files: SolverFiles
    record: RunRecord
    notes: tuple[str, ...] = ()


def reopen(run: RunDirectory, moved: Mapping[str, Path] | None = None) -> Reopened:
    """Read a run's files. ``moved`` has the new paths of moved databases, by setting.

    Raises:
        UsageError: when the run has no such database.
        DataError: naming a database that no longer exists, and the option for its new path.
    """
    record = run.record()
    files = SolverFiles.read(run.solver, beside=True)
    merge(files.solver, record.beyond)
    nets = list({id(net): net for net in _nets(files)}.values())
    find_copies(run, nets)
    advice = f"correct its source in {run.train_val}"
    if isinstance(record.settings, SolverSettings):
        if moved:
            raise UsageError(
                f"{run.path}: follows a solver file, so it takes no --data; "
                f"correct the sources in {run.train_val}"
            )
        _check_sources(nets, {}, advice)
        return Reopened(files, record, _changes(record, nets))
    settings = record.settings
    if moved:
        settings = _move(run, files.train.net, settings, moved)
    options = {str(path): _option(name) for name in DATABASES if (path := getattr(settings, name))}
    _check_sources(nets, options, advice)
    return Reopened(files, replace(record, settings=settings), _changes(record, nets))


def _nets(files: SolverFiles) -> list[NetParameter]:
    return [files.train.net, *(net.net for net, _ in files.tests)]


def _move(
    run: RunDirectory, net: NetParameter, settings: RunSettings, moved: Mapping[str, Path]
) -> RunSettings:
    """Write the new paths of databases into the run's files."""
    places: dict[str, str] = {}
    for name, path in moved.items():
        old = getattr(settings, name)
        if old is None:
            raise UsageError(f"{run.path}: was trained without {_option(name)}")
        places[str(old)] = str(path.resolve())
    for layer in net.layer:
        source = layer.data_param.source
        if source in places:
            layer.data_param.source = places[source]
    now = {
        name: Path(places.get(str(path), path))
        for name in DATABASES
        if (path := getattr(settings, name)) is not None
    }
    found: RunSettings = replace(settings, **now)  # type: ignore[arg-type]  # all of them are paths
    write_atomic(run.train_val, write_text(net).encode())
    run.update(settings=found)
    return found


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _check_sources(nets: Iterable[NetParameter], options: Mapping[str, str], advice: str) -> None:
    """Check that every database exists; the message names the option for a new path."""
    for source in databases_of(nets):
        if not Path(source).exists():
            option = options.get(source)
            help_ = advice if option is None else f"give its new path with {option}"
            raise DataError(f"{source}: the run's database no longer exists; {help_}")


def _changes(record: RunRecord, nets: Iterable[NetParameter]) -> tuple[str, ...]:
    """Notes on databases and files that have changed since the run began."""
    before = record.databases
    return tuple(
        f"{now.path} has changed since the run began, so the result may differ"
        for now in fingerprints(inputs_of(nets))
        if before and not any(now.is_of(other) for other in before)
    )
