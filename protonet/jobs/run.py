"""A run directory: all files of one training, and what inference needs."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import protonet
from protonet.errors import FormatError, UsageError
from protonet.formats.atomic import write_atomic
from protonet.train.snapshot import Snapshots

_HASHED = 64 * 2**20
"""Bytes of a database that are hashed: of a larger one the beginning and the end."""


class RunDirectory:
    """The files of a run, by name. ``run.json`` says what kind of run it is and how it stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.original = path / "original.prototxt"
        self.train_val = path / "train_val.prototxt"
        self.solver = path / "solver.prototxt"
        self.deploy = path / "deploy.prototxt"
        self.mean = path / "mean.binaryproto"
        self.labels = path / "labels.txt"
        self.metrics = path / "metrics.jsonl"
        self.log = path / "train.log"
        self.picture = path / "loss.png"
        self.info = path / "run.json"

    @staticmethod
    def create(out: Path | None, name: str) -> RunDirectory:
        """Make a new directory: ``out``, or ``runs/<name>-<time>``.

        Raises:
            UsageError: when ``out`` exists and is not empty, or cannot be made.
        """
        if out is not None:
            if out.exists() and (not out.is_dir() or any(out.iterdir())):
                raise UsageError(f"{out}: exists already; choose another --out, or --resume it")
            path = out
        else:
            stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
            path = Path("runs") / f"{name}-{stamp}"
            for number in range(2, 1000):
                if not path.exists():
                    break
                path = Path("runs") / f"{name}-{stamp}-{number}"
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{path}: cannot be made: {error.strerror}") from error
        return RunDirectory(path)

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
            raise UsageError(f"{path}: is no run directory: it has no run.json")
        return run

    def read(self) -> dict[str, Any]:
        """What run.json holds.

        Raises:
            FormatError: when it is damaged.
        """
        try:
            info = json.loads(self.info.read_text())
        except ValueError as error:
            raise FormatError(f"{self.info}: damaged: {error}") from error
        if not isinstance(info, dict) or "kind" not in info:
            raise FormatError(f"{self.info}: is not a run.json of protonet")
        return info

    def update(self, **values: Any) -> None:
        """Set values of run.json."""
        info = self.read() if self.info.exists() else {"created": time.time(), **versions()}
        info.update(values, changed=time.time())
        write_atomic(self.info, (json.dumps(info, indent=2) + "\n").encode())

    def snapshots(self) -> Snapshots:
        """Where the run's snapshots are."""
        info = self.read()
        return Snapshots(self.path / info["prefix"], info.get("hdf5", False))


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

    Of a file above 64 MiB the first and the last 32 MiB are hashed.
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
    return {"path": str(path.resolve()), "bytes": size, "sha256": digest.hexdigest()}
