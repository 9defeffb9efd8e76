"""Parameters that are one."""

from __future__ import annotations

import pytest

from protonet.errors import NetworkError
from protonet.graph.plan import Plan
from tests.graph.nets import plan_of

TWO = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" %s }
  inner_product_param { num_output: 3 bias_term: false } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" %s }
  inner_product_param { num_output: %d bias_term: false } }
"""


def multipliers(plan: Plan) -> list[float]:
    return [param.lr_mult for step in plan.steps for param in step.params]


def test_one_name_is_one_parameter_with_the_multiplier_that_either_gives() -> None:
    plan = plan_of(TWO % ("", "lr_mult: 3", 3))
    assert [param.owner for step in plan.steps for param in step.params] == [None, (1, 0)]
    assert multipliers(plan) == [3, 3]
    assert multipliers(plan_of(TWO % ("lr_mult: 2", "", 3))) == [2, 2]


def test_what_does_not_agree_is_refused() -> None:
    with pytest.raises(NetworkError, match="'w' has lr_mult 3 here, but 2 in layer 'a'"):
        plan_of(TWO % ("lr_mult: 2", "lr_mult: 3", 3))
    with pytest.raises(NetworkError, match="'w' is 4x3 here, but 3x3 in layer 'a'"):
        plan_of(TWO % ("", "", 4))
