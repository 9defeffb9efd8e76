"""Shapes that are told by options."""

from __future__ import annotations

import click
import pytest

from protonet.cli.shapes import explained, input_shape
from protonet.errors import NetworkError, UsageError
from protonet.proto.text import Source, read_net


@pytest.mark.parametrize("text", ["", "data", "=2", "data=", "data=0x2", "data=-1", "data=2x3x"])
def test_a_shape_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="data=16x1x50x50"):
        input_shape(text)


def test_a_shape_is_a_name_and_axes() -> None:
    assert input_shape("data=2x3x5") == ("data", (2, 3, 5))
    assert input_shape("label=7") == ("label", (7,))


def test_blobs_that_nobody_makes_get_advice(capsys: pytest.CaptureFixture[str]) -> None:
    text = 'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" }'
    definition = read_net(Source("net", text))
    alone = explained(NetworkError("one mistake"), definition)
    assert isinstance(alone, UsageError)
    assert str(alone) == (
        "net: no layer produces 'data', so the shapes are unknown; give\n"
        "    databases: --data DB [--labels DB]\n"
        "    or shapes: --input data=16x1x50x50"
    )
    source = definition.source
    among = NetworkError([source.mistake(("layer", 0), text, "") for text in ("one", "two")])
    assert explained(among, definition) is among
    assert "or shapes: --input data=16x1x50x50" in capsys.readouterr().err
