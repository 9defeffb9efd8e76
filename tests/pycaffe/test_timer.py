"""Timer."""

from __future__ import annotations

import time

import pytest

import protonet.pycaffe as caffe


def test_it_measures_what_lies_between() -> None:
    timer = caffe.Timer()
    timer.start()
    time.sleep(0.02)
    timer.stop()
    between = timer.ms
    assert 20 <= between < 2000
    time.sleep(0.01)
    timer.stop()
    assert timer.ms == between


def test_reading_stops_it_and_starting_twice_is_starting_once() -> None:
    timer = caffe.Timer()
    timer.start()
    time.sleep(0.02)
    timer.start()
    first = timer.ms
    assert first >= 20
    time.sleep(0.01)
    assert timer.ms == first


def test_a_timer_that_never_ran(capsys: pytest.CaptureFixture[str]) -> None:
    assert caffe.Timer().ms == 0
    assert capsys.readouterr().err == "Timer has never been run before reading time.\n"


@pytest.mark.gpu
def test_on_a_gpu_queued_work_is_measured() -> None:
    from protonet.device import Device

    device = Device("cuda:0")
    x = device.zeros((4096, 4096))
    caffe.set_mode_gpu()
    try:
        timer = caffe.Timer()
        x @ x
        device.synchronize()
        timer.start()
        for _ in range(50):
            x @ x
        timer.stop()
        assert timer.ms > 50 * 2 * 4096**3 / 1e15 * 1000
    finally:
        caffe.set_mode_cpu()
