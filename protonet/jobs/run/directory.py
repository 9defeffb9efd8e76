"""A run directory: all files of one training, and of inference with it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from protonet.data.class_table import ClassTable, read_class_table
from protonet.errors import FormatError, UsageError
from protonet.formats.atomic import remove_partial
from protonet.jobs.run.record import RunRecord, read_record, write_record
from protonet.train.listeners import figure, read_metrics
from protonet.train.snapshot import Snapshots


class RunDirectory:
    """The files of a run. ``run.json`` has its settings and status."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.original = path / "original.prototxt"
        self.original_lua = path / "original.lua"
        self.original_solver = path / "original_solver.prototxt"
        self.train_val = path / "train_val.prototxt"
        self.solver = path / "solver.prototxt"
        self.deploy = path / "deploy.prototxt"
        self.initial = path / "initial.caffemodel"
        self.model = path / "model.t7"
        self.mean = path / "mean.binaryproto"
        self.labels = path / "labels.txt"
        self.class_table = path / "class_table.csv"
        self.label_map = path / "labelmap.prototxt"
        self.name_sizes = path / "test_name_size.txt"
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
            UsageError: when ``out`` exists and is not empty, or cannot be created.
        """
        try:
            if out is None:
                return _unique(Path("runs"), name)
            run = RunDirectory(out)
            run._clear_torn()
            if out.exists() and (not out.is_dir() or any(out.iterdir())):
                raise UsageError(f"{out}: already exists; choose another --out, or --resume it")
            run._make()
        except OSError as error:
            raise UsageError(f"{error.filename}: cannot be created: {error.strerror}") from error
        return run

    @staticmethod
    def open(path: Path) -> RunDirectory:
        """An existing run.

        Raises:
            UsageError: when ``path`` is not a run directory.
        """
        run = RunDirectory(path)
        if not path.exists():
            raise UsageError(f"{path}: no such run directory")
        if not run.info.exists():
            torn = run._beginning.exists()
            raise UsageError(
                f"{path}: was stopped before training began, so there is nothing to resume; "
                "repeat the command that started it"
                if torn
                else f"{path}: not a run directory: it has no run.json "
                "(which is written before training begins)"
            )
        return run

    def discard(self) -> None:
        """Remove the created directories with all their files."""
        for entry in self.path.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        for folder in self._made:
            with suppress(OSError):  # a parent that has other files by now
                folder.rmdir()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the run against training by other processes; the lock ends with the process.

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

    def record(self) -> RunRecord:
        """Read run.json.

        Raises:
            FormatError: when it is damaged.
            UsageError: when a newer protonet wrote it.
        """
        return read_record(self.info)

    def write(self, record: RunRecord) -> None:
        """Write run.json: from now on the run can be resumed."""
        write_record(record, self.info)
        self._beginning.unlink(missing_ok=True)

    def update(self, **values: Any) -> None:
        """Change values of run.json."""
        self.write(replace(self.record(), **values))

    def snapshots(self) -> Snapshots:
        """The snapshots of the run.

        If the solver's own prefix is valid in the working directory, paths are printed and stored
        with it, as Caffe does.
        """
        record = self.record()
        prefix = self.path / record.prefix
        bare = prefix.parent == self.path  # so that the folder can be moved
        given = prefix if record.prefix_given is None else Path(record.prefix_given)
        if given.resolve() == prefix:
            prefix = given
        return Snapshots(prefix, record.hdf5, bare)

    def iterations(self) -> list[int]:
        """The iterations of the run's complete snapshots, ascending.

        Snapshots of a solver file are in a folder that other runs may write to: only those in this
        run's metrics count.
        """
        snapshots = self.snapshots()
        found = snapshots.complete()
        if snapshots.prefix.parent == self.path:
            return found
        lines = read_metrics(self.metrics)
        own = {line["iteration"] for line in lines if line["event"] == "snapshotted"}
        return [iteration for iteration in found if iteration in own]

    def best(self, complete: Sequence[int]) -> int:
        """The snapshot with the best validation metric; the last one without validation."""
        figures = self.figures()
        tested = [(figures[iteration], iteration) for iteration in complete if iteration in figures]
        return min(tested)[1] if tested else complete[-1]

    def figures(self) -> dict[int, float]:
        """The validation metric of each tested iteration; lower is better."""
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

    def pixel_classes(self) -> ClassTable | None:
        """The class table of a segmentation; None for another run."""
        return read_class_table(self.class_table) if self.class_table.exists() else None

    def _make(self) -> None:
        """Create the folder and its missing parents, innermost first in ``_made``."""
        missing = []
        folder = self.path
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        self.path.mkdir(parents=True, exist_ok=True)
        self._made = missing
        self._beginning.touch()

    def _clear_torn(self) -> None:
        """Remove files that a killed process left in the folder before it began to train."""
        if not self._beginning.exists() or self.info.exists():
            return
        with self.held():
            remove_partial(self.path)
            for file in vars(self).values():
                if isinstance(file, Path) and file.is_file():
                    file.unlink()


def _unique(folder: Path, name: str) -> RunDirectory:
    """A new directory named by the time, with a number if that exists."""
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
    """The class names of a text file, one per line, without empty lines at its end.

    Raises:
        FormatError: when it is not a text file.
    """
    try:
        return path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: expected text with one class name per line: {error}") from error
