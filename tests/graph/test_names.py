"""Names become values."""

import time

from google.protobuf import text_format

from protonet.graph.names import AUTOMATIC, Wiring, wire
from protonet.proto.caffe_pb2 import NetParameter

IN_PLACE = """
layer { name: "in" type: "Input" top: "x" }
layer { name: "relu" type: "ReLU" bottom: "x" top: "x" }
layer { name: "a" type: "Power" bottom: "x" top: "z" }
layer { name: "b" type: "Power" bottom: "x" top: "b" }
"""


def wired(text: str, automatic: int = 0) -> tuple[Wiring, list[tuple[object, ...]]]:
    net = text_format.Parse(text, NetParameter())
    complaints: list[tuple[object, ...]] = []
    wiring = wire(net.layer, [automatic] * len(net.layer), lambda *said: complaints.append(said))
    return wiring, complaints


def test_in_place_makes_a_second_value_of_the_same_name() -> None:
    wiring, complaints = wired(IN_PLACE)
    assert [each.name for each in wiring.writings[:2]] == ["x", "x"]
    assert wiring.consumers[:2] == (((1, 0),), ((2, 0), (3, 0)))
    assert wiring.bottoms[2] == (1,)
    assert not complaints


def test_outputs_are_the_unread_values_in_alphabetical_order() -> None:
    wiring, _ = wired(IN_PLACE)
    assert [wiring.writings[number].name for number in wiring.outputs()] == ["b", "z"]


def test_an_unknown_bottom_names_the_nearest_and_the_known_blobs() -> None:
    _, complaints = wired(
        'layer { name: "in" type: "Input" top: "data" }'
        'layer { name: "p" type: "Power" bottom: "dta" top: "y" }'
    )
    assert complaints == [
        (
            1,
            ("bottom", 0),
            "unknown bottom blob 'dta'; did you mean 'data'?",
            "blobs known here: 'data'",
        )
    ]


def test_a_bottom_that_is_made_later_says_so() -> None:
    _, complaints = wired(
        'layer { name: "p" type: "Power" bottom: "late" top: "y" }'
        'layer { name: "in" type: "Input" top: "late" }'
    )
    assert complaints[0][3] == "layer 'in' makes 'late', but only further down"


def test_a_blob_made_twice_is_refused() -> None:
    _, complaints = wired(
        'layer { name: "in" type: "Input" top: "x" }layer { name: "other" type: "Input" top: "x" }'
    )
    assert complaints[0][:3] == (1, ("top", 0), "top blob 'x' is already made by layer 'in'")


def test_a_missing_top_of_a_loss_is_made_up_and_is_no_output() -> None:
    wiring, _ = wired('layer { name: "l" type: "EuclideanLoss" }', automatic=1)
    assert [wiring.writings[number].name for number in wiring.tops[0]] == [AUTOMATIC]
    assert wiring.outputs() == ()


def test_the_thousandth_unknown_name_takes_no_longer_than_the_first() -> None:
    """Nearest names are looked up for the first few; makers further down are told of all."""
    net = NetParameter()
    net.layer.add(name="data", type="Input", top=["blob0"])
    for i in range(3000):
        net.layer.add(name=f"layer{i}", type="Power", bottom=[f"blab{i}"], top=[f"blob{i + 1}"])
        net.layer.add(name=f"early{i}", type="Power", bottom=[f"late{i}"], top=[f"x{i}"])
    for i in range(3000):
        net.layer.add(name=f"maker{i}", type="Power", bottom=["blob0"], top=[f"late{i}"])
    found: list[tuple[str, ...]] = []
    start = time.process_time()
    wire(net.layer, [0] * len(net.layer), lambda _i, _p, *said: found.append(said))
    assert time.process_time() - start < 2
    assert found[0] == (
        "unknown bottom blob 'blab0'; did you mean 'blob0'?",
        "blobs known here: 'blob0'",
    )
    assert found[5999] == (
        "unknown bottom blob 'late2999'",
        "layer 'maker2999' makes 'late2999', but only further down",
    )
    assert found[-2][0] == "unknown bottom blob 'blab2999'"
    assert found[-2][1].startswith("blobs known here: 'blob2996', 'x2995', ")
