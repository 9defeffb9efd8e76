"""run.json: the settings, inputs and status of a run, as one frozen dataclass."""

from __future__ import annotations

import json
import platform
import time
from dataclasses import dataclass, field, fields, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import protonet
from protonet.errors import FormatError, UsageError
from protonet.formats.atomic import write_atomic
from protonet.formats.json_text import parse_json
from protonet.jobs.json_form import from_json, to_json
from protonet.jobs.run.fingerprint import Fingerprint
from protonet.jobs.run.settings import RunSettings, SolverSettings

VERSION = 2
"""Of the format. The first had no number, and settings of solver runs at the top level."""

_SETTINGS: dict[str, type[RunSettings | SolverSettings]] = {
    "network": RunSettings,
    "solver": SolverSettings,
}


def _versions() -> dict[str, str]:
    """The versions of packages in this process."""
    packages = ("numpy", "protobuf", "lmdb", "pillow")
    return {
        "protonet": protonet.__version__,
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
    }


@dataclass(frozen=True)
class Prolonged:
    """A change of length at an iteration, from ``before`` to ``after`` iterations."""

    at: int
    before: int
    after: int


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """The record of a run.

    ``settings`` are those of a pasted network, or of a solver file. ``prefix`` is the prefix of the
    snapshots relative to the run's folder, ``prefix_given`` that of the solver file; ``hdf5``
    whether they are HDF5. ``beyond`` are the solver's settings that Caffe does not have.
    ``image_shape`` (channels, height, width) and ``transform`` are for inference, None without a
    deploy net. ``prolonged`` are the changes of length; ``solver_to_write`` is a solver.prototxt
    that is still to be written. ``began_with`` is the .solverstate of another training from which
    this one started. ``databases`` are those that layers read, and
    other files; ``shards`` those that ranks have of their own. ``status`` is init, run, done, abort
    or error.
    """

    settings: RunSettings | SolverSettings
    prefix: str
    name: str = ""
    prefix_given: str | None = None
    hdf5: bool = False
    beyond: dict[str, Any] = field(default_factory=dict)
    texts: tuple[Fingerprint, ...] = ()
    databases: tuple[Fingerprint, ...] = ()
    shards: tuple[Fingerprint, ...] = ()
    image_shape: tuple[int, int, int] | None = None
    transform: str | None = None
    prolonged: tuple[Prolonged, ...] = ()
    solver_to_write: str | None = None
    began_with: str | None = None
    status: str = "init"
    error: str | None = None
    iteration: int | None = None
    loss: float | None = None
    resumed_at: int | None = None
    versions: dict[str, str] = field(default_factory=_versions)
    machine: str = field(default_factory=platform.platform)
    created: float = field(default_factory=time.time)
    changed: float = field(default_factory=time.time)

    @property
    def kind(self) -> str:
        """``network`` for a pasted network, ``solver`` for a solver file."""
        return next(name for name, cls in _SETTINGS.items() if isinstance(self.settings, cls))


def write_record(record: RunRecord, path: Path) -> None:
    """Write run.json atomically."""
    values = to_json(replace(record, changed=time.time()))
    whole = {"version": VERSION, "kind": record.kind, **values}
    write_atomic(path, (json.dumps(whole, indent=2) + "\n").encode())


def read_record(path: Path) -> RunRecord:
    """Read run.json, in the format of this or an older version.

    Raises:
        FormatError: when it is damaged.
        UsageError: when a newer protonet wrote it.
    """
    try:
        values = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FormatError(f"{path}: damaged: {error}") from error
    if not isinstance(values, dict) or "kind" not in values:
        raise FormatError(f"{path}: not a run.json of protonet")
    version = values.pop("version", 1)
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        raise UsageError(
            f"{path}: has version {json.dumps(version)[:20]}, written by a newer protonet; this "
            f"one reads versions up to {VERSION}"
        )
    kind = values.pop("kind")
    if not isinstance(kind, str) or kind not in _SETTINGS:
        raise FormatError(
            f"{path}: damaged: expected kind as one of {', '.join(_SETTINGS)}, "
            f"got {json.dumps(kind)[:60]}"
        )
    if version == 1:
        _raise_from_1(values)
    settings = values.pop("settings", {})
    if not isinstance(settings, dict):
        raise FormatError(
            f"{path}: damaged: expected settings as dict, got {json.dumps(settings)[:60]}"
        )
    told = from_json(_SETTINGS[kind], settings, f"{path}: settings")
    return from_json(RunRecord, values, str(path), settings=told)


def _raise_from_1(values: dict[str, Any]) -> None:
    """Upgrade the first format to the second: move settings of the top level to ``settings``, and
    drop fields that are no longer used.
    """
    beside = {each.name for each in fields(SolverSettings)} & values.keys()
    moved = {name: values.pop(name) for name in beside}
    settings = values.get("settings", {})
    if isinstance(settings, dict):
        values["settings"] = {**settings, **moved}
    for name in values.keys() - {each.name for each in fields(RunRecord)}:
        del values[name]
