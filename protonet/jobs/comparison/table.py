"""A table of runs: the settings in which they differ, and their best values."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from protonet.jobs.comparison.best import Best, Way, best_values, read_curves
from protonet.jobs.comparison.paths import is_path, short_paths
from protonet.jobs.json_form import to_json
from protonet.jobs.run.directory import RunDirectory

_NO_SETTINGS = {"out"}
"""Fields that tell where a run is, not what it does."""


@dataclass(frozen=True)
class Row:
    """A run: its name, its settings as JSON values, its best values by output."""

    name: str
    settings: Mapping[str, Any]
    best: Mapping[str, Best]


@dataclass(frozen=True)
class Table:
    """Runs side by side. ``settings`` are the names of those that differ, ``outputs`` those of
    all best values.
    """

    settings: tuple[str, ...]
    outputs: tuple[str, ...]
    rows: tuple[Row, ...]

    def way(self, output: str) -> Way | None:
        """Which values of an output are better."""
        found = (row.best[output].way for row in self.rows if output in row.best)
        return next(found, None)

    def winners(self, output: str) -> set[int]:
        """The places of the rows with the best value of an output; none if that is unknown."""
        values = {
            n: row.best[output].value for n, row in enumerate(self.rows) if output in row.best
        }
        way = self.way(output)
        if way is None or not values:
            return set()
        best = max(values.values()) if way == "highest" else min(values.values())
        return {place for place, value in values.items() if value == best}

    def texts(self, setting: str, names: Mapping[str, str] | None = None) -> list[str]:
        """A setting of each row for people: paths as short as they still differ, with the ``names``
        of folders.
        """
        values = [row.settings.get(setting) for row in self.rows]
        every = [part for value in values for part in _parts(value) if is_path(part)]
        named = {path: _named(path, names or {}) for path in every}
        distinct = len({*named.values()}) == len(named)
        short = short_paths(named.values() if distinct else named)
        return [
            ", ".join(
                short[named[part] if distinct else part] if is_path(part) else setting_text(part)
                for part in _parts(value)
            )
            for value in values
        ]

    def sorted_by(self, column: str) -> Table:
        """The rows by a column, the best first; by a setting or the name the least first."""

        def key(row: Row) -> Any:
            if column in self.outputs:
                best = row.best.get(column)
                if best is None:
                    return (1, 0.0)
                return (0, -best.value if best.way == "highest" else best.value)
            return sortable(row.settings.get(column) if column in self.settings else row.name)

        return Table(self.settings, self.outputs, tuple(sorted(self.rows, key=key)))


def table_of(rows: Iterable[Row]) -> Table:
    """The table of some runs."""
    made = tuple(rows)
    outputs = dict.fromkeys(name for row in made for name in row.best)
    return Table(differing([row.settings for row in made]), tuple(outputs), made)


def differing(settings: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names of the settings that are not the same in all runs."""
    names = dict.fromkeys(name for each in settings for name in each)
    return tuple(
        name
        for name in names
        if name not in _NO_SETTINGS
        and any(each.get(name) != settings[0].get(name) for each in settings)
    )


def read_row(run: RunDirectory, name: str) -> Row:
    """The row of a run.

    Raises:
        FormatError: when its files are damaged.
        UsageError: when a newer protonet wrote them.
    """
    return Row(name, settings_of(run), best_values(read_curves(run)))


def settings_of(run: RunDirectory) -> dict[str, Any]:
    """The settings of a run as JSON values, without where it is.

    Raises:
        FormatError: when run.json is damaged.
        UsageError: when a newer protonet wrote it.
    """
    values: dict[str, Any] = to_json(run.record().settings)
    return {name: value for name, value in values.items() if name not in _NO_SETTINGS}


def to_csv(table: Table) -> str:
    """The table as CSV: the name, each setting, each best value and its iteration."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    titles = [title for name in table.outputs for title in (name, f"{name} at iteration")]
    writer.writerow(["name", *table.settings, *titles])
    for row in table.rows:
        cells = [row.name, *(setting_text(row.settings.get(name)) for name in table.settings)]
        for name in table.outputs:
            best = row.best.get(name)
            cells += ["", ""] if best is None else [repr(best.value), str(best.iteration)]
        writer.writerow(cells)
    return stream.getvalue()


def _parts(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]


def _named(path: str, names: Mapping[str, str]) -> str:
    """A path whose folder has a name, by this name."""
    found = (f"{name}{path[len(each):]}" for each, name in names.items()
             if PurePath(path).is_relative_to(each))  # fmt: skip
    return next(found, path)


def setting_text(value: Any) -> str:
    """A setting for people: lists with commas, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(setting_text, value))
    return str(value)


def sortable(value: Any) -> tuple[int, float, str]:
    """A key that orders numbers before texts, and what is absent last."""
    if value is None:
        return (2, 0.0, "")
    if isinstance(value, (int, float)):
        return (0, float(value), "")
    return (1, 0.0, setting_text(value))
