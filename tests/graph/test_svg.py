"""Pictures as SVG: where things stand, and that no name of a stranger's is more than a text."""

from __future__ import annotations

import time
from xml.etree import ElementTree

from protonet.graph import svg
from protonet.graph.drawing import picture_of
from protonet.graph.svg import Arrow, Box
from protonet.proto.caffe_pb2 import NetParameter

NAMES = {"": "http://www.w3.org/2000/svg"}
BOXES = [
    Box((0.0, 0.0), ("a", "Input"), "#b9d7a8"),
    Box((3.6, -1.1), ("b", "ReLU"), "#dfe6ee", faint=True),
]
ARROW = Arrow((1.3, 0.0), (2.3, -1.1), 0.25, "x", (1.8, -0.5))


def drawn(boxes: list[Box], arrows: list[Arrow]) -> ElementTree.Element:
    return ElementTree.fromstring(
        svg.picture(boxes, arrows, extent=(-2, 1, 8, 3), size=(2.6, 0.7), scale=0.5)
    )


def test_places_are_from_the_upper_left() -> None:
    root = drawn(BOXES, [ARROW])
    assert (root.get("width"), root.get("viewBox")) == ("288pt", "0 0 576 216")
    _, first, second = root.findall("rect", NAMES)
    assert (first.get("x"), first.get("y")) == ("50.4", "46.8")  # (2 - 1.3, 1 - 0.35) * 72
    assert (second.get("x"), second.get("y")) == ("309.6", "126.0")
    assert first.get("stroke-dasharray") is None
    assert second.get("stroke-dasharray") == "4 2"
    texts = [(each.text, each.get("x"), each.get("y")) for each in root.findall("text", NAMES)]
    assert texts[:3] == [
        ("x", "273.6", "107.0"),
        ("a", "144.0", "70.0"),
        ("Input", "144.0", "80.0"),
    ]


def test_bends_are_below_what_goes_to_the_right() -> None:
    straight = Arrow((0.0, 0.0), (2.0, 0.0), 0.0, "x", (1.0, 0.0))
    bent = Arrow((0.0, 0.0), (2.0, 0.0), 0.25, "x", (1.0, -0.25))
    paths = [each.get("d") for each in drawn([], [straight, bent]).findall("path", NAMES)]
    assert paths == ["M144.0,72.0 Q216.0,72.0 288.0,72.0", "M144.0,72.0 Q216.0,108.0 288.0,72.0"]


def test_names_are_texts() -> None:
    name = '<script>alert("&")</script>\x00\x1b'
    root = drawn([Box((0.0, 0.0), (name, name), "#fff")], [])
    assert [each.text for each in root.findall("text", NAMES)] == [
        '<script>alert("&")</script>\ufffd\ufffd'
    ] * 2
    assert not root.findall(".//script", NAMES)


def test_thousands_of_layers_are_drawn_at_once() -> None:
    net = NetParameter()
    net.layer.add(name="data", type="Input", top=["x0"])
    for i in range(5000):
        net.layer.add(name=f"layer{i}", type="Power", bottom=[f"x{i}"], top=[f"x{i + 1}"])
    start = time.process_time()
    root = ElementTree.fromstring(picture_of(net, "svg", direction="TB", faint={"layer7"}))
    assert time.process_time() - start < 4
    assert len(root.findall("rect", NAMES)) == 5002
    assert len(root.findall("path", NAMES)) == 5000


def test_what_goes_around_the_boxes_is_inside_the_picture() -> None:
    net = NetParameter()
    net.layer.add(name="data", type="Input", top=["x"])
    for i in range(9):
        net.layer.add(name=f"a{i}", type="Power", bottom=[f"a{i - 1}" if i else "x"], top=[f"a{i}"])
    net.layer.add(name="sum", type="Eltwise", bottom=["a8", "x"], top=["sum"])
    root = ElementTree.fromstring(picture_of(net, "svg"))
    height = float((root.get("viewBox") or "").split()[-1])
    lowest = max(float(each.get("y") or 0) for each in root.findall("text", NAMES))
    assert 300 < lowest < height - 36
