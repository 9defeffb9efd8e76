"""Exact resume: what is snapshot in the middle ends with the same bits, whatever the solver."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.cli import main
from protonet.device import Device
from protonet.formats.solverstate import read_state
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.jobs.run.settings import SolverSettings
from protonet.jobs.training.start import start_solver
from protonet.layers.base import LayerContext
from protonet.precision import type_of
from protonet.proto.caffe_pb2 import TEST, TRAIN, SolverParameter
from protonet.proto.text import Source, read_net
from protonet.solvers.update_rule import RULES
from protonet.train import events
from protonet.train.snapshot import Snapshots
from protonet.train.trainer import Trainer

NET = """
name: "random"
layer {{ name: "data" type: "Data" top: "data" transform_param {{ crop_size: 13 mirror: true }}
  data_param {{ source: "{data}/train_images" batch_size: 4 }} }}
layer {{ name: "label" type: "Data" top: "label"
  data_param {{ source: "{data}/train_labels" batch_size: 4 }} }}
layer {{ name: "scale" type: "Power" bottom: "data" top: "scale" power_param {{ scale: 0.004 }} }}
layer {{ name: "ip1" type: "InnerProduct" bottom: "scale" top: "h"
  inner_product_param {{ num_output: 6 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "norm" type: "BatchNorm" bottom: "h" top: "h" }}
layer {{ name: "relu" type: "ReLU" bottom: "h" top: "h" }}
layer {{ name: "drop" type: "Dropout" bottom: "h" top: "h" }}
layer {{ name: "ip2" type: "InnerProduct" bottom: "h" top: "output"
  inner_product_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "more" type: "InnerProduct" bottom: "h" top: "more" include {{ stage: "more" }}
  inner_product_param {{ num_output: 3 weight_filler {{ type: "gaussian" std: 1 }} }} }}
layer {{ name: "sum" type: "Reduction" bottom: "more" top: "sum" include {{ stage: "more" }} }}
layer {{ name: "loss" type: "EuclideanLoss" bottom: "output" bottom: "label" top: "loss" }}
"""


@contextmanager
def trainer_of(
    data: Path,
    out: Path,
    rule: str,
    iter_size: int,
    heard: list[events.Event],
    processor: str = "cpu",
    precision: str = "float32",
    text: str = NET,
) -> Iterator[Trainer]:
    """A training with everything that has a memory of its own, and two test nets."""
    solver = SolverParameter(
        type=rule,
        base_lr=0.01,
        lr_policy="step",
        stepsize=3,
        gamma=0.5,
        momentum=0.0 if rule in ("AdaGrad", "RMSProp", "TorchAdaGrad", "TorchRMSProp") else 0.9,
        momentum2=0.99,
        delta=1e-6,
        rms_decay=0.9,
        weight_decay=0.01,
        clip_gradients=5,
        iter_size=iter_size,
        average_loss=3,
        max_iter=9,
        snapshot=4,
        test_interval=3,
    )
    definition = read_net(Source("net.prototxt", text.format(data=data)))
    context = LayerContext(shuffle=True, seed=5)
    device = Device(processor)

    def net(phase: int, stages: tuple[str, ...] = (), lender: Net | None = None) -> Net:
        plan = plan_net(definition, phase=phase, stages=stages, context=context)
        kept_in = type_of(precision)
        return Net(plan, device, seed=5, precision=kept_in, params_of=lender)

    with (
        closing(net(TRAIN)) as train,
        closing(net(TEST, (), train)) as one,
        closing(net(TEST, ("more",), train)) as two,
    ):
        yield Trainer(
                solver, train, [(one, 2), (two, 3)], Snapshots(out / "s"), [heard.append],
                average=0.9,
            )  # fmt: skip


def told(heard: list[events.Event], after: int) -> list[object]:
    """The losses and outputs that listeners were told, from an iteration on."""
    return [
        (type(event).__name__, event.iteration, event.outputs)
        for event in heard
        if isinstance(event, (events.Iterated, events.Tested)) and event.iteration >= after
    ]


@pytest.mark.parametrize("processor", ["cpu", pytest.param("cuda:0", marks=pytest.mark.gpu)])
@pytest.mark.parametrize(
    ("rule", "iter_size", "precision"),
    [
        *((rule, iter_size, "float32") for rule in RULES.names() for iter_size in (1, 3)),
        ("SGD", 3, "float16"),
        ("Adam", 1, "bfloat16"),
    ],
)
def test_the_same_bits(
    gradients: Path, tmp_path: Path, rule: str, iter_size: int, precision: str, processor: str
) -> None:
    first: list[events.Event] = []
    how = (rule, iter_size)
    with trainer_of(gradients, tmp_path / "whole", *how, first, processor, precision) as whole:
        whole.run()
        expected = np.array(whole.net.device.get(whole.net.store.data))
    second: list[events.Event] = []
    with trainer_of(gradients, tmp_path / "again", *how, second, processor, precision) as again:
        again.restore(tmp_path / "whole" / "s_iter_4.solverstate")
        again.run()
        np.testing.assert_array_equal(again.net.device.get(again.net.store.data), expected)
    for name in ("s_iter_9.caffemodel", "s_iter_9.average.caffemodel", "s_iter_9.resume.json"):
        before, after = (tmp_path / folder / name for folder in ("whole", "again"))
        assert before.read_bytes() == after.read_bytes(), name
    states = [
        read_state(tmp_path / folder / "s_iter_9.solverstate") for folder in ("whole", "again")
    ]
    assert len(states[0].history) == len(states[1].history)
    for one, other in zip(states[0].history, states[1].history, strict=True):
        np.testing.assert_array_equal(one, other)
    assert told(second, 4) == told(first, 4)
    assert {event.net for event in second if isinstance(event, events.Tested)} == {0, 1}


@pytest.mark.parametrize("iter_size", [1, 3])
def test_the_same_bits_where_batches_differ_in_size(
    gradients: Path, tmp_path: Path, iter_size: int
) -> None:
    text = re.sub(r"(batch_size: \d+)", r"\1 partial_batches: true", NET)
    how, heard = ("TorchSGD", iter_size), list[events.Event]()
    with trainer_of(gradients, tmp_path / "whole", *how, heard, text=text) as whole:
        whole.run()
        assert whole.net.plan.varying
        expected = whole.net.store.data.copy()
    for stop in (4, 8):
        with trainer_of(gradients, tmp_path / f"{stop}", *how, heard, text=text) as again:
            again.restore(tmp_path / "whole" / f"s_iter_{stop}.solverstate")
            again.run()
            np.testing.assert_array_equal(again.net.store.data, expected)


KILLED = """
import sys, time
from protonet.jobs.run.settings import SolverSettings
from protonet.jobs.training.start import start_solver
from pathlib import Path
start_solver(Path("solver.prototxt"), SolverSettings(out=Path(sys.argv[1])),
             listeners=[lambda event: time.sleep(0.02)])
"""


def test_killed_and_taken_up_by_caffes_flag(
    gradients: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL, then `caffe train -solver -snapshot`: the weights of a run that nothing befell."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(NET.format(data=gradients))
    (tmp_path / "solver.prototxt").write_text(
        'net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" momentum: 0.9 max_iter: 40 '
        'snapshot: 10 snapshot_prefix: "s" random_seed: 3 iter_size: 2 average_loss: 4 '
        'test_iter: 2 test_iter: 1 test_interval: 10 test_state { } test_state { stage: "more" }'
    )
    heard: list[events.Event] = []
    start_solver(Path("solver.prototxt"), SolverSettings(out=tmp_path / "whole"),
                 listeners=[heard.append])  # fmt: skip
    assert {event.net for event in heard if isinstance(event, events.Tested)} == {0, 1}
    whole = Path("s_iter_40.caffemodel").read_bytes()
    for path in tmp_path.glob("s_iter_*"):
        path.unlink()
    process = subprocess.Popen([sys.executable, "-c", KILLED, "killed"])
    deadline = time.monotonic() + 60
    while not Path("s_iter_20.solverstate").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    assert not Path("s_iter_40.solverstate").exists()
    start_solver(
        Path("solver.prototxt"),
        SolverSettings(out=tmp_path / "again", snapshot=Path("s_iter_20.solverstate")),
    )
    assert Path("s_iter_40.caffemodel").read_bytes() == whole


def test_several_test_nets_in_caffes_log(
    gradients: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    """Each has its own lines; a layer that only one has keeps what its filler gave."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(NET.format(data=gradients))
    (tmp_path / "solver.prototxt").write_text(
        'net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 2 random_seed: 3 '
        "test_iter: 2 test_iter: 1 test_interval: 2 test_initialization: false "
        'test_state { } test_state { stage: "more" } test_compute_loss: true snapshot_prefix: "s"'
    )
    assert main(["train", "-solver", "solver.prototxt", "--log-format", "caffe"]) == 0
    log = capfd.readouterr().err
    assert "Iteration 0, Testing net" not in log
    for number in (0, 1):
        assert f"Iteration 2, Testing net (#{number})" in log
    assert len(re.findall(r"Test loss: ", log)) == 2
    assert len(re.findall(r"Test net output #\d: sum = ", log)) == 1
    assert len(re.findall(r"Test net output #\d: loss = ", log)) == 2
