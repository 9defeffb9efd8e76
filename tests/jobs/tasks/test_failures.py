"""What errors are told as."""

from __future__ import annotations

import errno

import pytest

from protonet.errors import (
    DataError,
    DeviceError,
    FormatError,
    Mistake,
    NetworkError,
    TrainingError,
    UsageError,
)
from protonet.jobs.tasks.failures import REPORTED, Failure, failure_of


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (DataError("x"), 4),
        (FormatError("x"), 5),
        (DeviceError("x"), 6),
        (TrainingError("x"), 7),
    ],
)
def test_each_kind_has_its_code(error: Exception, code: int) -> None:
    error.add_note("y")
    assert failure_of(error) == Failure(("x\ny",), code)


def test_mistakes_are_errors_of_their_own() -> None:
    error = NetworkError([Mistake("first"), Mistake("second")])
    error.add_note("a hint")
    found = failure_of(error)
    assert [told.splitlines()[0] for told in found.errors] == ["first", "second"]
    assert (found.code, found.remarks) == (3, ("a hint", "2 mistakes"))
    assert failure_of(NetworkError([Mistake("alone")])).remarks == ()


def test_what_the_system_says() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "file")
    assert failure_of(full) == Failure(("file: No space left on device",), 1)
    assert failure_of(OSError("odd")) == Failure(("odd",), 1)
    assert failure_of(MemoryError()).code == 6
    assert failure_of(KeyboardInterrupt()) == Failure(("interrupted",), 130)


def test_mistakes_of_ours_are_not_told_so() -> None:
    assert not isinstance(AssertionError(), REPORTED)
    assert not isinstance(TypeError(), REPORTED)
