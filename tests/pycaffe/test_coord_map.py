"""Where the places of one blob lie in another."""

from __future__ import annotations

import numpy as np
import pytest

import protonet.pycaffe as caffe
from protonet.pycaffe import layers as L
from protonet.pycaffe.coord_map import (
    AxisMismatchException,
    UndefinedMapException,
    compose,
    coord_map_from_to,
    crop,
    inverse,
)


def data() -> caffe.net_spec.Top:
    return L.Input(input_param={"shape": {"dim": [1, 3, 100, 100]}})


def fcn32(image: caffe.net_spec.Top) -> caffe.net_spec.Top:
    """The geometry of FCN-32s: five stages of 3x3 convolutions and pooling, fc6, upsampling."""
    top = image
    for stage, depth in enumerate((2, 2, 3, 3, 3)):
        for layer in range(depth):
            pad = 100 if stage == layer == 0 else 1
            top = L.ReLU(L.Convolution(top, num_output=8, kernel_size=3, pad=pad), in_place=True)
        top = L.Pooling(top, kernel_size=2, stride=2)
    top = L.Convolution(L.Dropout(L.Convolution(top, num_output=8, kernel_size=7)), num_output=2)
    return L.Deconvolution(
        top, convolution_param={"num_output": 2, "kernel_size": 64, "stride": 32}
    )


def test_the_published_offset_of_fcn_32s() -> None:
    """19 pixels (Long, Shelhamer, Darrell, CVPR 2015)."""
    image = data()
    made = crop(fcn32(image), image)
    assert made.fn.params["crop_param"] == {"axis": 2, "offset": [19]}


def test_a_crop_can_be_built() -> None:
    n = caffe.NetSpec()
    n.data = data()
    n.up = L.Deconvolution(
        L.Convolution(n.data, num_output=4, kernel_size=5, stride=2, pad=4),
        convolution_param={"num_output": 2, "kernel_size": 3, "stride": 2},
    )
    n.score = crop(n.up, n.data)
    offset = n.score.fn.params["crop_param"]["offset"]
    assert all(isinstance(each, int) for each in offset)
    assert n.to_proto().layer[-1].crop_param.offset == offset


def test_maps_pass_through_and_compose() -> None:
    image = data()
    act = L.ReLU(L.Scale(L.BatchNorm(image)))
    assert coord_map_from_to(act, image) == (None, 1, 0)
    conv = L.Convolution(image, kernel_size=3, stride=2, pad=1, num_output=1)
    axis, factor, offset = coord_map_from_to(image, conv)
    assert (axis, float(factor[0]), float(offset[0])) == (1, 0.5, 0.0)
    there, back = (1, np.array([2.0]), np.array([3.0])), None
    back = inverse(there)
    _, factor, offset = compose(there, back)
    assert (float(factor[0]), float(offset[0])) == (1, 0)


def test_a_crop_moves_places() -> None:
    image = data()
    cut = L.Crop(image, image, crop_param={"axis": 2, "offset": 7})
    _, factor, offset = coord_map_from_to(cut, image)
    assert (factor, float(offset[0])) == (1, 7)


def test_what_has_no_map() -> None:
    image, other = data(), data()
    with pytest.raises(RuntimeError, match="no path"):
        coord_map_from_to(L.InnerProduct(image, num_output=2), image)
    with pytest.raises(RuntimeError, match="no path"):
        coord_map_from_to(image, other)
    with pytest.raises(UndefinedMapException, match="InnerProduct"):
        caffe.coord_map.coord_map(L.InnerProduct(image, num_output=2).fn)
    with pytest.raises(AssertionError, match="pad_h"):
        caffe.coord_map.coord_map(L.Pooling(image, kernel_size=2, pad_h=1).fn)
    with pytest.raises(AxisMismatchException):
        compose((1, 1, 0), (2, 1, 0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel_size": 3, "stride": 2}, "scale mismatch on crop"),
        ({"kernel_size": 3, "pad": 0}, "cannot crop negative offset"),
        ({"kernel_size": 2, "pad": 2}, "cannot crop noninteger offset"),
    ],
)
def test_crops_that_cannot_be(settings: dict[str, int], message: str) -> None:
    image = data()
    with pytest.raises(AssertionError, match=message):
        crop(L.Convolution(image, num_output=1, **settings), image)


def field(kernel: object, stride: object, pad: object) -> tuple[caffe.net_spec.Top, ...]:
    """Data, and what a convolution, a pooling by 2 and an upsampling by 4 make of it."""
    image = data()
    conv = L.Convolution(image, num_output=3, kernel_size=kernel, stride=stride, pad=pad)
    pool = L.Pooling(conv, pool=0, kernel_size=2, stride=2)
    up = {"num_output": 2, "kernel_size": 4, "stride": 4}
    return image, conv, L.Deconvolution(pool, convolution_param=up)


def test_extents_by_axis_map_as_each_of_them() -> None:
    """Two axes with settings of their own are two maps side by side."""
    maps = {}
    alone = {"3": (3, 2, 0), "5": (5, 1, 10)}
    for name, settings in {**alone, "both": ([3, 5], [2, 1], [0, 10])}.items():
        image, _, up = field(*settings)
        maps[name] = coord_map_from_to(up, image)
    axis, factor, offset = maps["both"]
    assert axis == maps["3"][0] == maps["5"][0] == 1
    for place, name in enumerate(alone):
        assert factor[place] == maps[name][1]
        assert offset[place] == maps[name][2]


def test_the_map_of_three_axes() -> None:
    image = L.Input(input_param={"shape": {"dim": [2, 3, 9, 10, 11]}})
    conv = L.Convolution(image, num_output=2, kernel_size=[3, 3, 3], pad=[0, 1, 2])
    axis, factor, offset = coord_map_from_to(conv, image)
    assert axis == 1
    assert (factor == 1).all()
    np.testing.assert_array_equal(offset, [1, 0, -1])


@pytest.mark.parametrize(("pad", "stride", "kernel"), [(0, 1, 3), (4, 2, 5), (1, 3, 1)])
def test_padding_moves_and_stride_scales(pad: int, stride: int, kernel: int) -> None:
    """Place i of a convolution's top lies on stride * i - pad + (kernel - 1) / 2 of its bottom;
    the map says what to multiply and add on the way there.
    """
    image, conv, _ = field(kernel, stride, pad)
    axis, factor, offset = coord_map_from_to(conv, image)
    assert axis == 1
    assert float(factor[0]) == pytest.approx(stride)
    assert float(offset[0]) == pytest.approx((kernel - 1) / 2 - pad)


def test_crops_of_crops_add_up() -> None:
    image, _, up = field(3, 2, 0)
    _, factor, offset = coord_map_from_to(up, image)
    cut = L.Crop(up, image, crop_param={"axis": 2, "offset": 6})
    again = L.Crop(cut, image, crop_param={"axis": 2, "offset": 3})
    _, factor_of_cut, offset_of_cut = coord_map_from_to(again, image)
    assert factor_of_cut == factor
    assert offset_of_cut == offset + 9


def test_layers_with_several_bottoms_map_each() -> None:
    image, other = data(), data()
    both = L.Eltwise(L.Convolution(image, num_output=1, kernel_size=5), other)
    assert float(coord_map_from_to(both, other)[2]) == 0
    assert float(coord_map_from_to(both, image)[2][0]) == 2
