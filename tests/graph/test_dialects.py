"""Small nets as the public texts of forks write them: they plan, train a step, and give shapes."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.proto.caffe_pb2 import TEST, TRAIN
from tests.graph.nets import plan_of

SEGNET = """
name: "segnet"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 12 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 dim: 1 dim: 9 dim: 12 } } }
layer { bottom: "data" top: "conv1" name: "conv1" type: "Convolution" param { lr_mult: 1 decay_mult: 1 }
  convolution_param { weight_filler { type: "msra" } num_output: 4 pad: 1 kernel_size: 3 } }
layer { bottom: "conv1" top: "conv1" name: "conv1_bn" type: "BN" param { lr_mult: 1 decay_mult: 1 }
  param { lr_mult: 1 decay_mult: 0 }
  bn_param { MODE scale_filler { type: "constant" value: 1 } shift_filler { type: "constant" value: 0.001 } } }
layer { bottom: "conv1" top: "conv1" name: "relu1" type: "ReLU" }
layer { bottom: "conv1" top: "pool1" top: "pool1_mask" name: "pool1" type: "Pooling"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "drop" type: "Dropout" bottom: "pool1" top: "pool1"
  dropout_param { dropout_ratio: 0.5 sample_weights_test: true } }
layer { name: "upsample1" type: "Upsample" bottom: "pool1" top: "pool1_D" bottom: "pool1_mask"
  upsample_param { scale: 2 upsample_w: 12 upsample_h: 9 } }
layer { bottom: "pool1_D" top: "conv1_D" name: "conv1_D" type: "Convolution"
  convolution_param { weight_filler { type: "msra" } num_output: 3 pad: 1 kernel_size: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "conv1_D" bottom: "label" top: "loss"
  softmax_param { engine: CAFFE } loss_param { weight_by_label_freqs: true ignore_label: 2
  class_weighting: 0.2595 class_weighting: 4.5640 class_weighting: 0.1417 } }
"""  # noqa: E501 - a layer a line

PSPNET = """
name: "pspnet"
input: "data" input_dim: 2 input_dim: 3 input_dim: 13 input_dim: 13
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 dim: 1 dim: 13 dim: 13 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 stride: 2 weight_filler { type: "msra" } bias_term: false } }
layer { name: "conv1/bn" type: "BN" bottom: "conv1" top: "conv1"
  param { lr_mult: 1 decay_mult: 0 } param { lr_mult: 1 decay_mult: 0 } param { lr_mult: 0 decay_mult: 0 } param { lr_mult: 0 decay_mult: 0 }
  bn_param { slope_filler { type: "constant" value: 1 } bias_filler { type: "constant" value: 0 } MODE momentum: 0.95 } }
