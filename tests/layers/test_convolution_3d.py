"""Convolution and pooling of volumes as forks for video write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from protonet.errors import LayerError
from protonet.proto.caffe_pb2 import NetParameter
from protonet.testing import LayerHarness
from protonet.testing.checks import assert_close

X = (2, 3, 4, 5, 6)
GOLDEN = Path(__file__).parents[1] / "golden" / "Convolution" / "nd3"


def values() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(X)


def layer(kind: str, field: str, text: str, x: np.ndarray | None = None) -> LayerHarness:
    return LayerHarness(f'type: "{kind}" {field} {{ {text} }}', [values() if x is None else x])


CONV, POOL = "convolution_param", "pooling_param"


@pytest.mark.parametrize(
    ("kind", "field", "text", "same"),
    [
        (
            "Convolution3D", CONV,
            "kernel_size: 3 kernel_depth: 2 stride: 2 pad: 1 temporal_stride: 3 temporal_pad: 2",
            "kernel_size: 2 kernel_size: 3 kernel_size: 3 stride: 3 stride: 2 stride: 2 "
            "pad: 2 pad: 1 pad: 1",
        ),
        (
            "Convolution3D", "convolution3d_param",
            "kernel_size: 3 kernel_depth: 2 filter_group: 2",
            "kernel_size: 2 kernel_size: 3 kernel_size: 3",
        ),
        (
            "Convolution3D", CONV, "kernel_h: 3 kernel_w: 1 kernel_depth: 2 pad_h: 1 pad_w: 0",
            "kernel_size: 2 kernel_size: 3 kernel_size: 1 pad: 0 pad: 1 pad: 0",
        ),
        ("Convolution3D", CONV, "kernel_size: 2 stride: 2", "kernel_size: 2 stride: 2"),
        (
            "NdConvolution", CONV,
            "kernel_shape { dim: 2 dim: 3 dim: 1 } stride_shape { dim: 1 dim: 2 dim: 3 } "
            "pad_shape { dim: 1 dim: 0 dim: 2 }",
            "kernel_size: 2 kernel_size: 3 kernel_size: 1 stride: 1 stride: 2 stride: 3 "
            "pad: 1 pad: 0 pad: 2",
        ),
        (
            "Deconvolution3D", CONV, "kernel_size: 4 kernel_depth: 3 stride: 2 pad: 1",
            "kernel_size: 3 kernel_size: 4 kernel_size: 4 stride: 1 stride: 2 stride: 2 "
            "pad: 0 pad: 1 pad: 1",
        ),
    ],
)  # fmt: skip
def test_convolutions_are_those_of_caffe(kind: str, field: str, text: str, same: str) -> None:
    plain = "Deconvolution" if kind.startswith("De") else "Convolution"
    runs = [
        layer(kind, field, f"num_output: 2 {text}"),
        layer(plain, CONV, f"num_output: 2 {same}"),
    ]
    tops = []
    for run in runs:
        generator = np.random.default_rng(1)
        run.set_params([generator.standard_normal(p.shape) for p in run.layer.params])
        tops.append(run.forward()[0])
    assert runs[0].layer.params[0].shape == runs[1].layer.params[0].shape
    np.testing.assert_array_equal(tops[0], tops[1])


def test_a_recording_of_caffe_is_met() -> None:
    net = text_format.Parse((GOLDEN / "net.prototxt").read_text(), NetParameter())
    spec = next(each for each in net.layer if each.name == "l")
    spec.type = "NdConvolution"
    data = np.load(GOLDEN / "data.npz")
    run = LayerHarness(spec, [data[f"bottom/{name}"] for name in spec.bottom])
    run.set_params([data["param/0"], data["param/1"]])
    assert_close(run.forward()[0], data[f"top/{spec.top[0]}"], "y")


@pytest.mark.parametrize(
    ("kind", "text", "message", "path"),
    [
        (
            "Convolution3D",
            "convolution_param { num_output: 2 kernel_size: 3 temporal_stride: 1 }",
            "convolution_param needs a kernel_size and a kernel_depth above 0",
            (CONV, "kernel_size"),
        ),
        (
            "Convolution3D",
            "convolution_param { num_output: 2 kernel_h: 3 kernel_w: 3 }",
            "kernel_h gives no number for frames",
            (CONV, "kernel_h"),
        ),
        (
            "Convolution3D",
            "convolution_param { num_output: 2 kernel_depth: 3 kernel_size: [1, 2, 3] }",
            "expected one kernel_size for rows and columns and one for frames, got 3",
            (CONV, "kernel_size"),
        ),
        (
            "Convolution3D",
            "convolution_param { } convolution3d_param { }",
            "convolution_param and convolution3d_param are both given; give one of them",
            ("convolution3d_param",),
        ),
        (
            "NdConvolution",
            "convolution_param { num_output: 2 kernel_shape { dim: 3 dim: 3 } }",
            "expected 2 axes after the channels, N x C x ..., got 2x3x4x5x6",
            ("bottom", 0),
        ),
        (
            "Pooling3D",
            "pooling_param { kernel_depth: 3 }",
            "pooling_param needs a kernel_size and a kernel_depth above 0",
            (POOL, "kernel_size"),
        ),
        (
            "Pooling3D",
            "pooling_param { pool: STOCHASTIC kernel_size: 2 }",
            "STOCHASTIC pooling is for planes only",
            (POOL, "pool"),
        ),
        (
            "Pooling3D",
            "pooling_param { global_pooling: true kernel_size: 2 }",
            "global_pooling takes no kernel, pad or stride",
            (POOL,),
        ),
        (
            "Pooling3D",
            "pooling3d_param { kernel_size: 2 kernel_depth: 2 stride: 0 }",
            "stride must be above 0",
            ("pooling3d_param", "stride"),
        ),
        (
            "Pooling3D",
            "pooling_param { kernel_size: 2 kernel_depth: 2 pad: 2 }",
            "pad 0x2x2 must be below the kernel, 2x2x2",
            (POOL, "pad"),
        ),
        (
            "NdPooling",
            "pooling_param { kernel_shape { dim: 2 dim: 2 } }",
            "expected 1 or 3 kernel_size, got 2",
            (POOL, "kernel_size"),
        ),
        (
            "Pooling3D",
            "pooling_param { kernel_size: 9 }",
            "a kernel of 9x9x9 (stride 1x1x1, pad 0x0x0) does not fit a plane of 4x5x6",
            ("bottom", 0),
        ),
    ],
)
def test_mistakes(kind: str, text: str, message: str, path: tuple[str, ...]) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(f'type: "{kind}" {text}', [values()])
    assert (str(caught.value), caught.value.path) == (message, path)
