"""Filter: what is selected, alone and in a net, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import LayerError
from protonet.graph.net import Net
from protonet.testing import LayerHarness
from tests.graph.nets import plan_of

NET = """
layer { name: "in" type: "Input" top: "x" top: "label" top: "on" input_param {
  shape { dim: 4 dim: 3 } shape { dim: 4 } shape { dim: 4 dim: 1 } } }
layer { name: "base" type: "InnerProduct" bottom: "x" top: "h"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "pick" type: "Filter" bottom: "h" bottom: "label" bottom: "on"
  top: "picked" top: "picked_label" }
layer { name: "flat" type: "Flatten" bottom: "picked" top: "flat" }
layer { name: "scores" type: "InnerProduct" bottom: "flat" top: "scores"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "LOSS" bottom: "scores" bottom: "picked_label" top: "loss" }
"""


def test_items_keep_their_order() -> None:
    harness = LayerHarness(
        'type: "Filter" top: "y"', [np.arange(8.0).reshape(4, 2), [0.0, -1.0, 0.0, 2.5]]
    )
    assert harness.forward()[0].tolist() == [[2, 3], [6, 7]]
    harness.inputs[1] = np.array([1.0, 0, 0, 0])
    assert harness.forward()[0].tolist() == [[0, 1]]
    dx, dselector = harness.backward([np.ones((1, 2))])
    assert dx is not None
    assert dx.tolist() == [[1, 1], [0, 0], [0, 0], [0, 0]]
    assert dselector is None


@pytest.mark.parametrize(
    "loss", ["SoftmaxWithLoss", "HingeLoss", "MultinomialLogisticLoss", "EuclideanLoss"]
)
def test_what_follows_has_the_items_of_each_pass(loss: str) -> None:
    """The loss over some items is that of a net which sees only those."""
    text = NET.replace("LOSS", loss)
    if loss == "EuclideanLoss":
        text = text.replace("shape { dim: 4 } shape", "shape { dim: 4 dim: 3 } shape")
    net = Net(plan_of(text), Device(), seed=1)
    generator = np.random.default_rng(0)
    x = generator.standard_normal((4, 3))
    label = generator.integers(0, 3, net.blobs["label"].shape)
    for selector in ([1, 0, 1, 1], [0, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 1, 1]):
        rows = np.flatnonzero(selector)
        for name, array in (("x", x), ("label", label), ("on", np.array(selector)[:, None])):
            net.blobs[name].data[...] = array
        net.store.diff.fill(0)
        net.forward()
        net.backward()
        assert net.blobs["scores"].shape == (len(rows), 3)
        assert [name for name, *_ in net.outputs()] == ["loss"]
        if not len(rows):
            assert net.loss() == 0
            assert not net.store.diff.any()
            continue
        shapes = f"shape {{ dim: {len(rows)} dim: 3 }} shape {{ dim: {len(rows)}"
        few = Net(
            plan_of(
                text.replace("shape { dim: 4 dim: 3 } shape { dim: 4", shapes, 1).replace(
                    "shape { dim: 4 dim: 1 }", f"shape {{ dim: {len(rows)} }}"
                )
            ),
            Device(),
            seed=1,
        )
        for name, array in (("x", x[rows]), ("label", label[rows]), ("on", np.ones(len(rows)))):
            few.blobs[name].data[...] = array
        few.forward()
        few.backward()
        assert net.loss() == pytest.approx(few.loss(), rel=1e-6)
        np.testing.assert_allclose(net.store.diff, few.store.diff, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "shapes", "message", "path"),
    [
        (
            'type: "Filter" top: "a" top: "b"',
            ((4, 2), (4,)),
            "expected one top for each of the 1 bottom(s) before the selector, got 2",
            ("top", 1),
        ),
        (
            'type: "Filter" top: "a"',
            ((4, 2), (4, 1), (4,)),
            "expected one top for each of the 2 bottom(s) before the selector, got 1",
            (),
        ),
        (
            'type: "Filter" top: "a"',
            ((4, 2), (4, 3)),
            "expected a selector of N or N x 1 x ... values, got 4x3",
            ("bottom", 1),
        ),
        (
            'type: "Filter" top: "a"',
            ((5, 2), (4,)),
            "expected 4 items in 'x0', as the selector 'x1' has, got 5x2",
            ("bottom", 0),
        ),
    ],
)
def test_mistakes(
    text: str,
    shapes: tuple[tuple[int, ...], ...],
    message: str,
    path: tuple[str | int, ...],
) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(text, [np.ones(shape) for shape in shapes])
    assert (str(caught.value), caught.value.path) == (message, path)
