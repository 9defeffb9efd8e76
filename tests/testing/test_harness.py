"""A layer alone with its arrays."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.proto.caffe_pb2 import LayerParameter
from protonet.testing import LayerHarness, parse_layer

X = np.arange(6.0).reshape(2, 3)


def test_names_are_made_up_where_the_text_has_none() -> None:
    spec = parse_layer('type: "Concat"', 3)
    assert (spec.name, list(spec.bottom), list(spec.top)) == ("l", ["x0", "x1", "x2"], ["y0"])
    assert list(parse_layer('type: "EuclideanLoss"', 2).top) == ["y0"]
    assert list(parse_layer('type: "Silence"', 1).top) == []
    given = parse_layer('name: "n" type: "Split" bottom: "b" top: "s" top: "t"', 1)
    assert (given.name, list(given.bottom), list(given.top)) == ("n", ["b"], ["s", "t"])


def test_a_message_is_run_as_it_is() -> None:
    spec = LayerParameter(name="p", type="Power", bottom=["x"], top=["y"])
    spec.power_param.scale = 3
    harness = LayerHarness(spec, [X])
    assert harness.forward()[0].tolist() == (3 * X).tolist()
    (gradient,) = harness.backward([X])
    assert gradient is not None
    assert gradient.tolist() == (3 * X).tolist()


def test_a_wrong_number_of_bottoms_is_refused() -> None:
    with pytest.raises(LayerError, match=r"expected 1 bottom blob\(s\), got 2"):
        LayerHarness('type: "Power"', [X, X])


def test_in_place_the_top_is_the_bottom() -> None:
    harness = LayerHarness('type: "Power" power_param { scale: 2 }', [X], in_place=True)
    for _ in range(2):
        assert harness.forward()[0].tolist() == (2 * X).tolist()
    assert harness.tops[0] is harness.bottoms[0]
    assert harness.dbottoms[0] is harness.dtops[0]


def test_labels_get_no_gradient() -> None:
    harness = LayerHarness('type: "SoftmaxWithLoss"', [X, np.zeros(2)])
    harness.forward()
    first, second = harness.backward([1.0])
    assert first is not None
    assert second is None


def test_what_a_layer_does_not_write_is_not_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = LayerHarness('type: "Power"', [X])
    monkeypatch.setattr(harness.layer, "backward", lambda *arrays: None)
    (gradient,) = harness.backward([X])
    assert np.isnan(gradient).all()


def test_parameters_are_filled_and_can_be_set() -> None:
    text = 'type: "InnerProduct" inner_product_param { num_output: 2 bias_filler { value: 7 } }'
    harness = LayerHarness(text, [X])
    assert harness.forward()[0].tolist() == [[7.0, 7.0]] * 2
    harness.set_params([np.ones((2, 3)), np.zeros(2)])
    assert harness.forward()[0].tolist() == [[3.0, 3.0], [12.0, 12.0]]
    assert [diff.shape for diff in harness.param_diffs] == [(2, 3), (2,)]


def test_parameters_beside_16_bits_are_float32() -> None:
    text = 'type: "Scale" scale_param { filler { value: 3 } }'
    harness = LayerHarness(text, [X], dtype=np.float16)
    (param,) = harness.layer.params
    assert harness.tops[0].dtype == harness.dbottoms[0].dtype == np.float16
    assert param.data.dtype == param.diff.dtype == np.float32
