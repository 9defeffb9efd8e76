"""A net without a loss is not trained by mistake."""

from __future__ import annotations

import pytest

from protonet.errors import NetworkError
from protonet.graph.planning import plan_net
from protonet.jobs.checks.objective import check_objective, has_objective, wants_vectors
from protonet.proto.caffe_pb2 import TEST, TRAIN
from tests.jobs.nets import net_of

NET = """layer { name: "in" type: "Input" top: "x" top: "t" input_param {
  shape { dim: 2 dim: 3 } shape { dim: 2 dim: 1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
  inner_product_param { num_output: 1 } }
"""
LOSS = 'layer { name: "l" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss"'


def check(text: str, phase: int = TRAIN) -> None:
    definition = net_of(text)
    check_objective(plan_net(definition, phase=phase), definition)


def test_a_loss_or_a_weight_is_enough() -> None:
    check(NET + LOSS + " }")
    check(NET.replace('top: "y"', 'top: "y" loss_weight: 0.5'))


def test_without_one_there_is_nothing_to_learn() -> None:
    with pytest.raises(NetworkError, match="such as SoftmaxWithLoss or EuclideanLoss"):
        check(NET)
    plan = plan_net(net_of(NET + LOSS + " loss_weight: 0 }"), phase=TRAIN)
    assert not has_objective(plan)


def test_a_loss_that_the_rules_leave_out_is_pointed_at() -> None:
    text = NET + LOSS + " include { phase: TEST } }"
    check(text, TEST)
    with pytest.raises(NetworkError) as caught:
        check(text)
    (mistake,) = caught.value.mistakes
    assert (mistake.line, mistake.column) == (5, 1)
    assert 'layer "l" (EuclideanLoss) is excluded by its rules' in mistake.message


def test_losses_over_vectors() -> None:
    assert not wants_vectors(net_of(NET).net)
    text = NET + 'layer { name: "far" type: "EuclideanLoss" bottom: "x" bottom: "t" top: "far" }'
    assert wants_vectors(net_of(text).net)
