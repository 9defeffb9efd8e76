"""Fingerprints of the inputs of a run, to detect changes later."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from protonet.data.database import DATA_FILE
from protonet.proto.text import Source

_HASHED = 64 * 2**20
"""Bytes of a database that are hashed: of a larger one, the beginning and the end."""


@dataclass(frozen=True)
class Fingerprint:
    """Path (or name), size and SHA-256, of all bytes or of ``hashed`` bytes."""

    path: str
    bytes: int
    sha256: str
    hashed: int | None = None

    def is_of(self, other: Fingerprint) -> bool:
        """Whether both have the same content, regardless of path."""
        return (self.bytes, self.sha256) == (other.bytes, other.sha256)


def fingerprint(path: Path) -> Fingerprint:
    """The fingerprint of a file or an LMDB.

    Of a file above 64 MiB the first and the last 32 MiB are hashed.
    """
    file = _file_of(path)
    size = file.stat().st_size
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        if size <= _HASHED:
            digest.update(stream.read())
        else:
            digest.update(stream.read(_HASHED // 2))
            stream.seek(size - _HASHED // 2)
            digest.update(stream.read())
    return Fingerprint(str(path.resolve()), size, digest.hexdigest(), min(size, _HASHED))


def fingerprint_text(source: Source) -> Fingerprint:
    """The fingerprint of a text."""
    data = source.text.encode()
    return Fingerprint(source.name, len(data), hashlib.sha256(data).hexdigest())


def fingerprints(paths: Iterable[str]) -> tuple[Fingerprint, ...]:
    """The fingerprints of those of the databases and files that are there, for run.json."""
    found = map(Path, paths)
    return tuple(fingerprint(path) for path in found if _file_of(path).is_file())


def _file_of(path: Path) -> Path:
    return path / DATA_FILE if path.is_dir() else path
