"""The arrays of values: views of storages, which grow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from protonet.device import Device
from protonet.graph.arrays import Arrays, view
from protonet.graph.memory import lay_out
from tests.graph.nets import FAN_OUT, plan_of


def test_a_view_is_the_beginning() -> None:
    numbers = np.arange(12.0)
    stored = numbers.view(np.uint8)
    assert view(stored, (2, 3), np.float64).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert view(stored, (), np.float64).shape == ()
    assert view(stored, (0, 3), np.float64).shape == (0, 3)
    assert view(stored, (24,), np.float32).dtype == np.float32
    assert np.shares_memory(view(stored, (4,), np.float64), numbers)


def test_a_smaller_shape_stays_in_its_storage_and_a_larger_one_gets_another() -> None:
    plan = plan_of(FAN_OUT)
    arrays = Arrays(lay_out(plan, gradients=True), Device())
    value = plan.last["left"]
    before, gradient = arrays.data[value], arrays.diff[value]
    arrays.fit([replace(value, shape=(2, 2))])
    assert arrays.data[value].shape == arrays.diff[value].shape == (2, 2)
    assert np.shares_memory(arrays.data[value], before)
    arrays.fit([replace(value, shape=(30, 2))])
    assert arrays.data[value].shape == arrays.diff[value].shape == (30, 2)
    assert not np.shares_memory(arrays.data[value], before)
    assert not np.shares_memory(arrays.diff[value], gradient)


def test_values_of_one_storage_move_together() -> None:
    plan = plan_of(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } } '
        'layer { name: "act" type: "Power" bottom: "x" top: "h" } '
        'layer { name: "split" type: "Split" bottom: "h" top: "a" top: "b" }'
    )
    arrays = Arrays(lay_out(plan, gradients=False), Device())
    values = [plan.last[name] for name in ("h", "a", "b")]
    arrays.fit([replace(value, shape=(9, 3)) for value in values])
    first = arrays.data[values[0]]
    assert all(np.shares_memory(first, arrays.data[value]) for value in values)
    assert all(arrays.data[value].shape == (9, 3) for value in values)


def test_gradients_that_are_added_use_one_array_after_the_other() -> None:
    plan = plan_of(FAN_OUT)
    h = plan.last["h"]
    for share in (False, True):
        layout = lay_out(plan, gradients=True, packed=share)
        arrays = Arrays(layout, Device())
        assert sorted(layout.partial_diffs) == [(3, 0), (4, 0)]
        first, second = (arrays.partial_diff(edge, h) for edge in layout.partial_diffs)
        assert first.shape == second.shape == (3, 2)
        assert arrays.partial_diff((3, 0), replace(h, shape=(30, 2))).shape == (30, 2)


def test_an_arena_can_be_lent() -> None:
    plan = plan_of(FAN_OUT)
    layout = lay_out(plan, gradients=False, packed=True)
    lent = np.zeros(layout.arena + 1, np.uint8)
    assert np.shares_memory(Arrays(layout, Device(), lent).arena, lent)
    small = np.zeros(layout.arena - 1, np.uint8)
    assert not np.shares_memory(Arrays(layout, Device(), small).arena, small)
