"""Messages and exit codes of errors."""

from __future__ import annotations

from dataclasses import dataclass

from protonet.errors import DeviceError, NetworkError, ProtonetError
from protonet.train.interrupts import INTERRUPTED

REPORTED = (KeyboardInterrupt, ProtonetError, MemoryError, OSError)
"""Errors that are reported without a traceback."""


@dataclass(frozen=True)
class Failure:
    """``errors`` are separate messages, followed by ``remarks``; ``code`` is the exit code."""

    errors: tuple[str, ...]
    code: int
    remarks: tuple[str, ...] = ()


def failure_of(error: BaseException) -> Failure:
    """The messages and exit code of an error in ``REPORTED``."""
    if isinstance(error, NetworkError):
        count = (f"{error.count} mistakes",) if len(error.mistakes) > 1 else ()
        told = tuple(str(mistake) for mistake in error.mistakes)
        return Failure(told, error.exit_code, (*_notes(error), *count))
    if isinstance(error, ProtonetError):
        return Failure(_with_notes(str(error), error), error.exit_code)
    if isinstance(error, MemoryError):
        return Failure(("out of memory; a smaller --batch-size needs less",), DeviceError.exit_code)
    if isinstance(error, OSError):
        what = error.strerror if error.strerror is not None else str(error)
        named = f"{error.filename}: {what}" if error.filename is not None else what
        return Failure((named,), ProtonetError.exit_code)
    return Failure(_with_notes("interrupted", error), INTERRUPTED)


def _with_notes(message: str, error: BaseException) -> tuple[str]:
    """The message of an error with its notes."""
    return ("\n".join([message, *_notes(error)]),)


def _notes(error: BaseException) -> tuple[str, ...]:
    return tuple(getattr(error, "__notes__", ()))
