"""NCCL between ranks: its calls and their order, two real ranks on a stand-in, and two GPUs where
they are.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data.create import create_gradients
from protonet.device import Device, load_nccl
from protonet.errors import DeviceError
from protonet.formats.caffemodel import read_weights
from protonet.gpus import gpu_addresses
from protonet.graph.net import Net
from protonet.jobs.run.directory import RunDirectory
from protonet.precision import type_of
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.ranks.communicator import ALONE, Communicator
from protonet.ranks.nccl import NCCLCommunicator
from protonet.train.train_step import CapturedTrainStep
from protonet.train.trainer import Trainer
from tests.graph.nets import plan_of
from tests.jobs.nets import SEED
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.ranks.emulated_nccl import EmulatedNccl
from tests.ranks.started import on_ranks, protonet


class Hosts(Communicator):
    """Rank 0 of 2, without a process beside it."""

    size, host = 2, "here"

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def broadcast(self, value: Any) -> Any:
        self.log.append(f"id of {len(value)} bytes")
        return value

    def begin_sum(self, array: Any, /) -> Any:
        self.log.append("a sum of the hosts")
        return super().begin_sum(array)

    def broadcast_array(self, array: Any) -> None:
        self.log.append("an array of the hosts")

    def end_all(self, code: int) -> None:
        self.log.append(f"end with {code}")


class Recorded:
    """CuPy's streams, events and NCCL, which write down what they are asked."""

    NCCL_SUM, NCCL_FLOAT32 = 0, 7

    class NcclError(RuntimeError):
        pass

    def __init__(self, log: list[str], version: int = 22707) -> None:
        self.log, self.version, self.ptr = log, version, 5

    def get_version(self) -> int:
        return self.version

    def get_unique_id(self) -> bytes:
        return bytes(128)

    def NcclCommunicator(self, size: int, known: bytes, rank: int) -> Any:  # noqa: N802
        if self.version == 0:
            raise self.NcclError("NCCL_ERROR_SYSTEM_ERROR: no route")
        self.log.append(f"rank {rank} of {size}")
        return self

    def allReduce(  # noqa: N802
        self, send: int, receive: int, count: int, kind: int, operation: int, stream: int
    ) -> None:
        assert send == receive
        self.log.append(f"sum {count} of type {kind} by {operation} on {stream}")

    def broadcast(
        self, send: int, receive: int, count: int, kind: int, root: int, stream: int
    ) -> None:
        self.log.append(f"broadcast {count} of type {kind} from {root} on {stream}")

    def Stream(self, non_blocking: bool) -> Any:  # noqa: N802
        return _Stream(self.log, "beside", 5)

    def Event(self, disable_timing: bool) -> Any:  # noqa: N802
        return self

    def record(self, stream: Any) -> None:
        self.log.append(f"record {stream.name}")

    def get_current_stream(self) -> Any:
        return _Stream(self.log, "passes", 0)


class _Stream:
    def __init__(self, log: list[str], name: str, ptr: int) -> None:
        self.log, self.name, self.ptr = log, name, ptr

    def wait_event(self, event: Any) -> None:
        self.log.append(f"{self.name} waits")


def recorded(log: list[str], version: int = 22707) -> NCCLCommunicator:
    made = Recorded(log, version)
    device = EmulatedDevice(nccl=made)
    device.xp.cuda = made
    return NCCLCommunicator(Hosts(log), device)


def test_sums_go_beside_what_is_queued_later() -> None:
    log: list[str] = []
    ranks = recorded(log)
    assert log == ["id of 128 bytes", "rank 0 of 2"]
    assert (ranks.rank, ranks.size, ranks.host, ranks.capturable) == (0, 2, "here", True)
    array = EmulatedDevice().zeros((2, 3))
    log.clear()
    pending = ranks.begin_sum(array)
    pending.progress()
    assert log == ["record passes", "beside waits", "sum 6 of type 7 by 0 on 5"]
    log.clear()
    pending.wait()
    assert log == ["record beside", "passes waits"]
    log.clear()
    ranks.broadcast_array(array)
    begun = ["record passes", "beside waits", "broadcast 6 of type 7 from 0 on 5"]
    assert log == [*begun, "record beside", "passes waits"]


