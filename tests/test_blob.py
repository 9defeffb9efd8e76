"""Parameters and the flat arrays they live in."""

from __future__ import annotations

import numpy as np

from protonet.blob import Blob, Param, ParamStore
from protonet.device import Device


def params() -> list[Param]:
    shapes = [((2, 3), 1.0, 1.0), ((5,), 2.0, 0.0), ((3, 7), 1.0, 1.0), ((), 0.0, 1.0)]
    return [
        Param(str(i), np.full(shape, i + 1.0, np.float32), None, lr_mult, decay_mult)
        for i, (shape, lr_mult, decay_mult) in enumerate(shapes)
    ]


def test_a_blob_has_the_shape_of_its_data() -> None:
    assert Blob("x", np.zeros((2, 3))).shape == (2, 3)


def test_values_and_order_survive_the_move() -> None:
    store = ParamStore(params(), Device("cpu"), np.float32)
    for i, param in enumerate(store.params):
        np.testing.assert_array_equal(param.data, np.full(param.shape, i + 1.0))
        assert np.shares_memory(param.data, store.data)
        assert np.shares_memory(param.diff, store.diff)
        assert param.diff.shape == param.shape
    assert not store.diff.any()


def test_equal_multipliers_are_neighbours() -> None:
    store = ParamStore(params(), Device("cpu"), np.float32)
    assert [(g.lr_mult, g.decay_mult) for g in store.groups] == [(1, 1), (2, 0), (0, 1)]
    assert store.groups[0].start == 0
    assert [g.stop for g in store.groups[:-1]] == [g.start for g in store.groups[1:]]
    store.data[store.groups[0].start : store.groups[0].stop] = -1
    assert (store.params[0].data == -1).all()
    assert (store.params[2].data == -1).all()
    assert (store.params[1].data == 2).all()


def test_split_views_any_array_of_the_same_layout() -> None:
    store = ParamStore(params(), Device("cpu"), np.float32)
    history = np.zeros_like(store.data)
    parts = store.split(history)
    parts[2][...] = 9
    assert [part.shape for part in parts] == [(2, 3), (5,), (3, 7), ()]
    assert history.sum() == 9 * 21


def test_the_rest_of_the_gradients_is_what_lies_between() -> None:
    store = ParamStore(params(), Device("cpu"), np.float32)
    store.diff.fill(1)
    for part in store.rest_of_diff([store.params[2], store.params[1]]):
        part.fill(0)
    assert [bool(param.diff.any()) for param in store.params] == [False, True, True, False]
    assert store.diff.sum() == 21 + 5
    (whole,) = store.rest_of_diff([])
    assert whole.size == store.diff.size


def test_without_gradients_there_is_no_memory_for_them() -> None:
    store = ParamStore(params(), Device("cpu"), np.float32, gradients=False)
    assert store.diff.size == 0
    assert all(param.diff is None for param in store.params)


def test_a_view_is_the_same_memory_in_another_shape() -> None:
    store = ParamStore(params(), Device("cpu"), np.float32)
    owner = store.params[2]
    view = owner.view((7, 3))
    view.diff[...] = 4
    assert view.owner is owner
    assert (owner.diff == 4).all()
    assert view.view((21,)).owner is owner
    assert view.wanted
    assert not store.params[3].wanted


def test_parameters_with_arrays_of_their_own() -> None:
    device = Device()
    params = [Param(name, np.broadcast_to(0.0, (2, 3))) for name in "ab"]
    store = ParamStore(params, device, np.float32, gradients=False, flat=False)
    assert (store.data.size, store.diff.size, store.groups) == (0, 0, ())
    a, b = (param.data for param in store.params)
    assert a.dtype == np.float32
    assert not np.shares_memory(a, b)
    a[...] = 1.0
    np.testing.assert_array_equal(b, np.zeros((2, 3)))


def test_a_released_parameter_keeps_its_packed_values_alone() -> None:
    param = Param("w", np.ones((2, 3), np.float32))
    param.packed["p"] = np.ones(6)
    param.release()
    assert param.released
    assert (param.shape, param.data.dtype, param.data.strides) == ((2, 3), np.float32, (0, 0))
    again = param.reserve(Device())
    again[...] = 2.0
    assert again is param.data
    assert not param.released
    assert param.reserve(Device()) is again
    assert list(param.view((6,)).packed) == ["p"]
