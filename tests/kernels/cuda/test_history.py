"""The ring of losses on a GPU."""

from __future__ import annotations

from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.test_history import check_ring


@needs_compiler
def test_meets_the_definition() -> None:
    check_ring(EmulatedDevice())
