"""The part of a text that is asked about images."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.errors import UsageError
from protonet.jobs.inference.deployed import deploy_net, read_deploy
from protonet.proto.text import Source, write_text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "n: has no input; prediction on images needs exactly one, as a deploy.prototxt"),
        (
            'input: "a" input: "b" input_shape { dim: 2 } input_shape { dim: 3 }',
            "n: has the inputs a, b; prediction",
        ),
        ('input: "a" input_shape { dim: 2 dim: 5 }', "n: input 'a' has 2 axes; images need four"),
    ],
)
def test_nets_that_cannot_be_asked(text: str, message: str) -> None:
    net = f'{text} layer {{ name: "s" type: "Silence" include {{ stage: "deploy" }} }}'
    with pytest.raises(UsageError, match=message):
        deploy_net(Source("n", net))


def test_the_input_of_a_text_with_stages() -> None:
    text = """
    layer { name: "data" type: "Input" top: "data" include { stage: "deploy" }
      input_param { shape { dim: 2 dim: 3 dim: 5 dim: 7 } } }
    layer { name: "loss" type: "EuclideanLoss" bottom: "data" bottom: "label" top: "loss"
      exclude { stage: "deploy" } }
    layer { name: "out" type: "Power" bottom: "data" top: "out" }
    """
    definition, given = deploy_net(Source("n", text))
    assert [layer.name for layer in definition.net.layer] == ["data", "out"]
    assert list(given.input_param.shape[0].dim) == [2, 3, 5, 7]


def test_a_lua_definition_is_translated(tmp_path: Path) -> None:
    path = tmp_path / "net.lua"
    path.write_text("return function(p) return nn.Sequential():add(nn.View(-1):setNumInputDims(3)):"
                    "add(nn.Linear(p.inputShape[2] * p.inputShape[3], 2)) end")  # fmt: skip
    definition, given = deploy_net(read_deploy(path, (1, 4, 5)))
    assert list(given.input_param.shape[0].dim) == [1, 1, 4, 5]
    assert [layer.type for layer in definition.net.layer] == ["Input", "Reshape", "InnerProduct"]
    plain = tmp_path / "deploy.prototxt"
    plain.write_text(write_text(definition.net))
    assert read_deploy(plain).text == plain.read_text()
    with pytest.raises(UsageError, match="has the shape of its input"):
        read_deploy(plain, (1, 4, 5))
