"""Phase, level and stages."""

from __future__ import annotations

import pytest

from protonet.errors import NetworkError
from protonet.proto import rules
from protonet.proto.caffe_pb2 import TEST, TRAIN, NetState
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
