"""Each kind of mistake, rendered as a user sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.diagnose import diagnose

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nme: 'x'", "1:1 no field 'nme' in NetParameter; did you mean 'name'?"),
        ("name: x", "1:7 'name' takes a text in quotes, not x"),
        ("name 'x'", "1:6 expected ':' or '{' after 'name'"),
        ("name: 'x' name: 'y'", "1:11 'name' is given twice in NetParameter"),
        ("name: ['x']", "1:1 'name' takes one value, not a list"),
        ("name: 'x", "1:7 this string has no closing quote on its line"),
        ("name: { }", "1:1 'name' takes a text in quotes, not { ... }"),
        ("input_dim: 1.5", "1:12 'input_dim' takes a whole number, not 1.5"),
        ("input_dim: 3000000000", "1:12 'input_dim' takes a whole number, not 3000000000"),
        ("input_dim: 0x1G", "1:12 '0x1G' is not a number"),
        ("input_dim: [1, 2,]", "1:18 expected a value before ']'"),
        ("force_backward: 2", "1:17 'force_backward' takes true or false, not 2"),
        ("state { phase: TRIAN }", "1:16 no value 'TRIAN' in Phase; did you mean 'TRAIN'?"),
        ("state { phase: 7 }", "1:16 'phase' takes one of TRAIN, TEST, not 7"),
        ("state: 3", "1:8 'state' is a NetState, not a single value"),
        (
            "layer { num_output: 3 }",
            "1:9 no field 'num_output' in LayerParameter",
        ),
        ("layer { clip_param { min: 1 } }", "1:9 ClipParameter needs 'max'"),
        ("layer { loss_weight: 'a' }", "1:22 'loss_weight' takes a number, not 'a'"),
        ("layer { loss_weight: big }", "1:22 'loss_weight' takes a number, not big"),
        (
            "layer { convolution_param { pad: -1 } }",
            "1:34 'pad' takes a whole number of at least 0, not -1",
        ),
        ("layer {", "1:7 the '{' of 'layer' is never closed"),
        ("layer { } }", "1:11 this '}' closes nothing"),
        ("layer", "1:6 the text ends in the middle of a field"),
        ("name: 'a' @", "1:11 unexpected character '@'"),
        ("name: 'a' ]", "1:11 unexpected ']'"),
        ("layer { type: }", "1:15 expected a value after 'type:'"),
    ],
)
def test_one_mistake(text: str, expected: str) -> None:
    found = [
        f"{line}:{column} {message}"
        for (line, column), message, _ in diagnose(text, NetParameter.DESCRIPTOR)
    ]
    assert found == [expected]


def test_a_field_in_the_wrong_place_is_told_where_it_belongs() -> None:
    ((_, _, hint),) = diagnose("layer { local_size: 3 }", NetParameter.DESCRIPTOR)
    assert hint == "it belongs into lrn_param { local_size }"
    ((_, _, hint),) = diagnose("layer { pool: MAX }", NetParameter.DESCRIPTOR)
    assert hint.startswith("it belongs into pooling_param { pool } or spp_param { pool }")


def test_a_type_in_quotes_goes_with_layer() -> None:
    for kind in ("'Input'", '"ReLU"'):
        ((place, _, hint),) = diagnose(f"layers {{ type: {kind} }}", NetParameter.DESCRIPTOR)
        assert (place, hint) == (
            (1, 16),
            f"in 'layers' types are names without quotes; type: {kind} goes with 'layer'",
        )
    ((_, message, hint),) = diagnose("layers { type: RELUS }", NetParameter.DESCRIPTOR)
    assert ("RELUS" in message, hint) == (True, "")


def test_every_mistake_is_found_in_the_order_of_the_text() -> None:
    text = "nme: 'x'\nlayer { typ: 'A' bottom: 3 }\nlayer { relu_param { slope: 1 }"
    places = [place for place, _, _ in diagnose(text, NetParameter.DESCRIPTOR)]
    assert places == [(1, 1), (2, 9), (2, 26), (3, 7), (3, 22)]


@pytest.mark.parametrize(
    "text",
    [
        "input_dim: 010 input_dim: 0xFF input_dim: -5 force_backward: t",
        "layer { loss_weight: inf loss_weight: -nan loss_weight: 1e-3f loss_weight: 3 }",
        "state { phase: 1 }",
    ],
)
def test_what_is_right_is_not_complained_about(text: str) -> None:
    assert diagnose(text, NetParameter.DESCRIPTOR) == []


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*/*/net.prototxt")), ids=str)
def test_real_nets_have_no_mistakes(path: Path) -> None:
    assert diagnose(path.read_text(), NetParameter.DESCRIPTOR) == []
