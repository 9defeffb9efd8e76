"""Which Normalize is meant."""

from __future__ import annotations

import pytest

from protonet.proto.text import Source, read_net

BARE = 'layer { name: "n" type: "Normalize" bottom: "x" top: "n" }'


@pytest.mark.parametrize(
    "other",
    [
        'layer { name: "o" type: "LabelSpecificAdd" }',
        'layer { name: "o" type: "Normalize" normalize_param { bp_norm: true } }',
        'layer { name: "o" type: "InnerProduct" inner_product_param { normalize: true } }',
        'layer { name: "o" type: "Accuracy" accuracy_param { min_is_better: true } }',
        'layer { name: "o" type: "SoftmaxWithLoss" softmax_param { normalize_type: "Softmax" } }',
    ],
)
def test_beside_layers_of_happynears_fork_it_is_theirs(other: str) -> None:
    net = read_net(Source("net.prototxt", BARE + other)).net
    assert net.layer[0].HasField("normalize_param")
    assert not net.layer[0].HasField("norm_param")


@pytest.mark.parametrize("more", ["", 'layer { name: "o" type: "ReLU" }'])
def test_else_it_is_ssds(more: str) -> None:
    assert not read_net(Source("n", BARE + more)).net.layer[0].HasField("normalize_param")


def test_what_has_fields_stays() -> None:
    text = BARE.replace('"n" }', '"n" norm_param { across_spatial: false } }')
    net = read_net(Source("n", text + 'layer { name: "o" type: "ChannelScale" }')).net
    assert not net.layer[0].HasField("normalize_param")
