"""Moved values that no golden case has, in onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest

from tests.onnx.beside import hold, layer, values

CASES = [
    ('type: "Permute" permute_param { order: 0 order: 2 order: 3 order: 1 }', [(2, 3, 4, 5)]),
    ('type: "Flip" flip_param { flip_height: true }', [(2, 3, 4, 5)]),
    ('type: "Flip" flip_param { flip_width: false }', [(2, 3, 4, 5)]),
    ('type: "Reverse" reverse_param { axis: -2 }', [(2, 3, 4, 5)]),
    ('type: "ShuffleChannel" shuffle_channel_param { group: 3 }', [(2, 6, 4, 5)]),
    ('type: "Reorg" reorg_param { stride: 2 }', [(2, 8, 4, 6)]),
    ('type: "Reorg" reorg_param { stride: 3 reverse: true }', [(2, 18, 4, 5)]),
    ('type: "Pad" pad_param { paddings: [0, 0, 1, 0, 2, 3] constant_values: 1.5 }', [(2, 3, 4)]),
    ('type: "Pad" pad_param { paddings: [0, 0, -1, 0, 2, -3] constant_values: 1.5 }', [(2, 3, 4)]),
    ('type: "Pad" pad_param { mode: REFLECT paddings: [0, 0, -2, 2, 1, 3] }', [(2, 3, 4)]),
    ('type: "Pad" pad_param { mode: EDGE paddings: [0, 0, 5, 2, 1, -3] }', [(2, 3, 4)]),
    ('type: "DepthToSpace" depth_to_space_param { block_size: 2 }', [(2, 3, 4, 12)]),
    ('type: "DepthToSpace" depth_to_space_param { block_size: 2 data_format: "DCR" }',
     [(2, 12, 4, 5)]),
    ('type: "DepthToSpace" depth_to_space_param { block_size: 2 data_format: "CRD" }',
     [(2, 12, 4, 5)]),
    ('type: "SeLuDropout"', [(2, 3)]),
    ('type: "Squeeze" squeeze_param { axis: -1 axis: 1 }', [(2, 1, 3, 1)]),
    ('type: "ResizeBilinear" resize_bilinear_param { data_format: "NCHW" scale_height: 1.5 }',
     [(2, 3, 4, 5)]),
    ('type: "ResizeNearestNeighbor" resize_nearest_neighbor_param { data_format: "NCHW" '
     'scale_height: 1.5 }', [(2, 3, 4, 5)]),
    ('type: "Reshape" reshape_param { pixelshuffler: 2 }', [(2, 12, 3, 4)]),
    ('type: "Flatten" flatten_param { axis: 2 }', [(2, 3, 4, 5)]),
    ('type: "Reshape" reshape_param { shape { dim: 0 dim: -1 dim: 2 } }', [(2, 3, 4)]),
    ('type: "Concat" concat_param { axis: -1 }', [(2, 3, 4), (2, 3, 5)]),
    ('type: "Crop" crop_param { axis: 2 offset: 1 offset: 2 }', [(2, 3, 6, 7), (2, 1, 4, 3)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "shapes"), CASES, ids=lambda value: str(value)[:50])
def test_moved_values(text: str, shapes: list[tuple[int, ...]]) -> None:
    net = layer(text, *shapes)
    assert hold(net, values(net)).any_batch


@pytest.mark.parametrize(
    "text",
    [
        'type: "SpaceToBatchND" space_to_batch_nd_param { block_shape: [2, 3] '
        "paddings: [1, 0, 2, 2] }",
        'type: "BatchToSpaceND" batch_to_space_nd_param { block_shape: [2, 3] '
        "crops: [1, 0, 2, 2] }",
    ],
)
def test_pixels_that_become_items(text: str) -> None:
    net = layer(text, (6, 3, 5, 4))
    hold(net, values(net))


def test_slices_have_the_names_of_their_tops() -> None:
    net = layer('type: "Slice" slice_param { slice_point: 1 slice_point: 3 }', (2, 7, 3), tops=3)
    assert hold(net, values(net)).any_batch


def test_gathered_blobs_pass() -> None:
    net = layer('type: "Gather"', (2, 7), (2, 3), tops=2)
    assert hold(net, values(net)).any_batch


def test_one_slice_is_the_whole() -> None:
    net = layer('type: "Slice"', (2, 7, 3))
    assert hold(net, values(net)).any_batch


def test_items_that_are_kept_and_picked() -> None:
    net = layer('type: "Filter"', (4, 3), (4, 1))
    given = values(net)
    given["x1"] = np.array([[1], [0], [0], [2]], np.float32)
    exported = hold(net, given)
    (made,) = exported.model.graph.output
    assert [axis.dim_value for axis in made.type.tensor_type.shape.dim] == [0, 0]  # not known
    net = layer('type: "BatchReindex"', (4, 3), (5,))
    hold(net, {**values(net), "x1": np.array([3, 0, 0, 1, 2], np.float32)})
