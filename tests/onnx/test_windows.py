"""Windows over planes that no golden case has, in onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import NetworkError
from protonet.onnx.export import export_net
from tests.onnx.beside import ask, definition, hold, layer, values

FILLED = 'weight_filler { type: "gaussian" std: 1 } bias_filler { type: "gaussian" std: 1 }'
CASES = [
    (f'type: "Convolution" convolution_param {{ num_output: 4 kernel_size: 3 dilation: 2 pad: 2 '
     f'stride: 2 group: 2 {FILLED} }}', [(2, 6, 9, 8)]),
    (f'type: "Convolution" convolution_param {{ num_output: 4 kernel_size: 2 {FILLED} }}',
     [(2, 3, 4, 5, 6)]),
    (f'type: "Convolution" convolution_param {{ axis: 2 num_output: 4 kernel_size: 2 {FILLED} }}',
     [(2, 3, 4, 5, 6)]),
    (f'type: "DepthwiseConvolution" convolution_param {{ num_output: 6 kernel_size: 3 {FILLED} }}',
     [(2, 6, 5, 7)]),
    (f'type: "Deconvolution" convolution_param {{ num_output: 4 kernel_size: 3 stride: 2 pad: 1 '
     f'group: 2 {FILLED} }}', [(2, 6, 4, 5)]),
    (f'type: "Deconvolution" convolution_param {{ num_output: 4 kernel_size: 3 stride: 3 '
     f'output_padding: 2 output_padding: 1 {FILLED} }}', [(2, 6, 4, 5)]),
    (f'type: "LocallyConnected" convolution_param {{ num_output: 4 kernel_h: 2 kernel_w: 3 '
     f'stride: 2 pad: 1 {FILLED} }}', [(2, 3, 4, 5)]),
    ('type: "TableConvolution" connection_param { input: [0, 2] output: [0, 1] } convolution_param '
     f'{{ kernel_size: 2 pad: 1 {FILLED} }}', [(2, 3, 4, 5)]),
    ('type: "TableDeconvolution" connection_param { input: [0, 2] output: [0, 1] } '
     f'convolution_param {{ kernel_size: 2 stride: 2 {FILLED} }}', [(2, 3, 4, 5)]),
    ('type: "KMaxPooling" k_max_pooling_param { k: 3 axis: 2 }', [(2, 3, 7, 4)]),
    ('type: "AdaptivePooling" adaptive_pooling_param { output_h: 3 output_w: 4 }', [(2, 3, 5, 7)]),
    ('type: "AdaptivePooling" adaptive_pooling_param { pool: AVE output_h: 3 output_w: 4 }',
     [(2, 3, 5, 7)]),
    ('type: "Im2col" convolution_param { kernel_size: 3 stride: 2 pad: 1 }', [(2, 3, 6, 7)]),
    ('type: "Interp" interp_param { height: 7 width: 9 }', [(2, 3, 4, 5)]),
    ('type: "Interp" interp_param { zoom_factor: 2 pad_beg: -1 pad_end: -1 }', [(2, 3, 6, 7)]),
    ('type: "Convolution3D" convolution_param { num_output: 2 kernel_size: 3 kernel_depth: 2 '
     'weight_filler { type: "gaussian" } }', [(2, 3, 4, 5, 6)]),
    ('type: "Pooling3D" pooling_param { kernel_size: 3 kernel_depth: 1 stride: 2 }',
     [(2, 3, 4, 6, 6)]),
    ('type: "NdPooling" pooling_param { pool: AVE kernel_shape { dim: 2 dim: 3 dim: 2 } '
     'stride_shape { dim: 1 dim: 2 dim: 3 } pad_shape { dim: 1 dim: 0 dim: 1 } }',
     [(2, 3, 4, 6, 6)]),
    ('type: "Pooling" pooling_param { kernel_size: 3 stride: 2 pad: 1 dilation: 2 }',
     [(2, 3, 6, 7)]),
    ('type: "SPP" spp_param { pyramid_height: 3 pool: AVE }', [(2, 3, 9, 7)]),
    ('type: "Upsample" upsample_param { scale_h: 2 scale_w: 3 }', [(2, 3, 4, 5)]),
    ('type: "PriorBox" prior_box_param { min_size: 4 max_size: 9 aspect_ratio: 2 flip: true }',
     [(2, 3, 4, 5), (2, 3, 32, 40)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "shapes"), CASES, ids=lambda value: str(value)[:50])
def test_windows(text: str, shapes: list[tuple[int, ...]]) -> None:
    net = layer(text, *shapes)
    exported = hold(net, values(net))
    assert exported.any_batch


FRAMES = [
    "kernel_size: 2 stride: 2",
    "kernel_size: 3 stride: 2",
    "kernel_size: 3 stride: 4",
    "kernel_size: 2 stride: 3",
]
POOLS = [
    (pool, f"{frame} {mode}")
    for pool, modes in {
        "MAX": ["", "pad: 1", "round_mode: FLOOR", "pad: 1 round_mode: FLOOR"],
        "AVE": ["", "pad: 1", "round_mode: FLOOR", "pad: 1 round_mode: FLOOR"],
        "STOCHASTIC": ["", "round_mode: FLOOR"],
    }.items()
    for frame in FRAMES
    for mode in modes
] + [(pool, "global_pooling: true") for pool in ("MAX", "AVE", "STOCHASTIC")]
BEGIN_OUTSIDE = {("kernel_size: 3 stride: 4 ", 8), ("kernel_size: 2 stride: 3 ", 6)}
"""Where Caffe counts a window behind the plane."""


@pytest.mark.parametrize(("pool", "frame"), POOLS)
@pytest.mark.parametrize("extent", [5, 6, 7, 8])
def test_pooling(pool: str, frame: str, extent: int) -> None:
    """Where windows begin inside, end outside, and leave values over."""
    net = layer(f'type: "Pooling" pooling_param {{ pool: {pool} {frame} }}', (2, 3, extent, 7))
    if (frame, extent) in BEGIN_OUTSIDE:
        with pytest.raises(NetworkError, match="begins outside of the plane"):
            export_net(net)
        return
    given = values(net)
    if pool == "STOCHASTIC":
        given = {"x0": np.maximum(given["x0"], 0)}
    hold(net, given)


@pytest.mark.parametrize(
    "unpool",
    [
        'type: "Upsample" upsample_param { scale: 2 }',
        'type: "Unpooling" unpooling_param { kernel_size: 2 stride: 2 unpool_h: 6 unpool_w: 8 }',
    ],
)
def test_pooling_and_back(unpool: str) -> None:
    """The mask counts in the plane, as Upsample and Unpooling want it."""
    net = definition(f"""
        layer {{ name: "in" type: "Input" top: "x"
          input_param {{ shape {{ dim: 2 dim: 3 dim: 6 dim: 8 }} }} }}
        layer {{ name: "pool" type: "Pooling" bottom: "x" top: "y" top: "mask"
          pooling_param {{ kernel_size: 2 stride: 2 }} }}
        layer {{ name: "double" type: "Power" bottom: "y" top: "z" power_param {{ scale: 2 }} }}
        layer {{ name: "up" bottom: "z" bottom: "mask" top: "up" {unpool} }}
    """)
    given = values(net)
    exported = hold(net, given)
    assert exported.any_batch
    assert ask(exported, {"x": given["x"][:1]})["up"].shape == (1, 3, 6, 8)


@pytest.mark.parametrize("shape", ["dim: 5 dim: 5", "dim: 5 dim: 5 dim: 1 dim: 1"])
@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("ROIPooling", ""),
        ("ROIPooling", "pad_ratio: 0.3"),
        ("ROIAlign", ""),
        ("ROIAlign", "sampling_ratio: 2"),
    ],
)
def test_pooling_of_regions(shape: str, kind: str, more: str) -> None:
    """Inside, beyond the border, outside, and of one cell."""
    field = "roi_align_param" if kind == "ROIAlign" else "roi_pooling_param"
    net = definition(f"""
        layer {{ name: "in" type: "Input" top: "x" top: "rois"
          input_param {{ shape {{ dim: 2 dim: 3 dim: 6 dim: 8 }} shape {{ {shape} }} }} }}
        layer {{ name: "y" type: "{kind}" bottom: "x" bottom: "rois" top: "y"
          {field} {{ pooled_h: 3 pooled_w: 2 spatial_scale: 0.25 {more} }} }}
    """)
    x = np.random.default_rng(7).standard_normal((2, 3, 6, 8)).astype(np.float32)
    rows = [[1, 0, 0, 31, 23], [0, 5, 3, 17, 20], [1, 20, 9, 60, 80], [0, 9, 9, 9, 9]]
    rois = np.array([*rows, [0, 90, 90, 99, 99]], np.float32)
    hold(net, {"x": x, "rois": rois.reshape(5, 5, *(1, 1)[: shape.count("dim") - 2])})


def test_the_mask_of_volumes() -> None:
    net = layer(
        'type: "Pooling3D" pooling_param { kernel_size: 2 kernel_depth: 2 }',
        (2, 3, 4, 5, 6),
        tops=2,
    )
    hold(net, values(net))
