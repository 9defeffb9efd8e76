"""Pictures: who is joined to whom, where boxes stand, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import text_format

from protonet.errors import UsageError
from protonet.graph.drawing import FORMATS, connections, draw_net, place
from protonet.proto.caffe_pb2 import NetParameter
from tests.graph.nets import FAN_OUT


def net(text: str = FAN_OUT) -> NetParameter:
    return text_format.Parse(text, NetParameter())


def test_in_place_layers_stand_in_a_row() -> None:
    assert connections(net()) == {
        (0, 1): ["x"],
        (1, 2): ["h"],
        (2, 3): ["h"],
        (2, 4): ["h"],
        (2, 5): ["h"],
        (3, 5): ["left"],
        (4, 5): ["right"],
        (5, 6): ["join"],
        (0, 6): ["t"],
    }


def test_columns_follow_the_longest_way_and_rows_do_not_meet() -> None:
    places = place(7, list(connections(net())))
    assert [places[index][0] for index in range(7)] == [0, 1, 2, 3, 3, 4, 5]
    assert len(set(places.values())) == 7


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("direction", ["LR", "TB", "RL", "BT"])
def test_every_kind_of_file(kind: str, direction: str, tmp_path: Path) -> None:
    path = tmp_path / f"net.{kind}"
    draw_net(net(), path, direction=direction)
    start = {"svg": b"<?xml", "png": b"\x89PNG", "jpg": b"\xff\xd8", "pdf": b"%PDF"}[kind]
    assert path.read_bytes().startswith(start)


def test_the_names_and_numbers_of_layers_are_in_the_picture(tmp_path: Path) -> None:
    text = (
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 dim: 9 '
        'dim: 9 } } } layer { name: "c" type: "Convolution" bottom: "x" top: "c" '
        "convolution_param { num_output: 12 kernel_h: 3 kernel_w: 5 } } "
        'layer { name: "p" type: "Pooling" bottom: "c" top: "p" pooling_param { pool: AVE } } '
        'layer { name: "ip" type: "InnerProduct" bottom: "p" top: "ip" '
        "inner_product_param { num_output: 34 } }"
    )
    draw_net(net(text), tmp_path / "net.svg")
    shown = (tmp_path / "net.svg").read_text()
    for words in ("Convolution 3x5, 12", "Pooling ave", "InnerProduct 34"):
        assert f"<!-- {words} -->" in shown or words in shown


def test_a_net_without_layers_and_one_with_a_mistake(tmp_path: Path) -> None:
    draw_net(NetParameter(), tmp_path / "empty.png")
    draw_net(net('layer { name: "a" type: "ReLU" bottom: "nowhere" top: "a" }'), tmp_path / "x.png")
    assert (tmp_path / "x.png").exists()


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a picture of kind svg, png, jpg, pdf"):
        draw_net(net(), tmp_path / "net.gif")
    with pytest.raises(UsageError, match="LR, TB, RL or BT, got 'up'"):
        draw_net(net(), tmp_path / "net.png", direction="up")