def test_arrays_of_the_host_go_the_way_of_the_hosts() -> None:
    log: list[str] = []
    ranks = recorded(log)
    log.clear()
    ranks.sum(np.zeros(2))
    ranks.broadcast_array(np.zeros(2))
    ranks.end_all(4)
    assert log == ["a sum of the hosts", "an array of the hosts", "end with 4"]
    assert ranks.gather(3) == [3]
    assert ranks.sums([1.5]) == [1.5]
    assert ranks.any_of(True, False) == (True, False)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(
        DeviceError, match=r"pip install 'protonet\[nccl\]' for CUDA 12, or .nccl13"
    ):
        NCCLCommunicator(Hosts([]), EmulatedDevice())


def test_gpus_that_cannot_be_connected() -> None:
    with pytest.raises(DeviceError, match=r"cannot connect the GPUs .*no route.*NCCL_DEBUG=INFO"):
        recorded([], version=0)


def test_an_old_nccl_is_not_captured() -> None:
    assert not recorded([], version=20805).capturable


PROGRAM = """
import numpy as np
from protonet.precision import type_of
from protonet.ranks.mpi import communicator
from protonet.train.compressed_sum import CompressedSums
from tests.kernels.cuda.emulation import EmulatedArray, EmulatedDevice
from tests.ranks.emulated_nccl import EmulatedNccl
hosts = communicator()
device = EmulatedDevice(nccl=EmulatedNccl())
ranks = hosts.on(device)
assert ranks is hosts.on(device)

def made(values, dtype):
    return np.array(values, dtype).view(EmulatedArray)

for dtype in (np.float32, np.float64, np.float16, type_of("bfloat16"), np.int32):
    array = made([1, 2, 3], dtype)
    if ranks.rank:
        array.fill(5)
    ranks.sum(array)
    assert array.tolist() == [6, 7, 8], (dtype, array)
later = made([ranks.rank, 5], np.float32)
pending = ranks.begin_sum(later)
pending.progress()
assert later.tolist() == [ranks.rank, 5], "no earlier than it must"
pending.wait()
assert later.tolist() == [1, 10]
first = made([ranks.rank + 7], np.float32)
ranks.broadcast_array(first)
sent, received = made([[1, 2], [3, 4]], np.uint16), made([[0, 0]] * 2, np.uint16)
ranks.begin_swap(sent, received).wait()
assert received.tolist() == [sent[ranks.rank].tolist()] * 2
ranks.begin_collect(made([ranks.rank, 9], np.uint16), received).wait()
assert received.tolist() == [[0, 9], [1, 9]]
for dtype in ("float16", "bfloat16"):
    guarded = made([1, 2, 3, 4, 5, 77], np.float32)  # two blocks of 3 and 2
    CompressedSums(ranks, device, type_of(dtype)).begin_sum(guarded[:5]).wait()
    assert guarded.tolist() == [2, 4, 6, 8, 10, 77], guarded
host = np.full(2, ranks.rank + 1.0)
ranks.sum(host)
ranks.begin_swap(np.zeros((2, 1)), np.zeros((2, 1))).wait()
ranks.begin_collect(np.zeros(1), np.zeros((2, 1))).wait()
flags = ranks.any_of(ranks.rank == 1)
told = ranks.gather((first.tolist(), host.tolist(), ranks.sums([0.5]), flags))
if ranks.rank == 0:
    print(*told, sep="\\n")
"""


@needs_compiler
def test_two_ranks_on_a_stand_in(tmp_path: Path) -> None:
    told = on_ranks(2, PROGRAM, tmp_path)
    assert told.splitlines() == ["([7.0], [3.0, 3.0], [1.0], (True,))"] * 2


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
from tests.ranks.test_nccl import NET
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
    found = [_weights(RunDirectory(tmp_path / run).snapshots().model(16)) for run in ("one", "two")]
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)


def _weights(path: Path) -> np.ndarray:
    layers = read_weights(path)
    return np.concatenate([blob.ravel() for blobs in layers.values() for blob in blobs])


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
        trainer.progress.tick_is_due = lambda: False  # type: ignore[method-assign]
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
        found.append(_weights(folder / "net_iter_100.caffemodel"))
    np.testing.assert_allclose(found[1], found[0], rtol=2e-4, atol=2e-5)
    np.testing.assert_array_equal(found[2], found[1])
