"""The memory of a plan, found without taking any: it is what a net then takes."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.estimate import estimate, fitting_batch, parameter_bytes
from protonet.graph.meta_device import MetaDevice, meta_array
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.kernels import native
from tests.graph.nets import plan_of
from tests.test_examples import plan_of as example


def cifar(batch: int = 10) -> Plan:
    return example("cifar10", "train", {"data": (batch, 3, 32, 32), "label": (batch,)})


def borrowed(plan: Plan) -> int:
    """Bytes of the packed weights of the largest convolution, and of their gradient's sums:
    Winograd's transform makes 36 numbers of 25.
    """
    most = max(step.params[0].weight.count for step in plan.steps if step.type == "Convolution")
    return 2 * 4 * most * 36 // 25 if native.load() is not None else 0


def test_a_meta_device_counts_bytes_and_allocates_none() -> None:
    device = MetaDevice()
    array = device.empty((1000, 1000, 1000), np.float64)
    assert device.allocated == 8 * 10**9
    assert array.reshape(1000, -1).shape == (1000, 10**6)
    device.note_workspace(10, 4)
    device.note_workspace(7, 5)
    assert (device.workspace, device.backward_workspace) == (10, 5)
    device.put(np.ones((1000, 1000, 1000), bool), array)
    assert device.zeros(()).shape == ()
    meta_array((2, 3))[...] = 1.0


@pytest.mark.parametrize(("share", "recompute"), [(False, False), (True, False), (True, True)])
def test_a_net_takes_what_was_estimated(share: bool, recompute: bool) -> None:
    plan = cifar()
    found = estimate(plan, gradients=True, packed=share, recompute=recompute)
    tracemalloc.start()
    net = Net(plan, Device(), packed=share, recompute=recompute)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert net.store.data.nbytes + net.store.diff.nbytes >= found.parameters + found.gradients
    # what compiled kernels share is made when they run
    assert 0.97 < (found.total - borrowed(plan)) / taken < 1.03


def test_an_estimate_takes_nothing_and_leaves_the_plan_as_it_is() -> None:
    plan = cifar(batch=1000)
    before = [vars(step.layer).copy() for step in plan.steps]
    estimate(plan, gradients=True)
    tracemalloc.start()
    found = estimate(plan, gradients=True)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < found.total / 100
    assert [vars(step.layer) for step in plan.steps] == before


def test_sharing_and_recomputation_need_less() -> None:
    plan = example("squeezenet", "train", {"data": (2, 3, 67, 67), "label": (2,)})
    apart = estimate(plan, gradients=True, packed=False)
    shared = estimate(plan, gradients=True)
    less = estimate(plan, gradients=True, recompute=True)
    assert less.blobs < shared.blobs < apart.blobs
    assert less.recompute_savings == shared.blobs - less.blobs


def test_the_largest_batch_that_fits() -> None:
    plan = cifar(batch=64)
    limit = estimate(cifar(batch=37), gradients=True).total

    def needs(smaller: Plan) -> int:
        return estimate(smaller, gradients=True).total

    assert fitting_batch(plan, limit, needs) == 37
    assert fitting_batch(plan, limit - 1, needs) == 36
    assert fitting_batch(plan, 1000, needs) == 0


def test_where_no_batch_can_be_told() -> None:
    """Two inputs of different batches; a shape that the text fixes."""
    two = plan_of(
        'layer { name: "in" type: "Input" top: "a" top: "b" input_param { '
        "shape { dim: 4 dim: 3 } shape { dim: 5 dim: 3 } } }"
        'layer { name: "join" type: "Concat" bottom: "a" bottom: "b" top: "c" '
        "concat_param { axis: 0 } }"
    )
    assert fitting_batch(two, 10, lambda _: 11) is None
    fixed = plan_of(
        'layer { name: "in" type: "Input" top: "a" input_param { shape { dim: 4 dim: 3 } } }'
        'layer { name: "flat" type: "Reshape" bottom: "a" top: "b" '
        "reshape_param { shape { dim: 2 dim: 6 } } }"
    )
    assert fitting_batch(fixed, 10, lambda _: 11) is None


def test_packed_weights_are_counted_once() -> None:
    plan = example("squeezenet", "deploy", {"data": (1, 3, 227, 227)})
    plain = estimate(plan, gradients=False)
    kept = estimate(plan, gradients=False, keep_weights=True)
    assert plain.parameters == parameter_bytes(plan)
    net = Net(plan, Device(), packed=True, keep_weights=True)
    rng = np.random.default_rng(0)
    weights = {
        name: [rng.normal(size=param.shape) for param in params]
        for name, params in net.params.items()
    }
    net.load(weights, "given", release=True)
    params = [param for each in net.params.values() for param in each]
    taken = sum(param.data.nbytes for param in params if not param.released)
    taken += sum(form.nbytes for param in params for form in param.packed.values())
    assert kept.parameters == taken
    assert all(param.released for param in params if param.packed)
