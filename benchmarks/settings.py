"""What both sides share."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

RATE, MOMENTUM, DECAY = 1e-4, 0.9, 5e-4
"""Of the solver: so small that no network comes to an end while it is measured."""

TILES = {"cpu": 2048, "cuda": 8192}
"""Rows of the square matrices whose product shows the machine's rate."""

PRECISIONS = ("float32", "tf32", "float16", "bfloat16")


@dataclass(frozen=True)
class Setting:
    """Where both sides compute, and in which precision: tf32 is of products on a GPU alone.

    ``mode`` is how a side computes that has several ways to (``pytorch_side.MODES``).
    """

    device: str = "cpu"
    precision: str = "float32"
    mode: str = ""

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return self.device != "cpu"

    @property
    def is_exact(self) -> bool:
        """Whether both sides compute with all bits of float32."""
        return self.precision == "float32"

    @property
    def tile(self) -> int:
        """Rows of the matrices of ``TILES``."""
        return TILES["cuda" if self.on_gpu else "cpu"]

    def words(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)
