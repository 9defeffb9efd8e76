"""Rates of a machine."""

from __future__ import annotations

import pytest

from protonet.device import Device
from protonet.jobs.profiling import machine
from protonet.jobs.profiling.machine import measure_machine


def test_both_rates_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_SECONDS", 0.01)
    found = measure_machine(Device("cpu"), side=64, count=10_000)
    assert found.arithmetic > 1e6
    assert found.bandwidth > 1e6
