"""Whether a run fits into memory, and what people are told."""

from __future__ import annotations

import pytest

from protonet.device import Device
from protonet.errors import DeviceError
from protonet.graph.plan import Plan
from protonet.jobs.checks.memory import TrainingMemory, check_inference, check_training
from protonet.proto.caffe_pb2 import SolverParameter
from tests.test_examples import plan_of

SOLVER = SolverParameter(type="Adam")


def plan(batch: int = 32, stage: str = "train") -> Plan:
    inputs: dict[str, tuple[int, ...]] = {"data": (batch, 3, 67, 67)}
    if stage != "deploy":
        inputs["label"] = (batch,)
    return plan_of("squeezenet", stage, inputs)


def check_needs(message: str) -> float:
    """The bytes that a message says are needed."""
    return float(message.split("about ")[1].split(" MiB")[0]) * 2**20


def test_what_needs_more_than_the_limit_is_refused_with_what_would_fit() -> None:
    test = plan(4, stage="val")

    def check(batch: int, limit: int) -> str:
        plans = [plan(batch), test]
        return check_training(plans, SOLVER, Device(), TrainingMemory(limit))

    with pytest.raises(DeviceError) as caught:
        check(32, 1)
    limit = int(check_needs(str(caught.value)) * 0.7)
    with pytest.raises(DeviceError) as caught:
        check(32, limit)
    message = str(caught.value)
    assert message.startswith("training needs about ")
    assert "more than the memory limit of " in message
    assert "for blobs and their gradients, " in message
    batch = int(message.split("a batch size of ")[1].split()[0])
    assert check(batch, limit) == ""
    with pytest.raises(DeviceError):
        check(batch + 1, limit)


def test_recomputation_is_advised_where_it_is_enough() -> None:
    for limit in range(40, 120):
        try:
            check_training([plan(16)], SOLVER, Device(), TrainingMemory(limit * 2**20))
        except DeviceError as error:
            enough = "--recompute would also suffice" in str(error)
        else:
            break
    assert enough
    memory = TrainingMemory((limit - 1) * 2**20, recompute=True)
    assert check_training([plan(16)], SOLVER, Device(), memory) == ""


def test_nothing_fits_into_nothing() -> None:
    with pytest.raises(DeviceError, match="not even a batch of 1 would fit"):
        check_training([plan()], SOLVER, Device(), TrainingMemory(1000))
    with pytest.raises(DeviceError, match="not even a batch of 1 would fit"):
        check_inference(plan(stage="deploy"), 1000, packed=True)


def test_without_a_limit_one_is_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device()
    monkeypatch.setattr(device, "memory", lambda: (2**20, 2**30))
    warning = check_training([plan()], SOLVER, device, TrainingMemory())
    assert "of the 1.0 GiB of device 'cpu' about 1.0 MiB are free: " in warning
    monkeypatch.setattr(device, "memory", lambda: (2**40, 2**41))
    assert check_training([plan()], SOLVER, device, TrainingMemory(), averages=True) == ""


def test_inference_is_refused_too() -> None:
    check_inference(plan(stage="deploy"), None, packed=True)
    check_inference(plan(stage="deploy"), 2**40, packed=True)
    with pytest.raises(DeviceError, match=r"the net needs about .* a batch size of \d+ would fit"):
        check_inference(plan(stage="deploy"), 22 * 2**20, packed=True, copies=1)


def test_a_training_that_no_memory_of_the_machine_holds_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Device, "most_memory", lambda _: 2**20)
    with pytest.raises(DeviceError, match="that device 'cpu' has") as caught:
        check_training([plan(32)], SOLVER, Device(), TrainingMemory())
    assert "squeezenet" in str(caught.value)
    monkeypatch.setattr(Device, "most_memory", lambda _: 70 * 2**20)
    monkeypatch.setattr(Device, "memory", lambda _: (2**20, 70 * 2**20))
    with pytest.raises(DeviceError, match=r'layer "conv1" \(Convolution\) alone'):
        check_training([plan(32)], SOLVER, Device(), TrainingMemory())
