"""The first bad blob."""

import numpy as np

from protonet.device import Device
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
    assert "mend the database" in message


def test_bad_parameters_are_named() -> None:
    net = Net(plan_of(SEED), Device("cpu"))
    net.params["hidden"][1].data[0] = np.nan
    net.forward()
    assert (
        'parameter 1 of layer "hidden" (InnerProduct), which an earlier update'
        in explain_divergence(net, 1)
    )


def test_a_finite_net_blames_the_loss_alone() -> None:
    net = Net(plan_of(SEED), Device("cpu"))
    net.forward()
    assert "it began in the loss" in explain_divergence(net, 1)
