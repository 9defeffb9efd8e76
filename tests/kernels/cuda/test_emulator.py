"""Threads of a block take turns at barriers, launch after launch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.cuda.emulation import EmulatedArray, EmulatedModule, needs_compiler

SOURCE = """
extern "C" __global__ void turn(float* y, int count)
{
    __shared__ float all[256];
    all[threadIdx.x] = threadIdx.x + 1000.0f * blockIdx.x;
    __syncthreads();
    float sum = 0;
    for (int i = 0; i < count; ++i) {
        sum += all[(threadIdx.x + i) % blockDim.x];
        __syncthreads();
    }
    y[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}
extern "C" __global__ void part(float* y, int ends)
{
    if (threadIdx.x < ends) return;
    __syncthreads();
    y[threadIdx.x] = 1;
}
"""


def launched(name: str, blocks: int, threads: int, number: int) -> np.ndarray:
    y = np.full(blocks * threads, -1, np.float32)
    function = EmulatedModule(SOURCE).get_function(name)
    function((blocks,), (threads,), (y.view(EmulatedArray), np.int32(number)))
    return y


@needs_compiler
@pytest.mark.parametrize(("blocks", "threads"), [(3, 256), (2, 32), (1, 1), (4, 64)])
def test_barriers_hold_in_blocks_of_any_size(blocks: int, threads: int) -> None:
    x = np.arange(threads) + 1000.0 * np.arange(blocks)[:, None]
    expected = x if threads == 1 else x + np.roll(x, -1, axis=1)
    assert launched("turn", blocks, threads, min(2, threads)).tolist() == expected.ravel().tolist()


@needs_compiler
def test_threads_that_do_not_meet_are_told_of_and_the_next_launch_is_right() -> None:
    with pytest.raises(AssertionError, match="threads diverge"):
        launched("part", 1, 8, 3)
    assert launched("turn", 1, 8, 1).tolist() == list(range(8))
    assert launched("part", 1, 8, 0).tolist() == [1] * 8
    assert launched("part", 1, 8, 8).tolist() == [-1] * 8