layer { name: "conv1/relu" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool" type: "Pooling" bottom: "conv1" top: "pool" pooling_param { pool: AVE kernel_size: 7 stride: 7 } }
layer { name: "interp" type: "Interp" bottom: "pool" top: "interp" interp_param { height: 7 width: 7 } }
layer { name: "concat" type: "Concat" bottom: "conv1" bottom: "interp" top: "concat" }
layer { name: "score" type: "Convolution" bottom: "concat" top: "score" convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "msra" } } }
layer { name: "large" type: "Interp" bottom: "score" top: "large" interp_param { zoom_factor: 2 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "large" bottom: "label" top: "loss"
  loss_param { ignore_label: 2 normalization: PRE_FIXED pre_fixed_normalizer: 100 } }
"""  # noqa: E501 - a layer a line

DECONVNET = """
name: "deconvnet"
input: "data" input_dim: 2 input_dim: 3 input_dim: 8 input_dim: 8
input: "label" input_dim: 2 input_dim: 1 input_dim: 8 input_dim: 8
layers { bottom: "data" top: "conv1" name: "conv1" type: CONVOLUTION blobs_lr: 1 blobs_lr: 2
  convolution_param { num_output: 4 pad: 1 kernel_size: 3 weight_filler { type: "xavier" } } }
layers { bottom: 'conv1' top: 'conv1' name: 'bn1' type: BN
  bn_param { scale_filler { type: 'constant' value: 1 } shift_filler { type: 'constant' value: 0.001 } MODE } }
layers { bottom: "conv1" top: "conv1" name: "relu1" type: RELU }
layers { bottom: "conv1" top: "pool1" top: "pool1_mask" name: "pool1" type: POOLING
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layers { type: UNPOOLING bottom: "pool1" bottom: "pool1_mask" top: "unpool1" name: "unpool1"
  unpooling_param { unpool: MAX kernel_size: 2 stride: 2 unpool_size: 8 } }
layers { bottom: 'unpool1' top: 'deconv1' name: 'deconv1' type: DECONVOLUTION
  convolution_param { num_output: 3 pad: 1 kernel_size: 3 weight_filler { type: "gaussian" std: 0.1 } } }
layers { name: "crop" type: CROP bottom: "deconv1" bottom: "data" top: "crop" }
layers { name: "loss" type: SOFTMAX_LOSS bottom: "crop" bottom: "label" top: "loss" }
"""  # noqa: E501 - a layer a line

C3D = """
name: "c3d"
input: "data" input_shape { dim: 2 dim: 3 dim: 4 dim: 8 dim: 10 }
input: "label" input_shape { dim: 2 }
layers { name: "conv1a" type: CONVOLUTION3D bottom: "data" top: "conv1a" blobs_lr: 1 blobs_lr: 2
  convolution_param { num_output: 4 kernel_size: 3 kernel_depth: 3 pad: 1 temporal_pad: 1
    weight_filler { type: "gaussian" std: 0.1 } bias_filler { type: "constant" value: 0 } } }
layers { name: "relu1a" type: RELU bottom: "conv1a" top: "conv1a" }
layers { name: "pool1" type: POOLING3D bottom: "conv1a" top: "pool1"
  pooling_param { pool: MAX kernel_size: 2 kernel_depth: 1 stride: 2 temporal_stride: 1 } }
layers { name: "fc" type: INNER_PRODUCT bottom: "pool1" top: "fc" inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layers { name: "loss" type: SOFTMAX_LOSS bottom: "fc" bottom: "label" top: "loss" }
"""  # noqa: E501 - a layer a line

VIDEO_CAFFE = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 8 dim: 10 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 } } }
layer { name: "conv1a" type: "NdConvolution" bottom: "data" top: "conv1a" convolution_param { num_output: 4
  kernel_shape { dim: 3 dim: 3 dim: 3 } stride_shape { dim: 1 dim: 1 dim: 1 } pad_shape { dim: 1 dim: 1 dim: 1 }
  weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "pool1" type: "NdPooling" bottom: "conv1a" top: "pool1" pooling_param { pool: MAX
  kernel_shape { dim: 1 dim: 2 dim: 2 } stride_shape { dim: 1 dim: 2 dim: 2 } } }
layer { name: "fc" type: "InnerProduct" bottom: "pool1" top: "fc" inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
"""  # noqa: E501 - a layer a line

NETS = {
    "segnet": (SEGNET.replace("MODE", ""), "conv1_D", (2, 3, 9, 12)),
    "segnet with statistics in its scales": (
        SEGNET.replace("MODE", "bn_mode: INFERENCE"), "conv1_D", (2, 3, 9, 12),
    ),
    "pspnet": (PSPNET.replace("MODE", ""), "large", (2, 3, 13, 13)),
    "pspnet, frozen": (PSPNET.replace("MODE", "frozen: true"), "large", (2, 3, 13, 13)),
    "deconvnet": (DECONVNET.replace("MODE", ""), "crop", (2, 3, 8, 8)),
    "c3d": (C3D, "pool1", (2, 4, 4, 4, 5)),
    "video-caffe": (VIDEO_CAFFE, "pool1", (2, 4, 4, 4, 5)),
}  # fmt: skip


@pytest.mark.parametrize("phase", [TRAIN, TEST], ids=["train", "test"])
@pytest.mark.parametrize("name", NETS)
def test_a_net_of_a_fork_learns(name: str, phase: int) -> None:
    text, blob, shape = NETS[name]
    net = Net(plan_of(text, phase), Device(), gradients=True)
    generator = np.random.default_rng(0)
    net.blobs["data"].data[...] = generator.standard_normal(net.blobs["data"].data.shape)
    net.blobs["label"].data[...] = generator.integers(0, 3, net.blobs["label"].data.shape)
    net.forward()
    net.backward()
    assert net.blobs[blob].data.shape == shape
    assert np.isfinite(net.loss())
    assert net.loss() > 0
    for layer, params in net.params.items():
        for param in params:
            if param.lr_mult and param.diff is not None:
                assert np.isfinite(param.diff).all(), layer
                assert param.diff.any(), layer
