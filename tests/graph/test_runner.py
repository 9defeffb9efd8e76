"""Batches of several sizes: a net has passes for each, over the same storages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data.datum import make_datum
from protonet.data.writer import DatabaseWriter
from protonet.device import Device
from protonet.errors import LayerError
from protonet.graph.capture import ForwardPass
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TRAIN, SolverParameter
from protonet.proto.text import Source, read_net
from protonet.train.testing import mean_outputs
from protonet.train.train_step import TrainStep
from protonet.train.trainer import Trainer
from tests.kernels.cuda.emulation import QUEUE, EmulatedDevice, needs_compiler

RECORDS = 7
BODY = """
layer { name: "conv" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "norm" type: "BatchNorm" bottom: "c" top: "n" }
layer { name: "scale" type: "Scale" bottom: "n" top: "s" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "s" top: "s" }
layer { name: "drop" type: "Dropout" bottom: "s" top: "s" }
layer { name: "left" type: "InnerProduct" bottom: "s" top: "a"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "right" type: "TanH" bottom: "a" top: "b" }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "y" }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
"""


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Two data layers, of images and of vectors, with a place for the size of their batches."""
    rng = np.random.default_rng(5)
    for name, shape in (("images", (2, 5, 6)), ("vectors", (2, 1, 1))):
        with DatabaseWriter(tmp_path / name) as writer:
            for row in range(RECORDS):
                values = rng.standard_normal(shape).astype(np.float32)
                writer.put(f"{row:03}".encode(), make_datum(values))
    return "\n".join(
        f'layer {{ name: "{top}" type: "Data" top: "{top}" data_param {{ '
        f'source: "{tmp_path / name}" SETTINGS }} }}'
        for name, top in (("images", "x"), ("vectors", "t"))
    )


def net_of(data: str, size: int, *, partial: bool = True, body: str = BODY, **more: Any) -> Net:
    settings = f"batch_size: {size} {'partial_batches: true' if partial else ''}"
    text = data.replace("SETTINGS", settings) + body
    plan = plan_net(read_net(Source("net", text)), phase=TRAIN)
    device = more.pop("device", None) or Device("cpu")
    return Net(plan, device, seed=3, **more)


def passes(net: Net) -> tuple[float, np.ndarray]:
    """The loss and the gradients of the next batch."""
    net.store.diff.fill(0)
    net.forward()
    net.backward()
    return net.loss(), np.array(net.store.diff)


LAYOUTS = [{}, {"packed": True}, {"packed": True, "recompute": True}, {"precision": np.float16}]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_the_last_batch_is_computed_as_by_a_net_of_its_size(
    data: str, layout: dict[str, Any]
) -> None:
    net = net_of(data, 3, **layout)
    full, rest = (net_of(data, size, partial=False, **layout) for size in (3, 1))
    for row in range(9):
        place = row % 3
        other = rest if place == 2 else full
        layers = {name: {"position": 3 * place} for name in ("x", "t")}
        other.restore({"passes": row, "layers": layers})
        other.store.data[...] = net.store.data
        loss, gradients = passes(net)
        expected, expected_gradients = passes(other)
        assert (loss, net.items) == (expected, 1 if place == 2 else 3)
        np.testing.assert_array_equal(gradients, expected_gradients)
        assert net.blobs["loss"].data.shape == ()
        net.store.data[...] -= 0.1 * gradients
    for each in (net, full, rest):
        each.close()


@pytest.mark.parametrize("packed", [False, True])
def test_the_passes_share_their_storages_and_are_prepared_once(data: str, packed: bool) -> None:
    net = net_of(data, 3, packed=packed)
    first, version = net.layers, net.version
    values = {value.name: net.data_of(value) for value in net.plan.values}
    passes(net), passes(net), passes(net)
    assert net.items == 1
    for value in net.plan.values:
        assert np.shares_memory(net.data_of(value), values[value.name]), value.name
    smaller = net.layers
    passes(net)
    assert net.layers is first
    passes(net), passes(net)
    assert net.layers is smaller
    assert net.version == version
    assert smaller[0] is first[0]  # the data layers are the same
    assert smaller[2] is not first[2]
    assert smaller[2].params is first[2].params
    net.close()


