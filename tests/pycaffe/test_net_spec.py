"""Networks written as Python expressions."""

from __future__ import annotations

import pytest
from google.protobuf import text_format

import protonet.pycaffe as caffe
from protonet.proto import caffe_pb2
from protonet.proto.caffe_pb2 import NetParameter
from protonet.pycaffe import layers as L
from protonet.pycaffe import params as P


def test_a_net_is_the_text_that_one_would_write() -> None:
    n = caffe.NetSpec()
    n.data, n.label = L.Data(
        source="db",
        backend=P.Data.LMDB,
        batch_size=8,
        transform_param={"mean_value": [104, 117], "scale": 0.5},
        include={"phase": caffe.TRAIN},
        ntop=2,
    )
    n.conv1 = L.Convolution(
        n.data,
        kernel_size=5,
        num_output=20,
        weight_filler={"type": "xavier"},
        param=[{"lr_mult": 1}, {"lr_mult": 2}],
    )
    n.relu1 = L.ReLU(n.conv1, in_place=True)
    n.pool1 = L.Pooling(n.relu1, pool=P.Pooling.AVE, kernel_size=2, stride=2)
    n.up = L.Deconvolution(n.pool1, convolution_param={"num_output": 3, "kernel_size": [4, 2]})
    n.loss = L.SoftmaxWithLoss(n.up, n.label, loss_weight=2)
    expected = """
    layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
      transform_param { scale: 0.5 mean_value: 104 mean_value: 117 }
      data_param { source: "db" batch_size: 8 backend: LMDB } }
    layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
      param { lr_mult: 1 } param { lr_mult: 2 }
      convolution_param { num_output: 20 kernel_size: 5 weight_filler { type: "xavier" } } }
    layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
    layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
      pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
    layer { name: "up" type: "Deconvolution" bottom: "pool1" top: "up"
      convolution_param { num_output: 3 kernel_size: 4 kernel_size: 2 } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "up" bottom: "label" top: "loss"
      loss_weight: 2 }
    """
    assert n.to_proto() == text_format.Parse(expected, NetParameter())


def test_what_has_no_name_gets_one() -> None:
    data, label = L.DummyData(shape={"dim": [2, 3]}, ntop=2)
    hidden = L.InnerProduct(L.InnerProduct(data, num_output=4), num_output=5)
    net = caffe.to_proto(L.EuclideanLoss(hidden, label))
    names = [(layer.name, list(layer.top)) for layer in net.layer]
    assert names == [
        ("DummyData1", ["DummyData1", "DummyData2"]),
        ("InnerProduct1", ["InnerProduct1"]),
        ("InnerProduct2", ["InnerProduct2"]),
        ("EuclideanLoss1", ["EuclideanLoss1"]),
    ]
    assert hidden.to_proto().layer[-1].name == "InnerProduct2"


def test_layers_without_tops() -> None:
    n = caffe.NetSpec()
    n.data = L.Input(input_param={"shape": {"dim": [1, 2]}})
    n.hush = L.Silence(n.data, ntop=0)
    net = n.to_proto()
    assert [(layer.name, list(layer.top)) for layer in net.layer] == [
        ("data", ["data"]),
        ("hush", []),
    ]


def test_blobs_by_item_and_attribute() -> None:
    n = caffe.NetSpec()
    n["data"] = L.Input(input_param={"shape": {"dim": [1, 2]}})
    n.update({"act": L.ReLU(n.data)})
    assert n["act"] is n.act
    assert n.keys() == ["data", "act"]
    assert n.vals() == [n.data, n.act]
    del n["act"]
    del n.data
    assert n.keys() == []
    with pytest.raises(AttributeError, match="no blob 'data'"):
        _ = n.data


def test_what_cannot_be() -> None:
    n = caffe.NetSpec()
    n.data = L.Input(input_param={"shape": {"dim": [1, 2]}})
    with pytest.raises(TypeError, match="ReLU input 0 is not a Top"):
        L.ReLU("data")
    for layer, message in (
        (L.Convolution(n.data, kernel=3), "ConvolutionParameter has no field 'kernel'"),
        (L.AbsVal(n.data, kernel=3), "AbsVal has no settings of its own"),
    ):
        with pytest.raises(AttributeError, match=message):
            caffe.to_proto(layer)
    with pytest.raises(AttributeError, match="no settings are those of a 'Nothing'"):
        _ = P.Nothing.MAX
    with pytest.raises(AttributeError):
        _ = P.Pooling.MEDIAN


def test_settings_are_added_to_a_layer_that_is_there() -> None:
    """As scripts that write the nets of SSD do; they take enumerations of all kinds of messages."""
    n = caffe.NetSpec()
    n.data = L.Input(input_param={"shape": {"dim": [1, 2, 9, 9]}})
    n.conv = L.Convolution(n.data, num_output=3, kernel_size=3)
    n.silence = L.Silence(n.data, ntop=0)
    n.update("conv", {"dilation": 2})
    n.update("silence", {"phase": caffe.TEST})
    n.update({"again": n.conv})
    conv, silence = n.to_proto().layer[1:3]
    assert (conv.convolution_param.dilation, silence.phase) == ([2], caffe.TEST)
    assert n.again is n.conv
    resize = caffe_pb2.ResizeParameter
    assert (P.Resize.WARP, P.Resize.LANCZOS4) == (resize.WARP, resize.LANCZOS4)
    assert (P.Solver.CPU, P.Loss.VALID) == (0, caffe_pb2.LossParameter.VALID)
