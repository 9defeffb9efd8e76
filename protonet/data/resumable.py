"""Resumable outputs: written to a folder next to the final one, which is renamed when complete."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import protonet
from protonet.errors import DataError, ProtonetError, UsageError
from protonet.formats.atomic import remove_partial, write_atomic
from protonet.formats.json_text import parse_json

STATE = "conversion.json"
"""The file with the settings of a partial output; removed when the output is complete."""

_ROWS = "conversion.rows"
"""Begins the names of the files with the rows that records are made of, a JSON string a line."""


@dataclass(frozen=True)
class Settings:
    """What determines an output: ``values`` by their names for users."""

    values: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """For the state file."""
        return {"values": {**self.values, "protonet": protonet.__version__}}


@dataclass
class ResumableOutput:
    """The folder to work in. ``done`` tells whether there is something worth keeping, ``resumable``
    whether the same command can continue there.
    """

    folder: Path
    resumed: bool
    done: int = 0
    resumable: bool = True

    def check_rows(
        self, rows: Sequence[str], done: int, where: Callable[[int], str], part: str = ""
    ) -> bool:
        """Whether ``rows`` differ from those that the output was begun with, and remember them.

        The first ``done`` are already written and must be as they were; what comes behind them may
        have changed.

        Args:
            rows: what each record is made of, in the order of the records.
            done: so many records are there.
            where: the name of a row in messages, by its place.
            part: tells several databases of one output apart.

        Raises:
            UsageError: naming the first row that was written as another.
            DataError: when the rows that were kept are damaged.
        """
        path = self.folder / f"{_ROWS}{part}"
        former = _read_rows(path) if path.exists() else None
        if former == list(rows):
            return False
        problem = _what_was_written(former or [], rows, done, where)
        if problem:
            self.resumable = False
            raise UsageError(
                f"{problem}; restore it to resume in {self.folder}, or --restart starts over"
            )
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        try:
            write_atomic(path, text.encode())
        except ProtonetError as error:
            raise DataError(str(error)) from error
        return former is not None


def partial_path(path: Path) -> Path:
    """Where the output ``path`` is until it is complete."""
    return path.with_name(f"{path.name}.partial")


@contextmanager
def resumable_output(
    path: Path, settings: Settings, *, restart: bool = False
) -> Iterator[ResumableOutput]:
    """Work in ``<path>.partial``, which is renamed to ``path`` when the block succeeds.

    When it ends by an error or an interrupt, or the process is killed, the folder stays, and the
    next call with equal settings goes on there; the error then carries a note that says so. A
    folder with nothing done in it is removed. What the block finds there it must trust only as
    far as it was committed.

    Args:
        path: the output, a folder that is not there yet.
        settings: those of the folder must equal these.
        restart: remove what was begun first.

    Raises:
        UsageError: when ``path`` exists, the folder was started with other settings (names them),
            is in use by another process, or is something else.
        DataError: when the folder cannot be made or its state is damaged.
    """
    folder = partial_path(path)
    refuse_existing(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made: {error.strerror}") from error
    with _held(folder):
        refuse_existing(path)  # another process may just have ended
        if restart:
            _clear(folder)
        work = ResumableOutput(folder, _resumes(folder, settings))
        remove_partial(folder)
        try:
            yield work
            _take_place(folder, path)
        except BaseException as error:
            _keep_or_remove(work, error)
            raise


def _keep_or_remove(work: ResumableOutput, error: BaseException) -> None:
    """Say in the error where what was done is kept; one with nothing done is removed."""
    if not work.resumable:
        return  # the error says what can be done
    if work.resumed or work.done:
        error.add_note(
            f"the partial output is kept in {work.folder}: the same command resumes it, "
            "--restart starts over"
        )
    else:
        shutil.rmtree(work.folder, ignore_errors=True)


def _read_rows(path: Path) -> list[str]:
    try:
        return [str(parse_json(line)) for line in path.read_text("utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: is damaged ({error}); --restart starts over") from error


def _what_was_written(
    former: Sequence[str], rows: Sequence[str], done: int, where: Callable[[int], str]
) -> str:
    """Why records that are there are not those of ``rows``; "" where they are."""
    if done > len(rows):
        return f"{done} records are already written, but there are {len(rows)} rows now"
    for place in range(done):
        before = former[place] if place < len(former) else None
        if before != rows[place]:
            was = "by an older version" if before is None else f"as '{before}'"
            return f"{where(place)}: record {place} was already written {was}"
    return ""


def refuse_existing(path: Path) -> None:
    """Raise UsageError for an output that is there."""
    if path.exists():
        raise UsageError(f"{path}: exists already; remove it or choose another name")


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Lock the folder against other processes; the lock of a killed one is released."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{folder}: another process is working there") from None
        yield
    finally:
        os.close(handle)


def _refuse_foreign(folder: Path) -> None:
    """A folder without a state may hold what a kill before that was written leaves: its temporary
    file, and nothing else.
    """
    foreign = (entry for entry in folder.iterdir() if not entry.name.startswith(f".{STATE}."))
    if not (folder / STATE).exists() and any(foreign):
        raise UsageError(f"{folder}: was not made by a conversion; remove it yourself")


def _clear(folder: Path) -> None:
    """Remove what is in a folder that was begun here."""
    _refuse_foreign(folder)
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name != STATE:
            entry.unlink(missing_ok=True)
    # Last: until then the folder can be told for one that may be cleared.
    (folder / STATE).unlink(missing_ok=True)


def _resumes(folder: Path, settings: Settings) -> bool:
    """Whether the folder holds what was begun with these settings; False for a fresh one."""
    state = folder / STATE
    wanted = settings.as_json()
    if not state.exists():
        _refuse_foreign(folder)
        try:
            write_atomic(state, (json.dumps(wanted, indent=2) + "\n").encode())
        except ProtonetError as error:
            raise DataError(str(error)) from error
        return False
    try:
        found = parse_json(state.read_text(encoding="utf-8"))
        differences = list(_differences(found, wanted))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{state}: is damaged ({error}); --restart starts over") from error
    if differences:
        raise UsageError(
            f"{folder}: was started with other settings: {'; '.join(differences)}. Give the former "
            "ones to resume, or --restart to start over"
        )
    return True


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """What differs, in words."""
    former, now = found["values"], wanted["values"]
    for name in dict.fromkeys([*former, *now]):
        if former.get(name) != now.get(name):
            yield f"{name} was {_shown(former.get(name))}, is now {_shown(now.get(name))}"


def _shown(value: Any) -> str:
    return "not given" if value is None else str(value)


def _take_place(folder: Path, path: Path) -> None:
    """The folder becomes the output. The state goes last: a kill before leaves a whole output."""
    try:
        folder.rename(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be made: {error.strerror}") from error
    for rows in path.glob(f"{_ROWS}*"):
        rows.unlink(missing_ok=True)
    (path / STATE).unlink(missing_ok=True)
    with suppress(OSError):
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
