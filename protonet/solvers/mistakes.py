"""Mistakes in a solver's settings, with their fields."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from protonet.errors import Mistake, NetworkError
from protonet.proto.text import Source, Where


@dataclass(frozen=True)
class Finding:
    """One mistake: the path of its field inside the SolverParameter, such as ``("gamma",)``."""

    path: Where
    message: str
    hint: str = ""


class SolverError(NetworkError):
    """Missing or invalid settings of a solver.

    The solver modules have the message without its text; a caller with the text uses ``placed``.
    """

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(Mistake(f"solver: {f.message}", hint=f.hint) for f in self.findings)

    @property
    def fields(self) -> tuple[Where, ...]:
        """The path of the field at fault, one for each of ``mistakes``."""
        return tuple(finding.path for finding in self.findings)

    def placed(self, source: Source) -> NetworkError:
        """The same mistakes with file, line and column in the solver's text."""
        return NetworkError([source.mistake(f.path, f.message, f.hint) for f in self.findings])
