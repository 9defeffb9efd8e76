"""A training as a zip file, for stock Caffe and for ``protonet infer``."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import IO

from protonet.errors import UsageError
from protonet.jobs.json_form import to_json
from protonet.jobs.run.directory import RunDirectory

_TEXTS = (
    "original.prototxt", "train_val.prototxt", "solver.prototxt", "deploy.prototxt",
    "mean.binaryproto", "labels.txt", "run.json", "metrics.jsonl", "train.log", "loss.png",
)  # fmt: skip


class _Pipe:
    """A write-only file; ``take`` returns the bytes written since the last call."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing to do: nothing is buffered."""

    def close(self) -> None:
        """Nothing to do: nothing is open."""

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def archive(run: RunDirectory, name: str, *, all_snapshots: bool = False) -> Iterator[bytes]:
    """The bytes of a zip file with one folder, ``name``, generated lazily.

    It contains the prototxt files, the mean, the class names, the log, and the newest and the best
    snapshot, or all.

    Raises:
        UsageError: for a training without a snapshot.
    """
    complete = run.iterations()
    if not complete:
        raise UsageError("this training has no snapshot yet")
    wanted = set(complete) if all_snapshots else {complete[-1], run.best(complete)}
    files = [run.path / each for each in _TEXTS if (run.path / each).exists()]
    for iteration in sorted(wanted):
        files += run.snapshots().files(iteration)
    return _zipped(files, name, _names(run))


def _zipped(files: list[Path], name: str, names: Mapping[str, str]) -> Iterator[bytes]:
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as made:
        for path in files:
            info = zipfile.ZipInfo.from_file(path, f"{name}/{path.name}", strict_timestamps=False)
            info.compress_type = zipfile.ZIP_DEFLATED
            with _opened(path, names) as source, made.open(info, "w") as target:
                yield from _copied(source, target, pipe)
    yield pipe.take()


def _opened(path: Path, names: Mapping[str, str]) -> IO[bytes]:
    """A file for the archive: texts without the folders of this machine."""
    if path.name not in _TEXTS or path.suffix not in (".prototxt", ".json", ".log"):
        return path.open("rb")
    text = path.read_bytes()
    for long, short in names.items():
        text = text.replace(long.encode(), short.encode())
    return io.BytesIO(text)


def _names(run: RunDirectory) -> dict[str, str]:
    """Replacements of absolute paths in a run's texts: the shortest unique suffix of each.

    Longer paths come first, as others are prefixes of them.
    """
    record = run.record()
    found = {entry.path for entry in (*record.databases, *record.texts)}
    found |= {value for value in to_json(record.settings).values() if isinstance(value, str)}
    found |= {value for value in (record.prefix_given, record.began_with) if value is not None}
    paths = sorted({PurePath(each) for each in found if PurePath(each).is_absolute()})
    inside = run.path.resolve()
    names = {f"{inside}/": "", str(inside): "."}
    for path in paths:
        for count in range(1, len(path.parts)):
            short = PurePath(*path.parts[-count:])
            if not any(other != path and other.parts[-count:] == short.parts for other in paths):
                break
        names.setdefault(str(path), str(short))
    return dict(sorted(names.items(), key=lambda each: -len(each[0])))


def _copied(source: IO[bytes], target: IO[bytes], pipe: _Pipe) -> Iterator[bytes]:
    while data := source.read(1 << 18):
        target.write(data)
        if made := pipe.take():
            yield made
