"""Similarity and distance of pairs, in onnxruntime."""

from __future__ import annotations

import pytest

from tests.onnx.beside import hold, layer, values


@pytest.mark.parametrize("axis", [1, 2])
def test_cosines(axis: int) -> None:
    text = f'type: "CosineSimilarity" cosine_similarity_param {{ axis: {axis} }}'
    net = layer(text, (3, 4, 5), (3, 4, 5))
    hold(net, values(net))


@pytest.mark.parametrize("p", [1, 2, 3])
def test_distances(p: int) -> None:
    text = f'type: "PairwiseDistance" pairwise_distance_param {{ p: {p} }}'
    for shapes in ([(3, 4, 5), (3, 4, 5)], [(3, 4, 5)]):
        net = layer(text, *shapes)
        hold(net, values(net))
