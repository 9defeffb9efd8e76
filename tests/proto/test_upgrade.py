"""Old dialects become today's."""

from __future__ import annotations

import pytest

from protonet.errors import NetworkError
from protonet.proto.caffe_pb2 import NetParameter, SolverParameter
from protonet.proto.text import Source, read_net, write_text
from protonet.proto.upgrade import upgrade_message, upgrade_solver

V1 = """
name: "v1"
input: "x" input_dim: 2 input_dim: 3 input_dim: 5 input_dim: 7
layers { name: "d" type: DATA top: "d" include { phase: TRAIN }
  data_param { source: "db" batch_size: 4 scale: 0.5 mean_file: "m" crop_size: 3 mirror: true } }
layers { name: "ip" type: INNER_PRODUCT bottom: "x" top: "y" loss_weight: 2
  param: "w" param: "b" blob_share_mode: PERMISSIVE blobs_lr: 1 blobs_lr: 2 weight_decay: 1
  weight_decay: 0 inner_product_param { num_output: 3 } blobs { data: 1 } }
"""


def upgraded(text: str) -> NetParameter:
    return read_net(Source("net", text)).net


def test_v1_layers() -> None:
    net = upgraded(V1)
    assert not net.layers
    assert not net.input
    assert [(layer.name, layer.type) for layer in net.layer] == [
        ("input", "Input"),
        ("d", "Data"),
        ("ip", "InnerProduct"),
    ]
    assert list(net.layer[0].input_param.shape[0].dim) == [2, 3, 5, 7]
    data, ip = net.layer[1], net.layer[2]
    assert write_text(data.transform_param) == (
        'scale: 0.5\nmirror: true\ncrop_size: 3\nmean_file: "m"\n'
    )
    assert not data.data_param.HasField("scale")
    assert data.data_param.batch_size == 4
    assert data.include[0].phase == 0
    first, second = ip.param
    assert (first.name, first.lr_mult, first.decay_mult) == ("w", 1, 1)
    assert first.share_mode == first.PERMISSIVE
    assert (second.name, second.lr_mult, second.decay_mult) == ("b", 2, 0)
    assert ip.inner_product_param.num_output == 3
    assert list(ip.loss_weight) == [2]
    assert list(ip.blobs[0].data) == [1]


def test_types_of_forks_in_v1() -> None:
    """HED's CROP, DeconvNet's BN and UNPOOLING, C3D's."""
    kinds = ["BN", "CONVOLUTION3D", "CROP", "DECONVOLUTION3D", "POOLING3D", "UNPOOLING", "UPSAMPLE"]
    kinds.append("VIDEO_DATA")
    layers = [f'layers {{ name: "{kind}" type: {kind} bottom: "x" top: "y" }}' for kind in kinds]
    net = read_net(Source("net", "\n".join(layers))).net
    assert [layer.type for layer in net.layer] == [
        "BN", "Convolution3D", "Crop", "Deconvolution3D", "Pooling3D", "Unpooling", "Upsample",
        "VideoData",
    ]  # fmt: skip


def test_positions_follow_the_layers() -> None:
    definition = read_net(Source("net", V1))
    assert definition.origins == (("input", 0), ("layers", 0), ("layers", 1))
    assert definition.source.position((*definition.origins[2], "name")) == (6, 16)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('layers { layer { name: "a" type: "cnv" } }', "net:1:1: unknown layer type 'cnv'"),
        (
            '\nlayers { layer { name: "a" type: "relu" kernelsize: 3 } }',
            r"net:2:1: layer \"a\" \(relu\): has no field 'kernelsize'",
        ),
        ('input: "x"', r"net:1:8: 1 input\(s\) need 4 input_dim, got 0"),
        ('input: "x" input_dim: 3', r"net:1:23: 1 input\(s\) need 4 input_dim, got 1"),
        (
            'input: "x" input: "y" input_shape { dim: 1 }',
            r"net:1:23: 2 input\(s\), but 1 input_shape",
        ),
    ],
)
def test_old_texts_that_nothing_today_can_mean(text: str, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        upgraded(text)


def test_input_shapes() -> None:
    net = upgraded('input: "x" input: "y" input_shape { dim: 2 } input_shape { dim: 3 dim: 4 }')
    (layer,) = net.layer
    assert list(layer.top) == ["x", "y"]
    assert [list(shape.dim) for shape in layer.input_param.shape] == [[2], [3, 4]]


def test_an_input_without_dims_is_passed_over_where_a_layer_makes_it() -> None:
    layer = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 5 } } }'
    net = upgraded(f'input: "x" {layer}')
    assert [(each.name, list(each.input_param.shape[0].dim)) for each in net.layer] == [
        ("in", [2, 5])
    ]
    assert list(net.input) == []


def test_batch_norm_statistics_are_not_for_the_solver() -> None:
    net = upgraded('layer { name: "b" type: "BatchNorm" param { lr_mult: 1 } param { } }')
    assert [(p.lr_mult, p.decay_mult) for p in net.layer[0].param] == [(0, 0), (0, 0)]


def test_a_scale_and_bias_of_batch_norm_are_for_the_solver() -> None:
    params = "param { } param { } param { } param { lr_mult: 2 } param { decay_mult: 0 }"
    net = upgraded(f'layer {{ name: "b" type: "BatchNorm" {params} }}')
    assert [p.lr_mult for p in net.layer[0].param] == [0, 0, 0, 2, 1]


def test_todays_messages_come_back_as_they_are() -> None:
    net = NetParameter(name="x")
    net.layer.add(name="a", type="Power")
    assert upgrade_message(net) is net


def test_solver_types() -> None:
    assert upgrade_solver(SolverParameter(solver_type="RMSPROP")).type == "RMSProp"
    plain = SolverParameter(type="Adam")
    assert upgrade_solver(plain) is plain
    with pytest.raises(NetworkError, match="disagree"):
        upgrade_solver(SolverParameter(type="Adam", solver_type="SGD"))


def test_deconvnets_accuracy_of_pixels_is_an_accuracy() -> None:
    text = """layers { name: "a" type: ELTWISE_ACCURACY bottom: "x" bottom: "t" top: "a"
        eltwise_accuracy_param { ignore_label: 255 top_k: 2 } }"""
    (layer,) = read_net(Source("net", text)).net.layer
    assert layer.type == "Accuracy"
    assert layer.accuracy_param.ignore_label == 255
    assert layer.accuracy_param.top_k == 2
