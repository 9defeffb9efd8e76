"""Labels among the highest scores on a GPU beside the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.in_top_k import InTopK
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import Hand, assert_meets

CASES = [((40, 5), 1, 1), ((7, 100), 1, 5), ((3, 4, 2, 5), 1, 2), ((2, 70, 3), 1, 9)]
EACH = pytest.mark.parametrize("case", CASES, ids=str)


def passes(hand: Hand, case: Any) -> list[np.ndarray]:
    shape, axis, top_k = case
    items = (*shape[:axis], 1, *shape[axis + 1 :])
    # equal scores, so that it matters whether they count as below
    x = hand.given(np.round(2 * hand.back(hand.drawn(*shape))[0].astype(np.float64)))
    labels = hand.given(np.arange(np.prod(items)).reshape(items) * 7 % shape[axis])
    right = hand.blank(*items)
    hand.make(InTopK, shape, axis, top_k).forward(x, labels, right)
    return hand.back(right)


@needs_compiler
@EACH
def test_meets_the_definition(case: Any) -> None:
    assert_meets(passes, EmulatedDevice(), "float32", case)


@pytest.mark.gpu
@EACH
def test_a_gpu_meets_the_definition(case: Any) -> None:
    assert_meets(passes, Device("cuda:0"), "float32", case)
