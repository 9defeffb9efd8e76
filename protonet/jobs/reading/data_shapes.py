"""What a definition is told of its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from protonet.blob import Shape


@dataclass(frozen=True, kw_only=True)
class DataShapes:
    """What a Lua definition is told of its data: databases, or the shapes of its blobs.

    ``inputs`` are whole shapes of the blobs ``data`` and ``label``. ``batch_size`` None means the
    definition's own. ``validates`` tells whether there is validation. ``weights`` are files that a
    training begins with. ``seconds`` is how long the definition may run.
    """

    data: Path | None = None
    labels: Path | None = None
    inputs: Mapping[str, Shape] = field(default_factory=dict)
    batch_size: int | None = None
    classes: int | None = None
    seed: int = 0
    gpus: int = 0
    validates: bool = False
    weights: tuple[str, ...] = ()
    seconds: float = 10.0

    @property
    def gives_vectors(self) -> bool:
        """Whether the labels are vectors, not class numbers."""
        return self.labels is not None or len(self.inputs.get("label", ())) > 1


NOTHING = DataShapes()