def test_batches_that_divide_the_set_cost_nothing(data: str) -> None:
    for size in (RECORDS, 100, 1):
        net = net_of(data, size)
        passes(net), passes(net)
        assert net.batch == ()
        assert net.items == 1
        assert net.blobs["x"].data.shape[0] == min(size, RECORDS)
        net.close()


def test_a_net_goes_on_where_its_state_was_taken(data: str) -> None:
    net = net_of(data, 3, packed=True)
    states, expected = [], []
    for _ in range(6):
        states.append(net.state())
        expected.append(passes(net))
    for place in (2, 3, 5, 0, 4):
        for again in (net, net_of(data, 3, packed=True)):
            again.store.data[...] = net.store.data
            again.restore(states[place])
            loss, gradients = passes(again)
            assert loss == expected[place][0]
            np.testing.assert_array_equal(gradients, expected[place][1])


def test_steps_can_be_run_one_by_one(data: str) -> None:
    net, walked, stepped = (net_of(data, 3) for _ in range(3))
    for _ in range(4):
        net.forward()
        for _, (call, arguments) in walked.walk_forward():
            call(*arguments)
        for index in range(len(stepped.plan.steps)):
            stepped.forward_step(index)
        stepped.clock.iteration += 1
        assert net.loss() == walked.loss() == stepped.loss()
        assert net.blobs["y"].data.shape == stepped.blobs["y"].data.shape


def test_a_filter_may_follow(data: str) -> None:
    body = """
    layer { name: "slice" type: "Slice" bottom: "t" top: "mark" top: "u" }
    layer { name: "big" type: "Threshold" bottom: "mark" top: "chosen" }
    layer { name: "filter" type: "Filter" bottom: "x" bottom: "chosen" top: "f" }
    layer { name: "sum" type: "Reduction" bottom: "f" top: "sum" loss_weight: 1 }
    """
    net, whole = net_of(data, 3, body=body), net_of(data, RECORDS, body=body)
    for _ in range(3):
        losses = []
        for _ in range(3):
            net.forward()
            losses.append(net.loss())
        whole.forward()
        np.testing.assert_allclose(sum(losses), whole.loss(), rtol=1e-4)


def test_a_layer_that_does_not_take_the_smaller_batch_is_named(data: str) -> None:
    body = (
        'layer { name: "fixed" type: "Reshape" bottom: "t" top: "r" '
        "reshape_param { shape { dim: 3 dim: 2 } } }"
    )
    with pytest.raises(LayerError) as caught:
        net_of(data, 3, body=body)
    assert 'layer "fixed" (Reshape)' in str(caught.value)
    assert 'the batch of 1 that layer "x" gives, too' in str(caught.value)


@needs_compiler
def test_each_size_is_captured_once(data: str) -> None:
    def trained(captured: bool) -> Trainer:
        solver = SolverParameter(
            base_lr=0.1, lr_policy="fixed", momentum=0.5, max_iter=20, average_loss=5
        )
        trainer = Trainer(solver, net_of(data, 3, packed=True, device=EmulatedDevice()))
        if not captured:
            losses = trainer.train_step.losses
            trainer.train_step = TrainStep(trainer.net, trainer.rule, losses)
        trainer.progress.last_tick = float("inf")
        trainer.advance(20)
        trainer._take_losses()
        return trainer

    expected = trained(captured=False)
    QUEUE.captures = QUEUE.launches = 0
    found = trained(captured=True)
    assert found.train_step.capture_errors == frozenset()
    assert QUEUE.captures == 2
    assert QUEUE.launches == 20 - 4
    np.testing.assert_array_equal(found.net.store.data, expected.net.store.data)
    assert found.smoothed.losses == expected.smoothed.losses


def test_the_mean_of_a_test_weighs_batches_by_their_records(data: str) -> None:
    body = (
        'layer { name: "sums" type: "Reduction" bottom: "t" top: "mean" '
        "reduction_param { operation: MEAN } loss_weight: 1 }"
    )
    net, whole = (net_of(data, size, body=body) for size in (3, RECORDS))
    whole.forward()
    means = mean_outputs(ForwardPass(net), 3)
    assert means is not None
    loss, outputs = means
    assert loss == pytest.approx(whole.loss(), rel=1e-5)
    (mean,) = [output.value for output in outputs if output.name == "mean"]
    assert mean == pytest.approx(whole.loss(), rel=1e-5)
