"""Layers before they run."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import LayerError
from protonet.kernels.random_stream import RandomStream
from protonet.layers import layer_class
from protonet.layers.instantiation import check_arity, instantiate
from protonet.testing import parse_layer


def test_too_many_blobs_are_told_where_the_first_of_them_is() -> None:
    spec = parse_layer('type: "ReLU" bottom: "x" bottom: "z" top: "y"', 1)
    with pytest.raises(LayerError, match=r"expected 1 bottom blob\(s\), got 2") as caught:
        check_arity(layer_class("ReLU")(spec))
    assert caught.value.path == ("bottom", 1)


def test_what_runs_is_a_copy() -> None:
    described = layer_class("ReLU")(parse_layer('type: "ReLU"', 1))
    device = Device()
    made = instantiate(described, device, np.float64, RandomStream(device, 0, "r"), gradients=False)
    assert (made.device, made.dtype, made.gradients) == (device, np.float64, False)
    assert not hasattr(described, "device")
    assert made.params is not described.params
