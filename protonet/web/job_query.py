"""Which jobs a list shows, and in which order: as SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

Sort = Literal["created", "name", "status", "group", "dataset", "started", "ended", "seconds"]
SORTS: tuple[Sort, ...] = get_args(Sort)

_DATASET = (
    "(SELECT other.name FROM needs JOIN jobs AS other ON other.id = needs.needed "
    "WHERE needs.job = jobs.id AND other.kind = 'dataset')"
)
_USERS = (
    "SELECT job FROM needs WHERE needed IN (SELECT id FROM jobs WHERE kind = 'dataset' AND "
    "(id = ? OR name LIKE ? ESCAPE '\\'))"
)
_KEYS = {
    "created": "created",
    "name": "name COLLATE NOCASE",
    "status": "status",
    "group": '"group" COLLATE NOCASE',
    "dataset": f"{_DATASET} COLLATE NOCASE",
    "started": "started",
    "ended": "ended",
    "seconds": "coalesce(ended, (julianday('now') - 2440587.5) * 86400) - started",
}


@dataclass(frozen=True)
class JobQuery:
    """A filter of jobs and their order.

    ``name`` and ``dataset`` are parts of names, in any case; ``dataset`` may be an id. ``group`` is
    a whole name, empty for jobs without one. Creation is at ``since`` or later, and before
    ``before``. None is any.
    """

    kind: str | None = None
    status: tuple[str, ...] = ()
    name: str = ""
    group: str | None = None
    dataset: str = ""
    since: float | None = None
    before: float | None = None
    sort: Sort = "created"
    descending: bool = True

    def where(self) -> tuple[str, list[Any]]:
        """The condition as SQL, and its values."""
        conditions = list(self._conditions())
        text = " AND ".join(condition for condition, _ in conditions) or "1"
        return text, [value for _, values in conditions for value in values]

    def order(self) -> str:
        """The order as SQL; jobs without a value are last, equal ones by their age."""
        way = "DESC" if self.descending else "ASC"
        key = _KEYS[self.sort]
        ends = f"{key} IS NULL, " if self.sort in ("dataset", "started", "ended", "seconds") else ""
        return f"{ends}{key} {way}, number {way}"

    def _conditions(self) -> Iterator[tuple[str, list[Any]]]:
        if self.kind is not None:
            yield "kind = ?", [self.kind]
        if self.status:
            yield f"status IN ({', '.join('?' * len(self.status))})", [*self.status]
        if self.name:
            yield "name LIKE ? ESCAPE '\\'", [_part(self.name)]
        if self.group is not None:
            yield '"group" = ?', [self.group]
        if self.dataset:
            found = (
                "SELECT id FROM jobs WHERE kind = 'dataset' AND (id = ? OR name LIKE ? ESCAPE '\\')"
            )
            yield (
                f"id IN (SELECT job FROM needs WHERE needed IN ({found}))",
                [self.dataset, _part(self.dataset)],
            )
        if self.since is not None:
            yield "created >= ?", [self.since]
        if self.before is not None:
            yield "created < ?", [self.before]


def _part(text: str) -> str:
    """A pattern of LIKE for texts that contain this one."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
