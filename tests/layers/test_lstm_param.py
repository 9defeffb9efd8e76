"""Lstm: values and gradients beside plain loops, bounded gradients, marks, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness, check_gradients

T, N, INPUTS, D = 4, 2, 3, 5
FILLER = 'weight_filler { type: "gaussian" std: 0.4 } bias_filler { type: "uniform" }'


def text(more: str = f"batch_size: {N}", clip: bool = False) -> str:
    mark = 'bottom: "clip"' if clip else ""
    return (
        f'type: "Lstm" bottom: "x" {mark} top: "h" lstm_param {{ num_output: {D} {FILLER} {more} }}'
    )


def x_of() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((T * N, INPUTS))


def continuation() -> np.ndarray:
    return np.array([[0, 0], [1, 1], [1, 0], [1, 1]], float).reshape(-1)


def naive(x: np.ndarray, cont: np.ndarray, params: list[np.ndarray]) -> np.ndarray:
    w_x, w_h, b = params
    y = np.zeros((T * N, D))
    for n in range(N):
        h, c = np.zeros(D), np.zeros(D)
        for t in range(T):
            row = t * N + n
            h, c = h * cont[row], c * cont[row]
            sums = w_x @ x[row] + w_h @ h + b
            i, f, o = (1 / (1 + np.exp(-sums[k * D : (k + 1) * D])) for k in range(3))
            c = f * c + i * np.tanh(sums[3 * D :])
            h = o * np.tanh(c)
            y[row] = h
    return y


@pytest.mark.parametrize("clip", [False, True])
def test_values_are_those_of_plain_loops(clip: bool) -> None:
    x, cont = x_of(), continuation() if clip else np.repeat([0.0, 1, 1, 1], N)
    run = LayerHarness(text(clip=clip), [x, cont] if clip else [x])
    params = [np.asarray(param.data, float) for param in run.layer.params]
    assert [p.shape for p in params] == [(4 * D, INPUTS), (4 * D, D), (4 * D,)]
    for _ in range(2):
        run.forward()
        expected = naive(x, cont, params)
        np.testing.assert_allclose(run.tops[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("more", [f"batch_size: {N}", "", f"batch_size: {T * N}"])
def test_gradients(more: str) -> None:
    check_gradients(text(more), [x_of()])


def test_gradients_with_marks() -> None:
    check_gradients(text(clip=True), [x_of(), continuation()])


def test_state_goes_on_where_the_first_mark_is_one() -> None:
    x, cont = x_of(), continuation()
    run = LayerHarness(text(clip=True), [x, cont])
    half = T * N // 2
    first, rest = (LayerHarness(text(clip=True), [x[s], cont[s]]) for s in halves(half))
    for part in (first, rest):
        part.set_params([param.data for param in run.layer.params])
    run.forward()
    first.forward()
    rest.layer.restore(first.layer.state())
    rest.forward()
    together = np.concatenate([first.tops[0], rest.tops[0]])
    np.testing.assert_allclose(together, run.tops[0], rtol=1e-5, atol=1e-6)
    assert LayerHarness(text(), [x]).layer.state() == {}


def halves(at: int) -> tuple[slice, slice]:
    return slice(0, at), slice(at, None)


def test_gradients_of_sums_are_bounded() -> None:
    x = x_of()[:1]
    free = LayerHarness(text("batch_size: 1"), [x])
    run = LayerHarness(text("batch_size: 1 clipping_threshold: 0.05"), [x])
    run.set_params([param.data for param in free.layer.params])
    for one in (free, run):
        one.forward()
        one.backward([np.full((1, D), 3.0)])
    bounded, whole = (np.asarray(one.param_diffs[2]) for one in (run, free))
    assert np.abs(whole).max() > 0.05
    np.testing.assert_allclose(bounded, np.clip(whole, -0.05, 0.05), rtol=1e-5)


@pytest.mark.parametrize(
    ("more", "shapes", "message"),
    [
        ("num_output: 0", [(8, 3)], "needs num_output above 0"),
        ("batch_size: 0", [(8, 3)], "needs batch_size above 0"),
        ("clipping_threshold: -1", [(8, 3)], "clipping_threshold of 0 or more, got -1"),
        ("batch_size: 3", [(8, 3)], "a multiple of batch_size 3, got 8x3"),
        ("batch_size: 2", [(8, 3), (7,)], "a mark for each of 8 items, got 7"),
    ],
)
def test_what_does_not_fit(more: str, shapes: list[tuple[int, ...]], message: str) -> None:
    given = text(more, clip=len(shapes) > 1)
    if more.startswith("num_output"):
        given = 'type: "Lstm" bottom: "x" top: "h" lstm_param { }'
    with pytest.raises(LayerError, match=message):
        LayerHarness(given, [np.zeros(shape) for shape in shapes])
