"""Trainings whose gradients NCCL sums: two real ranks on a stand-in, and GPUs where they are."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data.create import create_gradients
from protonet.device import Device, load_nccl
from protonet.errors import DeviceError
from protonet.gpus import gpu_addresses
from protonet.graph.net import Net
from protonet.jobs.run.directory import RunDirectory
from protonet.precision import type_of
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.ranks.communicator import ALONE
from protonet.ranks.nccl import NCCLCommunicator
from protonet.train.train_step import CapturedTrainStep
from protonet.train.trainer import Trainer
from tests.graph.nets import plan_of
from tests.jobs.nets import SEED
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.ranks.agreement import weights_of
from tests.ranks.emulated_nccl import EmulatedNccl
from tests.ranks.started import on_ranks, protonet

NET = """
layer { name: "x" type: "DummyData" top: "x" top: "t" dummy_data_param {
  shape { dim: 4 dim: 7 } shape { dim: 4 } data_filler { type: "gaussian" }
  data_filler { type: "constant" value: 1 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a"
  inner_product_param { num_output: 6 weight_filler { type: "xavier" } } }
layer { name: "r" type: "ReLU" bottom: "a" top: "a" }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "b" bottom: "t" top: "loss" }
"""

TRAINING = """
import numpy as np
from protonet.device import Device
from protonet.graph.net import Net
from protonet.precision import type_of
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.ranks.mpi import communicator
from protonet.train.train_step import CapturedTrainStep
from protonet.train.trainer import Trainer
from tests.graph.nets import plan_of
from tests.kernels.cuda.emulation import QUEUE, EmulatedDevice
from tests.ranks.emulated_nccl import EmulatedNccl
from tests.ranks.test_nccl_trainings import NET
hosts = communicator()

def trained(device, iter_size, sent=np.float32):
    settings = dict(type="SGD", base_lr=0.1, lr_policy="fixed", momentum=0.9, clip_gradients=0.3,
                    iter_size=iter_size, max_iter=8, display=5)
    net = Net(plan_of(NET), device, seed=3)
    net.clock.iteration = 100 * hosts.rank  # other data, as if it were another part of the batch
    if not device.is_cpu:
        net.clock.on_device.fill(net.clock.iteration)
    ranks = hosts.on(device)
    trainer = Trainer(SolverParameter(**settings), net, alone=True, ranks=ranks, sent=sent)
    trainer.progress.tick_is_due = lambda: False
    QUEUE.launches = 0
    trainer.advance(8)
    return np.array(device.get(net.store.data)), trainer

for iter_size in (1, 2):
    expected, on_cpu = trained(Device(), iter_size)
    others = (
        ("old", EmulatedNccl(20805)),
        ("refused", EmulatedNccl(refuses="unhandled cuda error")),
        ("elsewhere", EmulatedNccl(refuses="unhandled cuda error" * hosts.rank)),
    )
    for name, nccl in (("inside", EmulatedNccl()), *(others if iter_size == 1 else ())):
        hosts._on.clear()
        found, trainer = trained(EmulatedDevice(nccl=nccl), iter_size)
        assert isinstance(trainer.train_step, CapturedTrainStep)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        weights = hosts.gather(found.tobytes())
        assert weights[0] == weights[1], "the same bits on all ranks"
        assert abs(trainer.smoothed.value - on_cpu.smoothed.value) < 1e-5
        if hosts.rank == 0:
            errors, begun = sorted(trainer.train_step.capture_errors), len(nccl.begun)
            print(iter_size, name, begun, QUEUE.launches, *errors)

for sent in ("bfloat16", "float16"):
    expected, _ = trained(Device(), 1, type_of(sent))
    hosts._on.clear()
    nccl = EmulatedNccl()
    found, trainer = trained(EmulatedDevice(nccl=nccl), 1, type_of(sent))
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3)
    if hosts.rank == 0:
        kinds = {what for what, _ in nccl.begun}
        print(sent, *sorted(kinds), QUEUE.launches, *sorted(trainer.train_step.capture_errors))
"""


@needs_compiler
def test_a_captured_training_on_two_ranks(tmp_path: Path) -> None:
    """Sums are inside the graphs; outside with an old NCCL, or where they cannot be captured. Eight
    iterations; what a graph repeats was begun once.
    """
    told = on_ranks(2, TRAINING, tmp_path)
    old = "the sums over ranks: this version of NCCL cannot be captured"
    elsewhere = "the sums over ranks: another rank could not capture it"
    refused = "the sums over ranks: unhandled cuda error"
    assert told.splitlines() == [
        "1 inside 5 4",
        f"1 old 8 12 {old}",
        f"1 refused 8 4 {refused}",
        f"1 elsewhere 9 4 {elsewhere}",
        "2 inside 3 18",
        "bfloat16 collect swap 4",
        "float16 collect swap 4 the sums over ranks: maximum without out during stream capture",
    ], "iter_size, how, sums that were begun, launches of graphs, what was not captured"


COMMAND = """
from protonet.cli import main
from protonet.jobs.training import join, start
from protonet.ranks import devices
from tests.kernels.cuda.emulation import QUEUE, EmulatedDevice
from tests.ranks.emulated_nccl import EmulatedNccl
taken = []

