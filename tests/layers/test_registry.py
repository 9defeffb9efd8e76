"""The table of types."""

import subprocess
import sys

import pytest

from protonet.errors import LayerError
from protonet.layers import Layer, layer_class, layer_types, register
from protonet.layers.registry import chapters


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


def test_a_layer_of_ours_that_nobody_used_yet_is_known_too() -> None:
    """In a process of its own: nothing is imported but what is asked for."""
    code = (
        "import sys\n"
        "from protonet.layers import Layer, layer_class, register\n"
        "assert not any(name.endswith('layers.pooling') for name in sys.modules)\n"
        "assert layer_class('Pooling').type == 'Pooling'\n"
        "assert not any(name.endswith('layers.recurrent') for name in sys.modules)\n"
        "try:\n"
        "    register('LSTM')(type('Mine', (Layer,), {}))\n"
        "except ValueError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("layer type 'LSTM' is registered twice")


def test_the_sources_tell_every_type() -> None:
    for name, module in chapters().items():
        assert layer_class(name).__module__ == module
