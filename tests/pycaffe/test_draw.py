"""Pictures of networks by the functions of Caffe's module."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import text_format

import protonet.pycaffe as caffe
from protonet.proto.caffe_pb2 import NetParameter
from tests.pycaffe.conftest import DEPLOY


def net() -> NetParameter:
    text = DEPLOY.replace('top: "prob" }', 'top: "prob" include { phase: TEST } }')
    return text_format.Parse(text, NetParameter())


def test_a_file_of_the_kind_of_its_name(tmp_path: Path) -> None:
    caffe.draw.draw_net_to_file(net(), str(tmp_path / "net.svg"), "TB")
    text = (tmp_path / "net.svg").read_text()
    assert text.startswith("<?xml")
    caffe.draw.draw_net_to_file(net(), tmp_path / "net.png")
    assert (tmp_path / "net.png").read_bytes().startswith(b"\x89PNG")


def test_bytes_of_one_phase() -> None:
    whole, train = (caffe.draw.draw_net(net(), ext="svg", phase=p) for p in (caffe.TEST, 0))
    assert whole.startswith(b"<?xml")
    assert whole.count(b"prob") > 0 == train.count(b"prob")


EXAMPLES = [
    path
    for path in sorted((Path(__file__).parents[2] / "examples").rglob("*.prototxt"))
    if "solver" not in path.name
]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_example_can_be_drawn(path: Path) -> None:
    message = text_format.Parse(path.read_text(), NetParameter())
    picture = caffe.draw.draw_net(message, "LR", ext="svg")
    for layer in message.layer:
        assert layer.name.encode() in picture


@pytest.mark.parametrize(
    "text",
    [
        "",
        'input: "x" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4',
        'layer { type: "ReLU" bottom: "a" top: "a" }',
        'layer { name: "p" type: "Unknown" bottom: "nowhere" top: "b" top: "c" }',
        'layer { name: "a" type: "ReLU" bottom: "x" top: "x" } layer { name: "a" type: "TanH" }',
    ],
)
def test_texts_that_are_no_nets_yet(text: str) -> None:
    """Drawing reads the text alone: what could not be built is drawn too."""
    message = text_format.Parse(text, NetParameter())
    for phase in (None, caffe.TRAIN, caffe.TEST):
        assert caffe.draw.draw_net(message, "TB", phase=phase).startswith(b"\x89PNG")