def device(name, tf32=False):
    taken.append(name)
    return EmulatedDevice(nccl=EmulatedNccl())

devices.gpu_addresses = lambda name: ("0000:01", "0000:02")
devices.load_cupy = lambda name: (None, 2)
devices.load_nccl = lambda: True
start.Device = join.Device = device
code = main({arguments})
print(code, *taken, QUEUE.captures)
"""


@needs_compiler
def test_the_command_on_two_gpus_that_are_emulated(tmp_path: Path) -> None:
    """Each rank takes its device, captures its iterations, and trains as one rank on a CPU."""
    data, net = tmp_path / "data", tmp_path / "net.prototxt"
    create_gradients(data, 6, 5, 12, 4, seed=1)
    net.write_text(SEED)
    given = ["--data", data / "train_images", "--labels", data / "train_labels", "--epochs", 4,
             "--batch-size", 3, "--quiet", "--out"]  # fmt: skip
    done = protonet("train", net, *given, "one", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    arguments = ["train", net, *given, tmp_path / "two", "--device", "cuda:1,0"]
    program = COMMAND.format(arguments=list(map(str, arguments)))
    told = on_ranks(2, program, tmp_path).splitlines()
    assert sorted(told) == ["0 cuda:0 2", "0 cuda:1 2", f"results: {tmp_path / 'two'}"]
    log = (tmp_path / "two" / "train.log").read_text()
    assert "2 ranks share out batches of 3 images" in log
    assert "captured" not in log, "everything was"
    found = [
        weights_of(RunDirectory(tmp_path / run).snapshots().model(16)) for run in ("one", "two")
    ]
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)


class ByItself(NCCLCommunicator):
    """One rank that sums as several do, with itself."""

    alone = False


def sums_with_itself(device: Device) -> None:
    """A captured training whose gradients go through NCCL is that without."""
    ranks = ByItself(ALONE, device)
    array = device.zeros((3, 5)) + 2
    ranks.sum(array)
    ranks.broadcast_array(array)
    assert device.get(array).tolist() == [[2.0] * 5] * 3

    def trained(**more: Any) -> np.ndarray:
        settings = {"type": "SGD", "base_lr": 0.1, "lr_policy": "fixed", "momentum": 0.9}
        net = Net(plan_of(NET), device, seed=3)
        trainer = Trainer(SolverParameter(**settings), net, alone=True, **more)
        trainer.progress.tick_is_due = lambda: False
        trainer.advance(6)
        assert isinstance(trainer.train_step, CapturedTrainStep)
        assert trainer.train_step.capture_errors == frozenset()
        trainer.train_step.close()
        return np.array(device.get(net.store.data))

    expected = trained()
    np.testing.assert_array_equal(trained(ranks=ranks), expected)
    rounded = trained(ranks=ranks, sent=type_of("bfloat16"))
    assert (rounded != expected).any()
    np.testing.assert_allclose(rounded, expected, rtol=0.05, atol=0.01)


@needs_compiler
def test_one_rank_sums_with_itself_on_a_stand_in() -> None:
    sums_with_itself(EmulatedDevice(nccl=EmulatedNccl()))


@pytest.mark.gpu
@pytest.mark.skipif(load_nccl() is None, reason="needs NCCL")
def test_one_gpu_sums_with_itself() -> None:
    """The real NCCL, its streams and graphs, where there is one GPU."""
    sums_with_itself(Device("cuda:0"))


TRAIN = ("train", "--solver", "random.prototxt", "--quiet", "--out")


def _gpus() -> int:
    try:
        return len(gpu_addresses("cuda:all"))
    except DeviceError:
        return 0


@pytest.mark.gpu
@pytest.mark.skipif(_gpus() < 2 or load_nccl() is None, reason="needs two GPUs and NCCL")
def test_two_gpus_train_as_one(tmp_path: Path) -> None:
    from tests.jobs.training.test_join import DIGITS, RANDOM, SOLVER

    folder = tmp_path / "digits"
    shutil.copytree(DIGITS, folder)
    (folder / "net.prototxt").write_text(RANDOM)
    (folder / "random.prototxt").write_text(SOLVER)
    found = []
    for out, device in (("one", "cuda:0"), ("two", "cuda:all"), ("again", "cuda:all")):
        done = protonet(*TRAIN, out, "--device", device, folder=folder)
        assert done.returncode == 0, done.stderr
        assert "cannot be captured" not in (folder / out / "train.log").read_text()
        found.append(weights_of(folder / "net_iter_100.caffemodel"))
    np.testing.assert_allclose(found[1], found[0], rtol=2e-4, atol=2e-5)
    np.testing.assert_array_equal(found[2], found[1])
