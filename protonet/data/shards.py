"""Databases in shards: one for each rank or host, with ``{rank}`` or ``{host}`` in the name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from protonet.data.database import Database
from protonet.errors import DataError
from protonet.ranks.communicator import Communicator, Part


def is_sharded(name: str) -> bool:
    """Whether a name stands for several databases."""
    return "{rank}" in name or "{host}" in name


def shard_name(name: str, ranks: Communicator) -> str:
    """The name of the shard of this rank."""
    return name.replace("{rank}", str(ranks.rank)).replace("{host}", ranks.host)


@dataclass(frozen=True)
class Shard:
    """What a rank reads of its shard: of every ``stride`` records, which the ranks of the shard
    read of one batch, those from ``offset`` on. ``length`` is the number of records of all shards.
    """

    length: int
    stride: int
    offset: int
    part: Part
    shards: int = 1

    @property
    def text(self) -> str:
        """What an epoch is, for the log."""
        return (
            f"{self.shards} shard(s) with {self.length:,} records together, which is an epoch; "
            "each rank reads its own round and round"
        )

    def place(self, position: int) -> int:
        """The place in the stream of the shard of an image of the stream of all."""
        batch, place = divmod(position, self.part.whole)
        return batch * self.stride + self.offset + (place - self.part.first) // self.part.step


@dataclass(frozen=True)
class _Found:
    """A rank, and the shard that it has found."""

    rank: int
    host: str
    path: str
    records: int
    shape: tuple[int, ...]
    count: int

    @property
    def shard(self) -> tuple[str, str]:
        return self.host, self.path


def agree_on_shards(
    ranks: Communicator, path: Path, records: int, shape: tuple[int, ...], part: Part
) -> Shard:
    """What this rank reads of its shard at ``path``; every rank must call it.

    Args:
        ranks: have a shard each, or share that of their host.
        path: of this rank's shard.
        records: of this rank's shard.
        shape: of the images, which must be that of the other shards.
        part: of every batch, what this rank reads; in a test, where ranks make batches of their
            own, a whole batch.

    Raises:
        DataError: for images of another shape than those of rank 0; names both shards.
    """
    own = _Found(ranks.rank, ranks.host, str(path.resolve()), records, tuple(shape), part.count)
    everyone: Sequence[_Found] = ranks.gather(own)
    first = everyone[0]
    for each in everyone:
        if each.shape != first.shape:
            found, expected = ("x".join(map(str, one.shape)) for one in (each, first))
            raise DataError(
                f"{each.path} on {each.host}: the images of rank {each.rank} are {found}, those of "
                f"rank 0 in {first.path} {expected}; shards have images of one shape"
            )
    together = [each for each in everyone if each.shard == own.shard]
    lengths = {each.shard: each.records for each in everyone}
    return Shard(
        sum(lengths.values()),
        sum(each.count for each in together),
        sum(each.count for each in together if each.rank < own.rank),
        part,
        len(lengths),
    )


@dataclass(frozen=True)
class Survey:
    """Asks all ranks for the records of their shards. ``names`` have absolute paths."""

    names: tuple[str, ...]

    def answer(self, ranks: Communicator) -> list[int]:
        """The records of all shards of each name; every rank must call it.

        Raises:
            DataError: for a shard that is no database.
        """
        own = []
        for name in self.names:
            with Database(Path(shard_name(name, ranks))) as database:
                own.append((ranks.host, str(database.path.resolve()), len(database)))
        everyone = ranks.gather(own)
        lengths = [
            {(host, path): records for host, path, records in each}
            for each in zip(*everyone, strict=True)
        ]
        return [sum(each.values()) for each in lengths]


@dataclass(frozen=True)
class OwnShards:
    """The shards of this rank in the settings of a training: by their paths, the name of all and
    their records; and the number of ranks.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    records: Mapping[str, int] = field(default_factory=dict)
    ranks: int = 1

    def count(self, path: Path, own: int) -> int:
        """The records of all shards of a database, which has so many of its ``own``."""
        return self.records.get(str(path.resolve()), own)

    def batches(self, path: Path, count: int) -> int:
        """At least so many batches of a test, as many for each rank."""
        parts = self.ranks if str(path.resolve()) in self.names else 1
        return -(-count // parts) * parts


NO_SHARDS = OwnShards()
"""Databases of all ranks."""
