"""The table of types."""

import pytest

from protonet.errors import LayerError
from protonet.layers import Layer, layer_class, layer_types, register


def test_a_registered_class_is_found_and_knows_its_type() -> None:
    assert layer_class("Power").type == "Power"
    assert "InnerProduct" in layer_types()
    assert layer_types() == sorted(layer_types())


def test_a_second_registration_is_refused() -> None:
    with pytest.raises(ValueError, match="'Power' is registered twice"):
        register("Power")(type("Power2", (Layer,), {}))


def test_an_unknown_type_names_the_nearest() -> None:
    with pytest.raises(LayerError, match="unknown layer type 'Powr'; did you mean 'Power'"):
        layer_class("Powr")
