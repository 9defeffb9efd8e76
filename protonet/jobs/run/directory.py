"""A run directory: all files of one training, and what inference needs."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import protonet
from protonet.errors import FormatError, UsageError
from protonet.formats.atomic import remove_partial, write_atomic
from protonet.formats.json_text import parse_json
from protonet.proto.text import Source
from protonet.train.listeners import figure, read_metrics
from protonet.train.snapshot import Snapshots

_HASHED = 64 * 2**20
"""Bytes of a database that are hashed: of a larger one the beginning and the end."""


_KINDS: dict[str, type | tuple[type, ...]] = {
    "kind": str,
    "status": str,
    "prefix": str,
    "prefix_given": str,
    "device": str,
    "precision": str,
    "began_with": str,
    "seed": int,
    "memory_limit": int,
    "keep": int,
    "early_stop": int,
    "settings": dict,
    "beyond": dict,
    "prolonged": list,
    "solver_to_write": str,
    "databases": list,
    "image_shape": list,
    "transform": str,
    "average": (int, float),
    "hdf5": bool,
}
"""What values of run.json are, where they are there and not null."""


class _Info(dict[str, Any]):
    """What run.json holds; a value that is asked for and absent is the file's fault."""

    def __init__(self, values: dict[str, Any], path: Path) -> None:
        super().__init__(values)
        self._path = path

    def __missing__(self, name: str) -> Any:
        raise FormatError(f"{self._path}: damaged: it lacks {name}")


class RunDirectory:
    """The files of a run, by name. ``run.json`` says what kind of run it is and how it stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.original = path / "original.prototxt"
        self.original_solver = path / "original_solver.prototxt"
        self.train_val = path / "train_val.prototxt"
        self.solver = path / "solver.prototxt"
        self.deploy = path / "deploy.prototxt"
        self.mean = path / "mean.binaryproto"
        self.labels = path / "labels.txt"
        self.metrics = path / "metrics.jsonl"
        self.log = path / "train.log"
        self.picture = path / "loss.png"
        self.info = path / "run.json"
        self._beginning = path / ".beginning"
        self._made: list[Path] = []

    @staticmethod
    def create(out: Path | None, name: str) -> RunDirectory:
        """Make a new directory: ``out``, or ``runs/<name>-<time>``.

        Raises:
            UsageError: when ``out`` exists and is not empty, or cannot be made.
        """
        try:
            if out is None:
                return _unique(Path("runs"), name)
            run = RunDirectory(out)
            run._clear_torn()
            if out.exists() and (not out.is_dir() or any(out.iterdir())):
                raise UsageError(f"{out}: exists already; choose another --out, or --resume it")
            run._make()
        except OSError as error:
            raise UsageError(f"{error.filename}: cannot be made: {error.strerror}") from error
        return run

    @staticmethod
    def open(path: Path) -> RunDirectory:
        """An existing run.

        Raises:
            UsageError: when ``path`` is no run directory.
        """
        run = RunDirectory(path)
        if not path.exists():
            raise UsageError(f"{path}: there is no such run directory")
        if not run.info.exists():
            torn = run._beginning.exists()
            raise UsageError(
                f"{path}: was ended before it began, so there is nothing to resume; "
                "give the command that made it once more"
                if torn
                else f"{path}: is no run directory: it has no run.json "
                "(it is written when a run is about to begin)"
            )
        return run

    def discard(self) -> None:
        """Remove what ``create`` made, and all that has been put there since."""
        for entry in self.path.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        for folder in self._made:
            with suppress(OSError):  # something else is in it by now
                folder.rmdir()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from training this run; a killed process holds nothing.

        Raises:
            UsageError: when another process trains it.
        """
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise UsageError(f"{self.path}: another process is training this run") from None
        try:
            yield
        finally:
            os.close(handle)

    def read(self) -> dict[str, Any]:
        """What run.json holds.

        Raises:
            FormatError: when it is damaged.
        """
        try:
            info = parse_json(self.info.read_text(encoding="utf-8"))
        except ValueError as error:
            raise FormatError(f"{self.info}: damaged: {error}") from error
        if not isinstance(info, dict) or "kind" not in info:
            raise FormatError(f"{self.info}: is not a run.json of protonet")
        for name, kind in _KINDS.items():
            if info.get(name) is not None and not isinstance(info[name], kind):
                expected = "number" if isinstance(kind, tuple) else kind.__name__
                raise FormatError(
                    f"{self.info}: damaged: expected {name} as {expected}, "
                    f"got {json.dumps(info[name])[:60]}"
                )
        for entry in info.get("databases") or ():
            if not isinstance(entry, dict) or not {"path", "bytes", "sha256"} <= entry.keys():
                raise FormatError(
                    f"{self.info}: damaged: a database has a path, bytes and sha256, "
                    f"not {json.dumps(entry)[:60]}"
                )
        return _Info(info, self.info)

    def update(self, **values: Any) -> None:
        """Set values of run.json."""
        info = self.read() if self.info.exists() else {"created": time.time(), **versions()}
        info.update(values, changed=time.time())
        write_atomic(self.info, (json.dumps(info, indent=2) + "\n").encode())
        self._beginning.unlink(missing_ok=True)

    def snapshots(self) -> Snapshots:
        """Where the run's snapshots are.

        From where the solver's own prefix means that place, the path is told and stored as Caffe
        does it: as the solver has it.
        """
        info = self.read()
        prefix = self.path / info["prefix"]
        bare = prefix.parent == self.path  # so that the folder can be taken elsewhere
        given = Path(info.get("prefix_given", prefix))
        if given.resolve() == prefix:
            prefix = given
        return Snapshots(prefix, info.get("hdf5", False), bare)

    def iterations(self) -> list[int]:
        """The iterations of the run's whole snapshots, ascending.

        Snapshots of a solver file lie in a folder that other runs may write to: there only those
        count that this run's metrics tell of.
        """
        snapshots = self.snapshots()
        found = snapshots.complete()
        if snapshots.prefix.parent == self.path:
            return found
        lines = read_metrics(self.metrics)
        own = {line["iteration"] for line in lines if line["event"] == "snapshotted"}
        return [iteration for iteration in found if iteration in own]

    def best(self, complete: Sequence[int]) -> int:
        """Of these snapshots the one with the best validation figure; the last one where nothing
        was validated.
        """
        figures = self.figures()
        tested = [(figures[iteration], iteration) for iteration in complete if iteration in figures]
        return min(tested)[1] if tested else complete[-1]

    def figures(self) -> dict[int, float]:
        """The validation figure of each tested iteration; less is better."""
        found: dict[int, float] = {}
        for line in read_metrics(self.metrics):
            if line["event"] == "tested" and line["net"] == 0:
                value, iteration = figure(line["outputs"], line["loss"]), line["iteration"]
                if value is not None:
                    found[iteration] = min(value, found.get(iteration, value))
        return found

    def class_names(self) -> list[str] | None:
        """The lines of labels.txt; None for a run without one."""
        return read_class_names(self.labels) if self.labels.exists() else None

    def _make(self) -> None:
        """Make the folder and those above it that are missing, innermost first in ``_made``."""
        missing = []
        folder = self.path
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        self.path.mkdir(parents=True, exist_ok=True)
        self._made = missing
        self._beginning.touch()

    def _clear_torn(self) -> None:
        """Remove what a process, killed since, had written in a folder before it began to train."""
        if not self._beginning.exists() or self.info.exists():
            return
        with self.held():
            remove_partial(self.path)
            for file in vars(self).values():
                if isinstance(file, Path) and file.is_file():
                    file.unlink()


