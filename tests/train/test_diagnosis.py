"""The first bad blob."""

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.inspection import tops_in_order
from protonet.graph.net import Net
from protonet.train.diagnosis import explain_divergence
from tests.graph.nets import SEED, plan_of


def test_bad_data_is_the_datas_fault() -> None:
    net = Net(plan_of(SEED), Device("cpu"))
    net.blobs["data"].data[0, 0, 1, 2] = np.nan
    net.forward()
    message = explain_divergence(net, 12)
    assert message.startswith("iteration 12: ")
    assert 'blob "data" of layer "data" (Input)' in message
    assert "repair the database" in message


def test_bad_parameters_are_named() -> None:
    net = Net(plan_of(SEED), Device("cpu"))
    net.params["hidden"][1].data[0] = np.nan
    net.forward()
    assert (
        'parameter 1 of layer "hidden" (InnerProduct), which became non-finite'
        in explain_divergence(net, 1)
    )


def test_a_finite_net_blames_the_loss_alone() -> None:
    net = Net(plan_of(SEED), Device("cpu"))
    net.forward()
    assert "it began in the loss" in explain_divergence(net, 1)


DEEP = """
layer { name: "data" type: "DummyData" top: "x" top: "t" dummy_data_param {
  shape { dim: 4 dim: 6 } shape { dim: 4 dim: 3 }
  data_filler { type: "gaussian" } data_filler { type: "gaussian" } } }
layer { name: "one" type: "InnerProduct" bottom: "x" top: "a"
  inner_product_param { num_output: 6 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "a" top: "a" }
layer { name: "root" type: "Power" bottom: "a" top: "b" power_param { power: 0.5 } }
layer { name: "act" type: "ReLU" bottom: "b" top: "b" }
layer { name: "two" type: "InnerProduct" bottom: "b" top: "y"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
"""


@pytest.mark.parametrize("share", [False, True])
def test_the_first_bad_blob_is_named_whether_or_not_memory_is_shared(share: bool) -> None:
    """A root of negative numbers is none; its memory is something else's by the end."""
    net = Net(plan_of(DEEP), Device(), packed=share)
    with np.errstate(all="ignore"):
        net.forward()
        net.backward()
        assert not np.isfinite(net.loss())
        message = explain_divergence(net, 3)
    assert 'it began in blob "b" of layer "root" (Power)' in message


def test_a_repeated_pass_sees_the_same_values() -> None:
    plain, shared = (Net(plan_of(DEEP), Device(), packed=each) for each in (False, True))
    with np.errstate(all="ignore"):
        for net in (plain, shared):
            for _ in range(2):
                net.forward()
                net.backward()
        expected, found = (
            {value.name: data.copy() for _, value, data in tops_in_order(net)}
            for net in (plain, shared)
        )
    assert expected.keys() == found.keys()
    for name, data in expected.items():
        np.testing.assert_array_equal(data, found[name])
    assert plain.clock.iteration == shared.clock.iteration == 2
