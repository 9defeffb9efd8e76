"""CUDA graphs: warm-up, capture, replay, and work that cannot be captured."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.cuda_graph import WARM_UP, GraphedCallable
from protonet.device import Device
from tests.kernels.cuda.emulation import QUEUE, EmulatedDevice


@pytest.fixture
def device() -> EmulatedDevice:
    QUEUE.captures = QUEUE.launches = 0
    return EmulatedDevice()


def test_work_is_captured_after_a_warm_up(device: EmulatedDevice) -> None:
    total, calls = device.zeros((3,)), []

    def work() -> None:
        calls.append(1)
        device.xp.add(total, 1.0, out=total)

    graphed = GraphedCallable(device, work)
    for _ in range(WARM_UP + 4):
        graphed()
    np.testing.assert_array_equal(device.get(total), np.full(3, WARM_UP + 4))
    assert len(calls) == WARM_UP + 1
    assert (QUEUE.captures, QUEUE.launches) == (1, 4)


def test_arrays_that_moved_are_captured_again(device: EmulatedDevice) -> None:
    places = [device.zeros((1,)), device.zeros((1,))]
    version = 0

    def work() -> None:
        device.xp.add(places[version], 1.0, out=places[version])

    graphed = GraphedCallable(device, work, lambda: version)
    for each in (0, 1):
        version = each
        for _ in range(WARM_UP + 2):
            graphed()
    assert [float(place[0]) for place in places] == [WARM_UP + 2] * 2
    assert QUEUE.captures == 2


def test_work_that_waits_stays_eager(device: EmulatedDevice) -> None:
    total = device.zeros((1,))

    def work() -> None:
        total.item()
        device.xp.add(total, 1.0, out=total)

    graphed = GraphedCallable(device, work)
    for _ in range(WARM_UP + 3):
        graphed()
    assert "item" in graphed.capture_error
    assert total.item() == WARM_UP + 3
    assert (QUEUE.captures, QUEUE.launches) == (1, 0)


def test_other_errors_end_the_capture_and_pass(device: EmulatedDevice) -> None:
    done = 0

    def work() -> None:
        nonlocal done
        done += 1
        if done > WARM_UP:
            raise KeyError("mine")

    graphed = GraphedCallable(device, work)
    for _ in range(WARM_UP):
        graphed()
    with pytest.raises(KeyError, match="mine"):
        graphed()
    assert QUEUE.kept is None


@pytest.mark.gpu
def test_a_gpu_replays() -> None:
    device = Device("cuda:0")
    total = device.zeros((1000,))

    def work() -> None:
        device.xp.add(total, 1.0, out=total)

    graphed = GraphedCallable(device, work)
    for _ in range(WARM_UP + 4):
        graphed()
    assert graphed.capture_error == ""
    np.testing.assert_array_equal(device.get(total), np.full(1000, WARM_UP + 4))


def test_each_variant_has_a_graph_of_its_own(device: EmulatedDevice) -> None:
    total, sizes = device.zeros((2,)), {"full": 1.0, "rest": 0.5}
    variant, version = "full", 0

    def work() -> None:
        device.xp.add(total, sizes[variant], out=total)

    graphed = GraphedCallable(device, work, lambda: version, lambda: variant)
    for _ in range(WARM_UP + 2):
        for each in ("full", "rest", "full"):
            variant = each
            graphed()
    assert float(device.get(total)[0]) == (WARM_UP + 2) * 2.5
    assert QUEUE.captures == 2
    version = 1  # the arrays have moved: all graphs are captured again
    for _ in range(WARM_UP + 1):
        graphed()
    assert QUEUE.captures == 3


def test_all_or_none_capture(device: EmulatedDevice) -> None:
    array, asked = device.zeros((2,)), []

    def elsewhere(failed: bool) -> bool:
        asked.append(failed)
        return True

    graphed = GraphedCallable(device, lambda: array.fill(3), any_failed=elsewhere)
    for _ in range(WARM_UP + 3):
        array[...] = 0
        graphed()
        assert array.tolist() == [3, 3]
    assert asked == [False]
    assert graphed.capture_error == "another rank could not capture it"
