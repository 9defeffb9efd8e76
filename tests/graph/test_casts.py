"""Casts to another type: which there are, where they lie, and how long they live."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.casts import Cast, Role, cast_live_ranges, place_casts
from protonet.graph.memory import lay_out
from protonet.graph.plan import Plan
from protonet.graph.types import choose_types
from tests.graph.nets import plan_of

# steps: in, ip, act, more, loss; step i runs backward at 10 - i
NET = """
layer { name: "in" type: "Input" top: "x" top: "t" input_param {
  shape { dim: 3 dim: 4 } shape { dim: 3 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 5 } }
layer { name: "act" type: "Sigmoid" bottom: "y" top: "z" }
layer { name: "more" type: "InnerProduct" bottom: "z" top: "v"
  inner_product_param { num_output: 2 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "v" bottom: "t" top: "loss" }
"""


def casts_of(plan: Plan, *, gradients: bool, share: bool) -> tuple[dict[Cast, int], list[int]]:
    types = choose_types(plan, Device(), np.float32, np.float16)
    sizes: list[int] = [99]
    found = place_casts(plan, types, (), (), sizes, gradients=gradients, share=share)
    return found, sizes


def test_what_a_layer_reads_and_writes_is_cast() -> None:
    found, _ = casts_of(plan_of(NET), gradients=True, share=True)
    assert [(c.role, c.place) for c in found if c.step == 2 and not c.backward] == [
        (Role.BOTTOM, 0), (Role.TOP, 0),
    ]  # fmt: skip
    # Sigmoid's gradient looks at its top alone
    assert [c.role for c in found if c.step == 2 and c.backward] == [
        Role.DBOTTOM, Role.TOP, Role.DTOP,
    ]  # fmt: skip
    # nobody wants a gradient of the input, which is float32 as it is
    assert [c.role for c in found if c.step == 1 and c.backward] == [Role.DTOP]
    # scores alone: the labels are float32
    assert [(c.role, c.place) for c in found if c.step == 4] == [
        (Role.BOTTOM, 0), (Role.DBOTTOM, 0),
    ]  # fmt: skip


@pytest.mark.parametrize("share", [False, True])
def test_each_has_room_for_float32(share: bool) -> None:
    plan = plan_of(NET)
    found, sizes = casts_of(plan, gradients=True, share=share)
    assert sizes[0] == 99
    for copy, at in found.items():
        held = plan.steps[copy.step]
        values = held.bottoms if copy.role in (Role.BOTTOM, Role.DBOTTOM) else held.tops
        assert sizes[at] >= 4 * values[copy.place].count
    assert len(set(found.values())) == (len(found) if share else 3)


def test_casts_live_as_long_as_their_pass() -> None:
    plan = plan_of(NET)
    forward, backward = Cast(2, False, Role.TOP, 0), Cast(2, True, Role.DTOP, 0)
    assert cast_live_ranges(plan, [forward, backward], {}) == [((2, 2),), ((8, 8),)]
    assert cast_live_ranges(plan, [forward], {3: (1, 2)}) == [((2, 2), (7, 7))]


def test_without_gradients_there_are_casts_of_the_forward_pass_alone() -> None:
    plan = plan_of(NET)
    found, _ = casts_of(plan, gradients=False, share=True)
    assert not any(copy.backward for copy in found)
    types = choose_types(plan, Device(), np.float32, np.float16)
    assert set(lay_out(plan, types, gradients=False, packed=True).casts) == set(found)
