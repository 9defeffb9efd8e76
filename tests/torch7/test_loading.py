"""load, load_criterion and read: Lua texts, .lua and .t7 files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import protonet.torch7 as t7
from protonet.errors import NetworkError, UsageError

TRAININGS = Path(__file__).parents[1] / "golden_torch7" / "trainings"
TEXT = "return function(p) return { model = nn.Linear(4, p.nclasses) } end\n"


@pytest.mark.parametrize(("name", "shape"), [("digits", (1, 8, 8)), ("regression", (1, 50, 50))])
def test_initial_values_are_those_of_torch7(name: str, shape: tuple[int, ...]) -> None:
    folder = TRAININGS / name
    model = t7.load(folder / "net.lua", input_shapes=[(2, *shape)])
    expected = np.load(folder / "data.npz")["init"]
    assert np.array_equal(model.flat(), expected)
    other = t7.load(folder / "net.lua", input_shapes=[(2, *shape)], seed=1)
    assert not np.array_equal(other.flat(), expected)


@pytest.mark.parametrize("form", ["model.t7", "model.ascii.t7"])
def test_a_trained_model(form: str) -> None:
    folder = TRAININGS / "digits"
    data = np.load(folder / "data.npz")
    model = t7.load(folder / form, input_shapes=[data["probe"].shape], phase="evaluate")
    found = model.forward(data["probe"]).reshape(-1)[: data["probe_output"].size]
    np.testing.assert_allclose(found, data["probe_output"][: found.size], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(model.flat(), data["final"], rtol=1e-6)


def test_a_text_with_classes() -> None:
    model = t7.load(TEXT, input_shapes=[(2, 4)], nclasses=3)
    assert model.forward(np.zeros((2, 4))).shape == (2, 3)


def test_the_shape_of_images_may_be_numpy_integers_or_in_a_table() -> None:
    text = "return function(p) return { model = nn.%s } end\n"
    numbers = tuple(np.array([2, 3, 4, 5]))
    model = t7.load(text % "Sum(1, p.inputShape[3] - 2)", input_shapes=[numbers])
    assert model.forward(np.ones((2, 3, 4, 5))).shape == (2, 4, 5)
    pair = t7.load(text % "SelectTable(p.inputShape[1])", input_shapes=[[(1, 2, 4, 5), (1, 2)]])
    assert pair.forward(np.ones((1, 2, 4, 5)), np.full((1, 2), 7)).tolist() == [[7, 7]]


def test_a_criterion_of_a_text() -> None:
    loss = t7.load_criterion("return { loss = nn.AbsCriterion() }\n")
    assert loss.forward(np.zeros((2, 2)), np.full((2, 2), -3)) == pytest.approx(3)


def test_a_value_of_a_file() -> None:
    weights = t7.read(TRAININGS / "digits" / "weights.t7")
    expected = np.load(TRAININGS / "digits" / "data.npz")["final"]
    np.testing.assert_allclose(weights.array, expected, rtol=1e-6)


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing.lua: cannot be read"):
        t7.load("nothing.lua", input_shapes=[(2, 4)])
    with pytest.raises(UsageError, match="cannot be read"):
        t7.load(tmp_path / "x.t7", input_shapes=[(2, 4)])
    with pytest.raises(NetworkError, match="has a loss, but no model"):
        t7.load("return { loss = nn.AbsCriterion() }\n", input_shapes=[(2, 4)])
    with pytest.raises(UsageError, match="has no criterion"):
        t7.load_criterion(TRAININGS / "digits" / "weights.t7")
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = t7.lode
