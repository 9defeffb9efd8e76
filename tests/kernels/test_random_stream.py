"""Random numbers and the clock that they depend on."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.random_stream import Clock, RandomStream
from protonet.ranks.communicator import Part
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler


def draw(stream: RandomStream, iteration: int, count: int = 1000) -> np.ndarray:
    stream.clock.iteration = iteration
    out = np.empty(count, np.float32)
    stream.uniform(out)
    return out


def test_numbers_are_a_function_of_seed_name_and_iteration() -> None:
    device = Device("cpu")
    stream = RandomStream(device, 7, "drop")
    first = draw(stream, 3)
    np.testing.assert_array_equal(draw(stream, 3), first)
    np.testing.assert_array_equal(draw(RandomStream(device, 7, "drop"), 3), first)
    for other in (
        draw(stream, 4),
        draw(RandomStream(device, 8, "drop"), 3),
        draw(RandomStream(device, 7, "other"), 3),
    ):
        assert (other != first).mean() > 0.99
    assert 0 <= first.min() < 0.01 < 0.99 < first.max() < 1
    assert abs(first.mean() - 0.5) < 0.05


def test_streams_of_one_net_share_a_clock() -> None:
    device = Device("cpu")
    clock = Clock(device)
    one, two = (RandomStream(device, 1, name, clock) for name in "ab")
    assert draw(one, 5) is not None
    assert two.clock.iteration == 5
    assert clock.on_device is None


PARTS = [Part(2, 3, 7), Part(1, 3, 6, 2), Part(0, 1, 4)]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_has_the_numbers_of_its_items(part: Part) -> None:
    assert_draws_a_part(Device("cpu"), part)


@needs_compiler
def test_a_part_on_a_gpu_has_the_numbers_of_its_items() -> None:
    for part in PARTS:
        assert_draws_a_part(EmulatedDevice(), part)


def assert_draws_a_part(device: Device, part: Part) -> None:
    whole = draw(RandomStream(Device("cpu"), 7, "drop"), 3, part.whole * 13).reshape(-1, 13)
    stream = RandomStream(device, 7, "drop", None, part)
    stream.clock.iteration = 3
    out = device.empty((part.count, 13))
    stream.uniform(out)
    np.testing.assert_array_equal(device.get(out), whole[part.places])
    every = device.empty((part.whole, 13))
    stream.of(None).uniform(every)
    np.testing.assert_array_equal(device.get(every), whole)


def test_numbers_that_are_of_no_item_are_the_same_on_all_ranks() -> None:
    expected = draw(RandomStream(Device("cpu"), 7, "drop"), 3, 4)
    for part in (Part(0, 3, 6), Part(3, 3, 6)):
        stream = RandomStream(Device("cpu"), 7, "drop", None, part)
        np.testing.assert_array_equal(draw(stream, 3, 4), expected)


def philox(count: int, key: tuple[int, int], iteration: int) -> np.ndarray:
    """Philox4x64-10 in plain Python, as the CUDA source computes it."""
    mask, out = 2**64 - 1, []
    for block in range(-(-count // 8)):
        c, k = [block + 1, 0, iteration, 0], list(key)
        for _ in range(10):
            p0, p1 = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
            c = [(p1 >> 64) ^ c[1] ^ k[0], p1 & mask, (p0 >> 64) ^ c[3] ^ k[1], p0 & mask]
            k = [(k[0] + 0x9E3779B97F4A7C15) & mask, (k[1] + 0xBB67AE8584CAA73B) & mask]
        for word in c:
            out += [(word & 0xFFFFFFFF) >> 8, (word >> 32) >> 8]
    return np.array(out[:count], np.float32) / np.float32(2**24)


def test_numpy_draws_what_the_gpu_kernel_defines() -> None:
    stream = RandomStream(Device("cpu"), 99, "drop")
    np.testing.assert_array_equal(draw(stream, 6, 37), philox(37, stream.key, 6))


@needs_compiler
def test_the_cuda_source_draws_the_same_numbers() -> None:
    assert_draws_as_the_cpu(EmulatedDevice())


@pytest.mark.gpu
def test_the_gpu_draws_the_same_numbers() -> None:
    assert_draws_as_the_cpu(Device("cuda:0"))


def assert_draws_as_the_cpu(device: Device) -> None:
    stream = RandomStream(device, 99, "drop")
    stream.clock.iteration = 6
    out = device.empty((1003,))
    stream.uniform(out)
    np.testing.assert_array_equal(
        device.get(out), draw(RandomStream(Device("cpu"), 99, "drop"), 6, 1003)
    )


@pytest.mark.gpu
def test_the_count_of_passes_moves_on_in_the_gpus_memory() -> None:
    clock = Clock(Device("cuda:0"))
    clock.iteration = 41
    clock.advance()
    clock.count()
    assert clock.iteration == int(clock.on_device.get()[0]) == 42
