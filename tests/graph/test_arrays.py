"""The arrays of values: views of storages, which grow."""

from __future__ import annotations

import numpy as np

from protonet.device import Device
from protonet.graph.arrays import Arrays, view
from protonet.graph.memory import lay_out
from tests.graph.nets import FAN_OUT, plan_of


def test_a_view_is_the_beginning() -> None:
    flat = np.arange(12.0)
    assert view(flat, (2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert view(flat, ()).shape == ()
    assert view(flat, (0, 3)).shape == (0, 3)
    assert np.shares_memory(view(flat, (4,)), flat)


def test_a_smaller_shape_stays_in_its_storage_and_a_larger_one_gets_another() -> None:
    plan = plan_of(FAN_OUT)
    arrays = Arrays(lay_out(plan, gradients=True), Device(), np.float32)
    value = plan.last["left"]
    before, gradient = arrays.data[value], arrays.diff[value]
    value.shape = (2, 2)
    arrays.fit([value])
    assert arrays.data[value].shape == arrays.diff[value].shape == (2, 2)
    assert np.shares_memory(arrays.data[value], before)
    value.shape = (30, 2)
    arrays.fit([value])
    assert arrays.data[value].shape == arrays.diff[value].shape == (30, 2)
    assert not np.shares_memory(arrays.data[value], before)
    assert not np.shares_memory(arrays.diff[value], gradient)


def test_values_of_one_storage_move_together() -> None:
    plan = plan_of(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } } '
        'layer { name: "act" type: "Power" bottom: "x" top: "h" } '
        'layer { name: "split" type: "Split" bottom: "h" top: "a" top: "b" }'
    )
    arrays = Arrays(lay_out(plan, gradients=False), Device(), np.float32)
    values = [plan.last[name] for name in ("h", "a", "b")]
    for value in values:
        value.shape = (9, 3)
    arrays.fit(values)
    first = arrays.data[values[0]]
    assert all(np.shares_memory(first, arrays.data[value]) for value in values)
    assert all(arrays.data[value].shape == (9, 3) for value in values)


def test_gradients_that_are_added_use_one_array_after_the_other() -> None:
    plan = plan_of(FAN_OUT)
    h = plan.last["h"]
    for share in (False, True):
        layout = lay_out(plan, gradients=True, share=share)
        arrays = Arrays(layout, Device(), np.float32)
        assert sorted(layout.parts) == [(3, 0), (4, 0)]
        first, second = (arrays.part(edge, h) for edge in layout.parts)
        assert first.shape == second.shape == (3, 2)
        h.shape = (30, 2)
        assert arrays.part((3, 0), h).shape == (30, 2)
        h.shape = (3, 2)


def test_an_arena_can_be_lent() -> None:
    plan = plan_of(FAN_OUT)
    layout = lay_out(plan, gradients=False, share=True)
    lent = np.zeros(layout.arena + 1, np.float32)
    assert np.shares_memory(Arrays(layout, Device(), np.float32, lent).arena, lent)
    small = np.zeros(layout.arena - 1, np.float32)
    assert not np.shares_memory(Arrays(layout, Device(), np.float32, small).arena, small)
