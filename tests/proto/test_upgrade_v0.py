"""V0, the first dialect."""

from __future__ import annotations

from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.text import Source, read_net


def upgraded(text: str) -> NetParameter:
    return read_net(Source("net", text)).net


V0 = """
layers { layer { name: "d" type: "data" source: "db" batchsize: 8 meanfile: "m" scale: 2
  cropsize: 5 mirror: true rand_skip: 3 } top: "d" top: "l" }
layers { layer { name: "pad" type: "padding" pad: 2 } bottom: "d" top: "p" }
layers { layer { name: "c" type: "conv" num_output: 4 kernelsize: 3 stride: 2 group: 2
  biasterm: false weight_filler { type: "xavier" } blobs_lr: 1 weight_decay: 0 }
  bottom: "p" top: "c" }
layers { layer { name: "po" type: "pool" pool: AVE kernelsize: 2 stride: 2 } bottom: "c" top: "q" }
layers { layer { name: "n" type: "lrn" local_size: 3 alpha: 2 beta: 0.5 k: 4 }
  bottom: "q" top: "n" }
layers { layer { name: "dr" type: "dropout" dropout_ratio: 0.25 } bottom: "n" top: "n" }
layers { layer { name: "s" type: "softmax_loss" } bottom: "n" bottom: "l" }
"""


def test_settings_of_windows_beside_other_data_are_dropped() -> None:
    net = upgraded(
        'layers { layer { name: "d" type: "data" source: "db" batchsize: 8 det_context_pad: 16 '
        'det_crop_mode: "warp" det_fg_threshold: 0.5 } top: "d" top: "l" }'
    )
    assert net.layer[0].type == "Data"
    assert not net.layer[0].HasField("window_data_param")
    assert (net.layer[0].data_param.source, net.layer[0].data_param.batch_size) == ("db", 8)


def test_v0_layers() -> None:
    net = upgraded(V0)
    assert [layer.type for layer in net.layer] == [
        "Data", "Convolution", "Pooling", "LRN", "Dropout", "SoftmaxWithLoss"
    ]  # fmt: skip
    data, conv, pool, lrn, dropout, loss = net.layer
    assert (data.data_param.source, data.data_param.batch_size) == ("db", 8)
    assert data.data_param.rand_skip == 3
    assert (data.transform_param.mean_file, data.transform_param.crop_size) == ("m", 5)
    assert list(conv.bottom) == ["d"]
    param = conv.convolution_param
    assert list(param.pad) == [2]
    assert (list(param.kernel_size), list(param.stride), param.group) == ([3], [2], 2)
    assert not param.bias_term
    assert param.weight_filler.type == "xavier"
    assert (conv.param[0].lr_mult, conv.param[0].decay_mult) == (1, 0)
    assert (pool.pooling_param.pool, pool.pooling_param.kernel_size) == (1, 2)
    assert (lrn.lrn_param.local_size, lrn.lrn_param.k) == (3, 4)
    assert dropout.dropout_param.dropout_ratio == 0.25
    assert list(loss.bottom) == ["n", "l"]


def test_v0_positions_pass_over_the_padding_layer() -> None:
    definition = read_net(Source("net", V0))
    assert definition.origins[1] == ("layers", 2)
