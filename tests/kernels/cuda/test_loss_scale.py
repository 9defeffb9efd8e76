"""The scale of a loss on a GPU."""

from __future__ import annotations

from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.test_loss_scale import check_scale


@needs_compiler
def test_meets_the_definition() -> None:
    check_scale(EmulatedDevice())
