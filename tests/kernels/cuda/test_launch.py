"""How functions of CUDA sources are launched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.kernels import cuda
from protonet.kernels.cuda.launch import BLOCK, MOST, Extent, compiled, pieces
from tests.kernels.cuda.emulation import EmulatedDevice


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is launched, instead of launching it."""
    seen: list[tuple[Any, ...]] = []

    class Module:
        def __init__(self, code: str, options: tuple[str, ...]) -> None:
            assert "EACH" in code

        def get_function(self, name: str) -> Any:
            return lambda grid, block, arguments: seen.append((name, grid, block, arguments))

    monkeypatch.setattr("tests.kernels.cuda.emulation.EmulatedArrays.RawModule", Module)
    return seen


def test_arguments_have_the_types_of_the_declaration(launches: list[tuple[Any, ...]]) -> None:
    array = np.zeros(3)
    compiled(EmulatedDevice(), "scaling").over(
        1000, "forward", array, None, 3, True, 0.5, Extent(5)
    )
    ((name, grid, block, arguments),) = launches
    assert (name, grid, block) == ("forward", (4, 1), (BLOCK,))
    assert arguments[0] is array
    expected = [np.uintp, np.int32, np.int32, np.float32, np.uint64]
    assert [type(each) for each in arguments[1:]] == expected


def test_there_is_an_end_to_blocks(launches: list[tuple[Any, ...]]) -> None:
    source = compiled(EmulatedDevice(), "scaling")
    source.over(MOST, "forward")
    source.over(0, "forward", rows=7)
    assert [grid for _, grid, _, _ in launches] == [(4224, 1), (1, 7)]


def test_threads_take_16_bytes_of_values(launches: list[tuple[Any, ...]]) -> None:
    for dtype in (np.float32, np.float16):
        compiled(EmulatedDevice(), "scaling", dtype).packs(16 * BLOCK + 1, "forward")
    assert [grid for _, grid, _, _ in launches] == [(5, 1), (3, 1)]


def test_a_product_and_a_shift_divide() -> None:
    """As ``packs.cuh`` does it, for all that may be divided."""
    counts = [*range(1, 70), *(2**k + off for k in range(7, 31) for off in (-1, 0, 1)), MOST]
    for count in counts:
        passed = int(Extent(count).passed)
        multiplier, shift = passed >> 32, (count - 1).bit_length()
        assert passed & 0xFFFFFFFF == count
        most = MOST // count
        for quotient in {0, 1, most // 2, most - 1, most}:
            for i in (quotient * count, quotient * count + count - 1):
                if 0 <= i <= MOST:
                    assert ((i * multiplier >> 32) + i) >> shift == i // count


@pytest.mark.parametrize(
    ("count", "rows", "expected"),
    [(10, 3, 1), (1_000_000, 1, 128), (100_000, 64, 33), (5000, 1, 2)],
)
def test_large_sums_are_divided(count: int, rows: int, expected: int) -> None:
    assert pieces(count, rows) == expected


def test_a_device_keeps_what_is_compiled() -> None:
    device = EmulatedDevice()
    assert compiled(device, "pooling") is compiled(device, "pooling")
    assert compiled(device, "pooling") is not compiled(EmulatedDevice(), "pooling")


def test_chapters_without_cuda_versions_have_none() -> None:
    assert cuda.load("scaling")
    assert not cuda.load("boxes")
    assert "block_sum" in cuda.source("losses")
