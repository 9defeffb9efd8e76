"""Layers of face nets, in onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import NetworkError
from tests.onnx.beside import hold, layer, values


@pytest.mark.parametrize("fields", ["", "channel_scale_param { do_forward: false }"])
def test_a_factor_for_each_place(fields: str) -> None:
    net = layer(f'type: "ChannelScale" {fields}', (2, 3, 4, 5), (2, 1, 4, 5))
    hold(net, values(net))


def test_a_deployed_net_adds_no_margin() -> None:
    net = layer('type: "LabelSpecificAdd" label_specific_add_param { bias: 3 }', (2, 5), (2,))
    hold(net, {**values(net), "x1": np.array([3, 0], np.float32)})


def test_a_deployed_net_rescales_nothing() -> None:
    text = 'type: "LabelSpecificRescale" label_specific_rescale_param {{ positive_weight: 3 {} }}'
    net = layer(text.format(""), (2, 5), (2,))
    hold(net, {**values(net), "x1": np.array([3, 0], np.float32)})
    net = layer(text.format("rescale_test: true"), (2, 5), (2,))
    with pytest.raises(NetworkError, match="multiplies the scores of labels"):
        hold(net, {**values(net), "x1": np.array([3, 0], np.float32)})


def test_lengths_beside_directions() -> None:
    net = layer('type: "Normalize" normalize_param { normalize_type: "L2" }', (2, 3, 4), tops=2)
    hold(net, values(net))


@pytest.mark.parametrize("kind", ["L1", "L2"])
@pytest.mark.parametrize("normalize", ["true", "false"])
def test_distances_to_points(kind: str, normalize: str) -> None:
    text = f"""type: "InnerDistance" inner_distance_param {{ distance_type: "{kind}" num_output: 4
        normalize: {normalize} weight_filler {{ type: "gaussian" }} }}"""
    net = layer(text, (2, 3, 5))
    hold(net, values(net))
    net = layer(f'type: "InnerDistance" inner_distance_param {{ distance_type: "{kind}" }}',
                (3, 5), (2, 5))  # fmt: skip
    hold(net, values(net))
