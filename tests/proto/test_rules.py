"""Phase, level and stages."""

from __future__ import annotations

import pytest

from protonet.errors import NetworkError
from protonet.proto import rules
from protonet.proto.caffe_pb2 import TEST, TRAIN, NetParameter, NetState
from protonet.proto.text import Source, read_net


def kept(rule: str, state: NetState) -> bool:
    text = f'layer {{ name: "a" type: "A" {rule} }} layer {{ name: "b" type: "B" }}'
    found = rules.filter_layers(read_net(Source("net", text)), state)
    assert found.net.state == state
    assert [layer.name for layer in found.net.layer][-1] == "b"
    assert found.origins[-1] == ("layer", 1)
    return len(found.net.layer) == 2


@pytest.mark.parametrize(
    ("rule", "state", "expected"),
    [
        ("", rules.state(TRAIN), True),
        ("include { phase: TRAIN }", rules.state(TRAIN), True),
        ("include { phase: TRAIN }", rules.state(TEST), False),
        ("exclude { phase: TRAIN }", rules.state(TRAIN), False),
        ("exclude { phase: TRAIN }", rules.state(TEST), True),
        ("include { phase: TEST } include { stage: 'x' }", rules.state(TRAIN, stages=["x"]), True),
        ("include { min_level: 2 }", rules.state(TRAIN, 1), False),
        ("include { min_level: 2 }", rules.state(TRAIN, 2), True),
        ("include { max_level: 2 }", rules.state(TRAIN, 3), False),
        ("include { min_level: -1 max_level: 0 }", rules.state(TRAIN), True),
        ("include { stage: 'a' stage: 'b' }", rules.state(TRAIN, stages=["a"]), False),
        ("include { stage: 'a' stage: 'b' }", rules.state(TRAIN, stages=["b", "a"]), True),
        ("include { not_stage: 'a' }", rules.state(TRAIN, stages=["a"]), False),
        ("include { not_stage: 'a' }", rules.state(TRAIN, stages=["b"]), True),
        ("exclude { stage: 'deploy' }", rules.state(TEST, stages=["deploy"]), False),
        ("exclude { stage: 'deploy' }", rules.state(TEST), True),
        ("phase: TEST", rules.state(TRAIN), True),
    ],
)
def test_rules(rule: str, state: NetState, expected: bool) -> None:
    assert kept(rule, state) is expected


def test_include_and_exclude_together_are_a_mistake_at_their_line() -> None:
    text = 'layer {\n  name: "a" type: "A"\n  include { }\n  exclude { phase: TEST }\n}'
    with pytest.raises(NetworkError, match=r'net:4:3: layer "a" \(A\): has both include'):
        rules.filter_layers(read_net(Source("net", text)), rules.state(TRAIN))


def test_a_net_of_which_no_layer_is_left_is_a_mistake() -> None:
    text = 'layer { name: "a" type: "A" include { phase: TRAIN } }'
    definition = read_net(Source("net", text))
    with pytest.raises(NetworkError) as caught:
        rules.keep_layers(definition, rules.state(TEST, 2, ["q"]))
    assert str(caught.value) == (
        "net: no layer is left in phase TEST, stage q, level 2\n"
        "    include and exclude rules leave out each of the 1 layer(s)"
    )
    assert len(rules.keep_layers(definition, rules.state(TRAIN)).net.layer) == 1


def test_the_stages_of_the_text_are_kept_and_its_level_is_not() -> None:
    net = NetParameter(state=NetState(phase=TEST, level=3, stage=["q", "r"]))
    assert rules.state_of(net, TRAIN, 1, ["r", "s"]) == rules.state(TRAIN, 1, ["q", "r", "s"])
