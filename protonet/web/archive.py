"""A training as one zip file: what stock Caffe can use, and what ``protonet infer`` takes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from protonet.errors import UsageError
from protonet.jobs.run import RunDirectory

_TEXTS = (
    "original.prototxt", "train_val.prototxt", "solver.prototxt", "deploy.prototxt",
    "mean.binaryproto", "labels.txt", "run.json", "metrics.jsonl", "train.log", "loss.png",
)  # fmt: skip


class _Pipe:
    """A file that is only written to; ``take`` gives what was written since."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is kept open."""

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def archive(run: RunDirectory, name: str, *, all_snapshots: bool = False) -> Iterator[bytes]:
    """The bytes of a zip file with one folder, ``name``; made as they are read.

    It holds the texts, the mean, the names of the classes, the log, and the newest snapshot and
    the best, or all.

    Raises:
        UsageError: for a training that has nothing to take away yet.
    """
    complete = run.iterations()
    if not complete:
        raise UsageError("this training has no snapshot yet")
    wanted = set(complete) if all_snapshots else {complete[-1], run.best(complete)}
    files = [run.path / each for each in _TEXTS if (run.path / each).exists()]
    for iteration in sorted(wanted):
        files += run.snapshots().files(iteration)
    return _zipped(files, name)


def _zipped(files: list[Path], name: str) -> Iterator[bytes]:
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as made:
        for path in files:
            info = zipfile.ZipInfo.from_file(path, f"{name}/{path.name}", strict_timestamps=False)
            info.compress_type = zipfile.ZIP_DEFLATED
            with _opened(path) as source, made.open(info, "w") as target:
                yield from _copied(source, target, pipe)
    yield pipe.take()


def _opened(path: Path) -> IO[bytes]:
    """A file as it goes into the archive: its mean is the one beside it, wherever it is opened."""
    if path.name != "train_val.prototxt":
        return path.open("rb")
    here = f"{path.parent.resolve()}/".encode()
    return io.BytesIO(path.read_bytes().replace(b'mean_file: "' + here, b'mean_file: "'))


def _copied(source: IO[bytes], target: IO[bytes], pipe: _Pipe) -> Iterator[bytes]:
    while data := source.read(1 << 18):
        target.write(data)
        if made := pipe.take():
            yield made