def _unique(folder: Path, name: str) -> RunDirectory:
    """A new directory named by the time, with a number where that is taken."""
    stem = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    number = 1
    while True:
        run = RunDirectory(folder / (stem if number == 1 else f"{stem}-{number}"))
        outside = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            run.path.mkdir()  # fails where another process was faster
        except FileExistsError:
            number += 1
            continue
        run._made = [run.path, folder] if outside else [run.path]
        run._beginning.touch()
        return run


def read_class_names(path: Path) -> list[str]:
    """The names of classes in a text file, one a line; empty lines at its end do not count.

    Raises:
        FormatError: when it is no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: expected a text, one class name a line: {error}") from error


def versions() -> dict[str, Any]:
    """What the run was made with."""
    packages = ("numpy", "protobuf", "lmdb", "pillow")
    return {
        "versions": {
            "protonet": protonet.__version__,
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in packages},
        },
        "machine": platform.platform(),
    }


def fingerprint(path: Path) -> dict[str, Any]:
    """Path, size and SHA-256 of a file or an LMDB, to see later whether it is still the same.

    Of a file above 64 MiB the first and the last 32 MiB are hashed; ``hashed`` is how many bytes.
    """
    file = path / "data.mdb" if path.is_dir() else path
    size = file.stat().st_size
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        if size <= _HASHED:
            digest.update(stream.read())
        else:
            digest.update(stream.read(_HASHED // 2))
            stream.seek(size - _HASHED // 2)
            digest.update(stream.read())
    return {
        "path": str(path.resolve()),
        "bytes": size,
        "hashed": min(size, _HASHED),
        "sha256": digest.hexdigest(),
    }


def fingerprint_text(source: Source) -> dict[str, Any]:
    """Name, size and SHA-256 of a text as it was given."""
    data = source.text.encode()
    return {
        "path": source.name,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
