"""How large a blob may be: said with the layer, its line and the shape, before it is made."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from protonet.device import Device
from protonet.errors import LayerError, NetworkError
from protonet.graph.estimate import estimate
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.layers.base import Weight
from protonet.layers.limits import MOST_NUMBERS, check_limits, check_numbers
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.text import Source, read_net


def text_of(dims: str, layer: str = "") -> str:
    return (
        f'layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}\n'
        + layer
    )


CONVOLUTION = (
    'layer {{ name: "c" type: "Convolution" bottom: "x" top: "y"\n'
    "  convolution_param {{ num_output: 1 kernel_size: 3 {} }} }}\n"
)
PRODUCT = (
    'layer {{ name: "p" type: "InnerProduct" bottom: "x" top: "y"\n'
    "  inner_product_param {{ num_output: {} }} }}\n"
)
IMAGE = "dim: 1 dim: 1 dim: 8 dim: 8"


def test_the_limits_themselves() -> None:
    check_limits([(1,) * 32, (MOST_NUMBERS,), (2**16, 2**15 - 1), ()], [Weight((2**30,))])
    for shape in ((1,) * 33, (2**31,), (2**16, 2**15), (2**31, 0)):
        with pytest.raises(LayerError) as caught:
            check_limits([(1,), shape], [])
        assert caught.value.path == ("top", 1)
        with pytest.raises(LayerError, match="parameter 0"):
            check_limits([], [Weight(shape)])


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (text_of("dim: 2147483648 dim: 2147483648"), 1, "2147483648x2147483648 would have 4,6"),
        (text_of("dim: 4000000000 dim: 4000000000"), 1, "at most 2^31 - 1"),
        (text_of("dim: 1 " * 70), 1, "70 axes; a blob has at most 32"),
        (text_of("dim: 16 dim: 10", PRODUCT.format(2**31 - 1)), 2, "16x2147483647"),
        (text_of("dim: 1 dim: 10", PRODUCT.format(2**31 - 1)), 2, "parameter 0 of shape 214"),
        (text_of(IMAGE, CONVOLUTION.format("pad: 4294967295")), 3, "got 4,294,967,295"),
        (text_of(IMAGE, CONVOLUTION.format("pad: 2147483647")), 2, "1x1x4294967300x4294967300"),
        (
            text_of(IMAGE, CONVOLUTION.format("pad: 4294967295 stride: 4294967295")),
            3,
            "expected a stride of at most",
        ),
    ],
)
def test_what_cannot_be_is_told_at_its_line(text: str, line: int, told: str) -> None:
    with pytest.raises(NetworkError) as caught:
        plan_net(read_net(Source("net.prototxt", text)), phase=TEST)
    (mistake,) = caught.value.mistakes
    assert told in mistake.message
    assert mistake.line == line
    assert mistake.message.startswith('layer "')


def test_an_input_cannot_be_reshaped_beyond_the_limits() -> None:
    text = text_of("dim: 2 dim: 3", PRODUCT.format(2))
    net = Net(plan_net(read_net(Source("net.prototxt", text)), phase=TEST), Device())
    with pytest.raises(LayerError, match=r'layer "in" \(Input\): top 0 of shape 2147483648x3'):
        net.reshape({"x": (2**31, 3)})
    assert net.blobs["x"].shape == (2, 3)


@pytest.mark.parametrize(
    "fields",
    [
        "stride: 400000000",
        "pad: 2147483645 stride: 2147483647",
        "pad: 100000 dilation: 100000",
        "kernel_size: 40000 pad: 20000",
        "pad: 30000 stride: 2",
    ],
)
def test_an_estimate_takes_neither_time_nor_memory(fields: str) -> None:
    layer = CONVOLUTION.format(fields)
    if "kernel_size" in fields:
        layer = layer.replace("kernel_size: 3 ", "")
    plan = plan_net(read_net(Source("net.prototxt", text_of(IMAGE, layer))), phase=TEST)
    start = time.process_time()
    estimate(plan, gradients=True)
    assert time.process_time() - start < 1


def test_a_field_is_a_number_of_32_bits_and_not_negative() -> None:
    check_numbers([0, MOST_NUMBERS], ("convolution_param", "pad"))
    with pytest.raises(LayerError, match="expected a pad of 0 or more, got -1") as caught:
        check_numbers([1, -1], ("convolution_param", "pad"))
    assert caught.value.path == ("convolution_param", "pad")


@pytest.mark.parametrize("number", ["-1", "9223372036854775807"])
@pytest.mark.parametrize("field", ["kernel_shape", "stride_shape", "pad_shape"])
def test_shapes_of_the_forks_for_video_are_held_to_it(field: str, number: str) -> None:
    shapes = {"kernel_shape": "dim: 1 dim: 1", "stride_shape": "dim: 1 dim: 1"}
    shapes[field] = f"dim: 1 dim: {number}"
    given = " ".join(f"{name} {{ {dims} }}" for name, dims in shapes.items())
    layer = (
        'layer { name: "c" type: "NdConvolution" bottom: "x" top: "y"\n'
        f"  convolution_param {{ num_output: 1 {given} }} }}"
    )
    with pytest.raises(NetworkError, match=rf"expected a {field} of") as caught:
        plan_net(read_net(Source("net.prototxt", text_of(IMAGE, layer))), phase=TEST)
    assert caught.value.mistakes[0].line == 3


@pytest.mark.parametrize("layer", ["DetectionOutput", "DetectionEvaluate", "MultiBoxLoss"])
def test_classes_that_are_gone_through_one_by_one(layer: str) -> None:
    field = {
        "DetectionOutput": "detection_output_param",
        "DetectionEvaluate": "detection_evaluate_param",
        "MultiBoxLoss": "multibox_loss_param",
    }[layer]
    count = {"DetectionEvaluate": 2, "DetectionOutput": 3, "MultiBoxLoss": 4}[layer]
    bottoms = 'bottom: "x" ' * count
    text = (
        f'layer {{ name: "d" type: "{layer}" {bottoms} top: "y"\n'
        f"  {field} {{ num_classes: 4294967295 }} }}"
    )
    with pytest.raises(NetworkError, match="num_classes of at most 1,000,000, got 4,294,967,295"):
        plan_net(read_net(Source("net.prototxt", text_of("dim: 1", text))), phase=TEST)


def test_the_columns_of_a_kernel_that_no_compiled_one_takes_are_counted() -> None:
    layer = CONVOLUTION.replace("kernel_size: 3 ", "").format("kernel_size: 10000 pad: 5000")
    plan = plan_net(read_net(Source("net.prototxt", text_of(IMAGE, layer))), phase=TEST)
    assert estimate(plan, gradients=False).scratch >= 4 * 10_000**2 * 9**2


def test_arrays_of_layers_that_work_on_the_host_are_counted_and_not_made() -> None:
    text = (
        'layer { name: "in" type: "Input" top: "x" top: "regions"\n'
        "  input_param { shape { dim: 2 dim: 8 dim: 500 dim: 50000 } shape { dim: 3 dim: 5 } } }\n"
        'layer { name: "r" type: "PSROIPooling" bottom: "x" bottom: "regions" top: "y"\n'
        "  psroi_pooling_param { spatial_scale: 0.0625 output_dim: 2 group_size: 2 } }"
    )
    plan = plan_net(read_net(Source("net.prototxt", text)), phase=TEST)
    tracemalloc.start()
    assert estimate(plan, gradients=False).scratch >= 4 * 2 * 8 * 500 * 50000
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
