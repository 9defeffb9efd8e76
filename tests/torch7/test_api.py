"""Modules and criterions that compute, beside the formulas."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import UsageError
from protonet.torch7.api import TorchCriterion, TorchModule
from tests.torch7.trees import nn, seed_net, sequential

RANDOM = np.random.default_rng(0)


def test_the_seed_net_beside_its_formula() -> None:
    model = TorchModule(seed_net(), [(2, 3, 5, 4)])
    x = RANDOM.normal(size=(2, 3, 5, 4)).astype(np.float32)
    (w, dw), (b, db) = model.parameters()
    rows = 0.004 * x.reshape(2, 60)
    np.testing.assert_allclose(model.forward(x), rows @ w.T + b, rtol=1e-5)
    dy = RANDOM.normal(size=(2, 2)).astype(np.float32)
    for passes in (1, 2):  # gradients of parameters are added to
        (dx,) = model.backward(dy)
        np.testing.assert_allclose(dx, (0.004 * dy @ w).reshape(x.shape), rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(dw, passes * dy.T @ rows, rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(db, passes * dy.sum(0), rtol=1e-5)


def test_parameters_can_be_written() -> None:
    model = TorchModule(seed_net(), [(2, 3, 5, 4)])
    for value, _ in model.parameters():
        value[...] = 0
    model.parameters()[1][0][...] = (3, 4)
    y = model.forward(np.ones((2, 3, 5, 4)))
    assert y.tolist() == [[3, 4], [3, 4]]
    values, gradients = model.flat()
    assert values.tolist() == [0] * 120 + [3, 4]
    assert not gradients.any()


def test_modules_that_share_a_tensor_share_a_parameter() -> None:
    linear = nn("Linear", 4, 4)
    model = TorchModule(sequential(linear, linear), [(2, 4)])
    x = RANDOM.normal(size=(2, 4)).astype(np.float32)
    w, b = (value for value, _ in model.parameters()[:2])
    np.testing.assert_allclose(model.forward(x), (x @ w.T + b) @ w.T + b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("average", [True, False])
def test_a_criterion_beside_its_formula(average: bool) -> None:
    loss = TorchCriterion(nn("MSECriterion", average))
    for items in (3, 5):  # it takes another shape
        x, t = RANDOM.normal(size=(2, items, 4))
        scale = 1 / x.size if average else 1
        assert loss.forward(x, t) == pytest.approx(scale * ((x - t) ** 2).sum(), rel=1e-5)
        np.testing.assert_allclose(loss.backward(x, t), 2 * scale * (x - t), rtol=1e-4, atol=1e-6)


def test_what_does_not_fit_is_told() -> None:
    model = TorchModule(seed_net(), [(2, 3, 5, 4)])
    with pytest.raises(UsageError, match="expected shape 2x3x5x4, got 2x3x5x5"):
        model.forward(np.zeros((2, 3, 5, 5)))
    with pytest.raises(UsageError, match="expected 1 arrays, got 2"):
        model.forward(np.zeros((2, 3, 5, 4)), np.zeros(3))
    with pytest.raises(UsageError, match="training or evaluate, got 'test'"):
        TorchModule(seed_net(), [(2, 3, 5, 4)], phase="test")


def test_tables_in_tables() -> None:
    model = TorchModule(nn("MixtureTable"), [(3, 2), [(3, 4), (3, 4)]])
    gate, a, b = (RANDOM.normal(size=size).astype(np.float32) for size in [(3, 2), (3, 4), (3, 4)])
    expected = gate[:, :1] * a + gate[:, 1:] * b
    for given in [(gate, [a, b]), (gate, a, b), ([gate, [a, b]],)]:
        np.testing.assert_allclose(model.forward(*given), expected, rtol=1e-5, atol=1e-6)
    dy = RANDOM.normal(size=(3, 4)).astype(np.float32)
    dg, da, _ = model.backward(dy)
    np.testing.assert_allclose(da, gate[:, :1] * dy, rtol=1e-5)
    np.testing.assert_allclose(dg[:, 0], (dy * a).sum(1), rtol=1e-5, atol=1e-6)
    with pytest.raises(UsageError, match="expected 3 arrays, got 2"):
        model.forward(gate, [a])
    nested = TorchModule(nn("ZipTable"), [[(2,), (3,)], [(4,), (5,)]])
    w, x, y, z = (np.full(n, float(n), np.float32) for n in (2, 3, 4, 5))
    (one, _) = nested.forward([w, x], [y, z])
    assert [each.tolist() for each in one] == [[2, 2], [4, 4, 4, 4]]
    assert nested.backward([w, y], [x, z])[3].tolist() == [5] * 5


def test_a_table_may_be_the_only_input() -> None:
    a, b = (RANDOM.normal(size=(2, 3)).astype(np.float32) for _ in range(2))
    for shapes in ([(2, 3), (2, 3)], [[(2, 3), (2, 3)]]):
        model = TorchModule(nn("CSubTable"), shapes)
        for given in ((a, b), ([a, b],)):
            np.testing.assert_array_equal(model.forward(*given), a - b)
        da, db = model.backward(a)
        np.testing.assert_array_equal(da, a)
        np.testing.assert_array_equal(db, -a)
    of_one = TorchModule(nn("CAddTable"), [[(2, 3)]])
    for alone in (a, [a]):
        np.testing.assert_array_equal(of_one.forward(alone), a)


def test_extents_are_not_shapes() -> None:
    with pytest.raises(UsageError, match=r"expected a list of shapes.* got \(2, 3\)"):
        TorchModule(nn("Tanh"), (2, 3))


def test_the_gradients_of_one_input_are_an_array_for_numpy() -> None:
    model = TorchModule(seed_net(), [(2, 3, 5, 4)])
    model.forward(np.ones((2, 3, 5, 4)))
    gradients = model.backward(np.ones((2, 2)))
    assert len(gradients) == 1
    assert np.asarray(gradients).shape == (2, 3, 5, 4)
    np.testing.assert_array_equal(gradients, gradients[0])
    pair = TorchModule(nn("CAddTable"), [(2, 3), (2, 3)])
    pair.forward(np.ones((2, 3)), np.ones((2, 3)))
    assert np.asarray(pair.backward(np.ones((2, 3)))).tolist() == [[[1] * 3] * 2] * 2


def test_flat_parameters_are_one_vector_and_a_pair() -> None:
    model = TorchModule(seed_net(), [(2, 3, 5, 4)])
    model.forward(np.ones((2, 3, 5, 4)))
    model.backward(np.ones((2, 2)))
    vector = model.flat()
    values, gradients = vector
    assert vector.shape == values.shape == gradients.shape == (122,)
    np.testing.assert_array_equal(vector, values)
    assert gradients.any()
    assert len(list(vector * 2)) == 122


def test_a_list_of_classes_is_a_tensor() -> None:
    loss = TorchCriterion(nn("ClassNLLCriterion"))
    scores = np.log(np.array([[0.25, 0.75], [0.5, 0.5]]))
    assert loss.forward(scores, [2, 1]) == pytest.approx(-np.log([0.75, 0.5]).mean())
