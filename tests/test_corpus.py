"""Small texts of our own in the style of public ones: none has an unknown type or field."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TRAIN
from protonet.proto.text import Source, read_net

DATA = """layer { name: "in" type: "Input" top: "x" top: "t"
  input_param { shape { dim: 2 dim: 3 dim: 8 dim: 6 } shape { dim: 2 dim: 1 dim: 8 dim: 6 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 1 kernel_size: 1 } }
"""
YOLO = """layer { name: "in" type: "Input" top: "x" top: "t"
  input_param { shape { dim: 2 dim: 3 dim: 4 dim: 4 } shape { dim: 2 dim: 1 dim: 5 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 16 kernel_size: 1 } }
"""
CORPUS = {
    "RegionLoss": YOLO
    + """layer { name: "l" type: "RegionLoss" bottom: "c" bottom: "t" top: "l"
  region_loss_param { num_class: 3 num: 2 biases: 1 biases: 2 biases: 3 biases: 1
    object_scale: 5.0 noobject_scale: 1.0 coord_scale: 1.0 thresh: 0.6 } }""",
    "Yolov3": YOLO
    + """layer { name: "l" type: "Yolov3" bottom: "c" bottom: "t" top: "l"
  yolov3_param { num_class: 3 num: 2 biases: 8 biases: 9 biases: 20 biases: 24 mask: 0 mask: 1
    anchors_scale: 8 coord_scale: 1.0 thresh: 0.6 } }""",
    "YoloDetectionOutput": YOLO
    + """layer { name: "found" type: "YoloDetectionOutput" bottom: "c" top: "found"
  yolo_detection_output_param { num_classes: 3 num_box: 2 confidence_threshold: 0.2
    nms_threshold: 0.45 biases: 1 biases: 2 biases: 3 biases: 1 } }""",
    "BoxAnnotatorOHEM": """
layer { name: "in" type: "Input" top: "rois" top: "e" top: "t" top: "w"
  input_param { shape { dim: 4 dim: 5 } shape { dim: 4 dim: 1 dim: 1 dim: 1 }
    shape { dim: 4 dim: 1 dim: 1 dim: 1 } shape { dim: 4 dim: 8 } } }
layer { name: "o" type: "BoxAnnotatorOHEM" bottom: "rois" bottom: "e" bottom: "t" bottom: "w"
  top: "labels_ohem" top: "bbox_loss_weights_ohem" propagate_down: false propagate_down: false
  propagate_down: false propagate_down: false
  box_annotator_ohem_param { roi_per_img: 2 ignore_label: -1 } }""",
    "AbsLoss": DATA + 'layer { name: "l" type: "AbsLoss" bottom: "c" bottom: "t" top: "l" }',
    "SigmoidCrossEntropyBalanceLoss": DATA
    + """layer { name: "l" type: "SigmoidCrossEntropyBalanceLoss" bottom: "c" bottom: "t" top: "l"
  loss_weight: 5 }""",
    "ContinuationIndicator": """
input: "x" input_shape { dim: 4 dim: 2 dim: 3 }
layer { type: "ContinuationIndicator" top: "cont"
  continuation_indicator_param { time_step: 4 batch_size: 2 } }
layer { type: "LSTM" bottom: "x" bottom: "cont" top: "h" recurrent_param { num_output: 5 } }""",
    "SegAccuracy": DATA.replace("num_output: 1", "num_output: 4")
    + """layer { name: "a" type: "SegAccuracy" bottom: "c" bottom: "t" top: "a"
  seg_accuracy_param { ignore_label: 255 } }""",
    "BN": DATA
    + """layer { name: "c/bn" type: "BN" bottom: "c" top: "c"
  param { lr_mult: 1 decay_mult: 0 } param { lr_mult: 1 decay_mult: 0 }
  param { lr_mult: 0 decay_mult: 0 } param { lr_mult: 0 decay_mult: 0 }
  bn_param { slope_filler { type: "constant" value: 1 } bias_filler { type: "constant" value: 0 }
    frozen: false momentum: 0.95 } }
layer { name: "d_bn" type: "BN" bottom: "c" top: "d"
  bn_param { scale_filler { type: "constant" value: 1 } shift_filler { value: 0.001 } } }
layer { name: "l" type: "AbsLoss" bottom: "d" bottom: "t" top: "l" }""",
    "Upsample": DATA
    + """layer { name: "p" type: "Pooling" bottom: "c" top: "p" top: "p_mask"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "u" type: "Upsample" bottom: "p" bottom: "p_mask" top: "u"
  upsample_param { scale: 2 upsample_w: 6 upsample_h: 8 } }
layer { name: "l" type: "AbsLoss" bottom: "u" bottom: "t" top: "l" }""",
    "Unpooling": DATA
    + """layer { name: "p" type: "Pooling" bottom: "c" top: "p" top: "p_mask"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "u" type: "Unpooling" bottom: "p" bottom: "p_mask" top: "u"
  unpooling_param { unpool: MAX kernel_size: 2 stride: 2 unpool_h: 8 unpool_w: 6 } }
layer { name: "l" type: "AbsLoss" bottom: "u" bottom: "t" top: "l" }""",
    "Reorg": DATA
    + """layer { name: "w" type: "Convolution" bottom: "c" top: "w"
  convolution_param { num_output: 4 kernel_size: 1 bias_term: false } }
layer { name: "r" type: "Reorg" bottom: "w" top: "r" reorg_param { stride: 2 } }""",
    "ROIPooling": """
layer { name: "in" type: "Input" top: "x" top: "rois"
  input_param { shape { dim: 1 dim: 3 dim: 8 dim: 6 } shape { dim: 4 dim: 5 } } }
layer { name: "pool5" type: "ROIPooling" bottom: "x" bottom: "rois" top: "pool5"
  roi_pooling_param { pooled_w: 2 pooled_h: 2 spatial_scale: 0.0625 } }""",
    "PSROIPooling": """
layer { name: "in" type: "Input" top: "x" top: "rois"
  input_param { shape { dim: 1 dim: 18 dim: 8 dim: 6 } shape { dim: 4 dim: 5 } } }
layer { name: "ps" type: "PSROIPooling" bottom: "x" bottom: "rois" top: "ps"
  psroi_pooling_param { spatial_scale: 0.0625 output_dim: 2 group_size: 3 } }""",
    "Convolution3D": """
layer { name: "in" type: "Input" top: "x"
  input_param { shape { dim: 1 dim: 2 dim: 4 dim: 6 dim: 6 } } }
layer { name: "c" type: "Convolution3D" bottom: "x" top: "c"
  convolution_param { num_output: 2 kernel_size: 3 kernel_depth: 3 pad: 1 temporal_pad: 1 } }
layer { name: "p" type: "Pooling3D" bottom: "c" top: "p"
  pooling_param { pool: MAX kernel_size: 2 kernel_depth: 1 stride: 2 temporal_stride: 1 } }""",
    "SoftmaxWithLossOHEM": """
layer { name: "in" type: "Input" top: "x" top: "t"
  input_param { shape { dim: 4 dim: 6 } shape { dim: 4 } } }
layer { name: "s" type: "InnerProduct" bottom: "x" top: "s"
  inner_product_param { num_output: 3 } }
layer { name: "l" type: "SoftmaxWithLossOHEM" bottom: "s" bottom: "t" top: "l" top: "p" top: "e"
  loss_weight: 1 loss_weight: 0 loss_weight: 0
  loss_param { ignore_label: -1 normalization: PRE_FIXED pre_fixed_normalizer: 2 } }""",
    "SmoothL1LossOHEM": DATA
    + """layer { name: "l" type: "SmoothL1LossOHEM" bottom: "c" bottom: "t" top: "l" top: "e"
  loss_weight: 1 loss_weight: 0
  loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 2 } }""",
    "CenterLoss": """
layer { name: "in" type: "Input" top: "x" top: "t"
  input_param { shape { dim: 4 dim: 6 } shape { dim: 4 } } }
layer { name: "fc5" type: "InnerProduct" bottom: "x" top: "fc5"
  inner_product_param { num_output: 3 } }
layer { name: "l" type: "CenterLoss" bottom: "fc5" bottom: "t" top: "l" loss_weight: 0.008
  param { lr_mult: 1 decay_mult: 0 }
  center_loss_param { num_output: 5 center_filler { type: "xavier" } } }""",
    "CTCLoss": """
layer { name: "in" type: "Input" top: "x" top: "cont" top: "t"
  input_param { shape { dim: 6 dim: 2 dim: 5 } shape { dim: 6 dim: 2 } shape { dim: 3 dim: 2 } } }
layer { name: "s" type: "InnerProduct" bottom: "x" top: "s"
  inner_product_param { num_output: 4 axis: 2 } }
layer { name: "l" type: "CTCLoss" bottom: "s" bottom: "cont" bottom: "t" top: "l" }""",
}


@pytest.mark.parametrize("kind", CORPUS)
def test_a_public_style_is_planned_and_runs(kind: str) -> None:
    plan = plan_net(read_net(Source(f"{kind}.prototxt", CORPUS[kind])), phase=TRAIN)
    assert kind in {layer.type for layer in plan.definition.net.layer}
    net = Net(plan, Device())
    net.forward()
    if any(layer.is_loss for layer in net.layers):
        net.backward()
        assert np.isfinite(net.loss())
    net.close()
