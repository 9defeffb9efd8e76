"""Recurrent layers: gradients through time, carried state, static input, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness, check_gradients, check_steady

T, N, INPUTS, D = 5, 3, 4, 6
FILLER = 'weight_filler { type: "gaussian" std: 0.3 } bias_filler { type: "uniform" }'


def marks(first: float = 0.0) -> np.ndarray:
    cont = np.ones((T, N))
    cont[0] = first
    cont[2, 1] = cont[3, 0] = 0
    return cont


def text(kind: str, static: bool = False, exposed: bool = False, **_: object) -> str:
    states = {"LSTM": ["h", "c"], "RNN": ["h"]}[kind] if exposed else []
    bottoms = ["x", "cont", *(["static"] if static else []), *(f"{s}0" for s in states)]
    tops = ["y", *(f"{s}T" for s in states)]
    blobs = " ".join([f'bottom: "{b}"' for b in bottoms] + [f'top: "{t}"' for t in tops])
    return (
        f'type: "{kind}" {blobs} recurrent_param {{ num_output: {D} {FILLER} '
        f"expose_hidden: {str(exposed).lower()} }}"
    )


def values(kind: str, static: bool = False, exposed: bool = False, first: float = 0.0):
    generator = np.random.default_rng(2)
    given = [generator.standard_normal((T, N, INPUTS)), marks(first)]
    if static:
        given.append(generator.standard_normal((N, 2, 7)))
    states = {"LSTM": 2, "RNN": 1}[kind] if exposed else 0
    return given + [generator.standard_normal((1, N, D)) for _ in range(states)]


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
@pytest.mark.parametrize("static", [False, True])
def test_gradients_from_a_fresh_start(kind: str, static: bool) -> None:
    check_gradients(text(kind, static), values(kind, static))


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
@pytest.mark.parametrize("static", [False, True])
def test_no_gradient_passes_through_exposed_states(kind: str, static: bool) -> None:
    """They are those of the second pass of a layer that keeps its states, whose gradients end at
    the first step.
    """
    given = values(kind, static, first=1.0)
    kept = LayerHarness(text(kind, static), given, dtype=np.float64)
    kept.forward()
    states = [np.array(each[-1:]) for each in kept.layer._states]
    exposed = LayerHarness(text(kind, static, True), [*given, *states], dtype=np.float64)
    exposed.set_params([param.data for param in kept.layer.params])
    np.testing.assert_allclose(exposed.forward()[0], kept.forward()[0], rtol=1e-12)
    generator = np.random.default_rng(3)
    dtops = [generator.standard_normal(top.shape) for top in exposed.tops]
    inputs = 2 + static
    expected, found = kept.backward(dtops[:1]), exposed.backward(dtops)
    for one, other in zip(expected, found[:inputs], strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(other, one, rtol=1e-12)
    for one, other in zip(kept.param_diffs, exposed.param_diffs, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-12)
    for dx in found[inputs:]:
        np.testing.assert_array_equal(dx, np.zeros((1, N, D)))


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_a_sequence_in_two_passes_is_one_in_one(kind: str) -> None:
    x, cont = values(kind, first=1.0)
    halves = [LayerHarness(text(kind), [x[:2], cont[:2]]), LayerHarness(text(kind), [x, cont])]
    whole, parts = halves[1], halves[0]
    parts.set_params([param.data for param in whole.layer.params])
    whole.forward()
    parts.forward()
    state = parts.layer.state()
    np.testing.assert_allclose(parts.tops[0], whole.tops[0][:2], rtol=1e-5, atol=1e-6)
    rest = LayerHarness(text(kind), [x[2:], cont[2:]])
    rest.set_params([param.data for param in whole.layer.params])
    rest.layer.restore(state)
    rest.forward()
    np.testing.assert_allclose(rest.tops[0], whole.tops[0][2:], rtol=1e-5, atol=1e-6)
    alone = LayerHarness(text(kind), [x[2:], cont[2:]])
    alone.set_params([param.data for param in whole.layer.params])
    alone.forward()
    assert not np.allclose(alone.tops[0], whole.tops[0][2:], atol=1e-4)


def test_exposed_states_are_no_state_of_the_layer() -> None:
    run = LayerHarness(text("LSTM", exposed=True), values("LSTM", exposed=True))
    assert run.layer.state() == {}


def test_a_mark_of_zero_forgets_what_came_before() -> None:
    x, _ = values("LSTM")
    cont = np.ones((T, N))
    cont[0] = cont[3] = 0
    run = LayerHarness(text("LSTM"), [x, cont])
    late = LayerHarness(text("LSTM"), [x[3:], cont[3:]])
    late.set_params([param.data for param in run.layer.params])
    run.forward()
    late.forward()
    np.testing.assert_allclose(run.tops[0][3:], late.tops[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_a_pass_allocates_nothing(kind: str) -> None:
    generator = np.random.default_rng(0)
    cont = np.ones((T, 20_000))
    check_steady(text(kind), [generator.standard_normal((T, 20_000, INPUTS)), cont])


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        ('type: "LSTM" recurrent_param { }', [(T, N, INPUTS), (T, N)], "needs num_output above 0"),
        (text("LSTM"), [(T,), (T,)], "expected steps x streams x ..., got 5"),
        (text("LSTM"), [(T, N, INPUTS), (T, 4)], "5x3 for the continuation marks, got 5x4"),
        (text("RNN", True), [(T, N, INPUTS), (T, N), (4, 7)], "input for each of 3 streams"),
        (
            text("RNN", False, True),
            [(T, N, INPUTS), (T, N), (1, N, 5)],
            "expected a state of 1x3x6, got 1x3x5",
        ),
        (
            text("RNN", False, True).replace('bottom: "h0"', ""),
            [(T, N, INPUTS), (T, N)],
            "expected 3 bottoms, or 4 with a static input, got 2",
        ),
        (
            text("LSTM").replace('top: "y"', 'top: "y" top: "z"'),
            [(T, N, INPUTS), (T, N)],
            r"expected 1 top\(s\), got 2",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(layer: str, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(layer, [np.zeros(shape) for shape in shapes])
