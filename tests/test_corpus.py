"""Small texts of our own in the style of public ones: none has an unknown type or field."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.layers.base import LayerContext
from protonet.proto.caffe_pb2 import TRAIN
from protonet.proto.text import Source, read_net, read_solver
from protonet.solvers.schedules import make_schedule
from protonet.solvers.update_rule import rule_findings

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
READER = """layer { name: "in" type: "Input" top: "x" top: "t"
  input_param { shape { dim: 6 dim: 2 dim: 4 } shape { dim: 2 dim: 3 } } }
layer { name: "s" type: "InnerProduct" bottom: "x" top: "s"
  inner_product_param { num_output: 5 axis: 2 weight_filler { type: "xavier" } } }
"""
LISTED = {
    "DenseImageData": """
layer { name: "data" type: "DenseImageData" top: "data" top: "label" include { phase: TRAIN }
  dense_image_data_param { source: "pairs.txt" batch_size: 2 new_height: 8 new_width: 6
    shuffle: true label_divide_factor: 2 } }""",
    "ImageLabelmapData": """
layer { name: "data" type: "ImageLabelmapData" top: "data" top: "label" include { phase: TRAIN }
  transform_param { mirror: false mean_value: 104.0 mean_value: 116.7 mean_value: 122.7 }
  image_data_param { root_folder: "" source: "pairs.txt" batch_size: 1 shuffle: true
    new_height: 0 new_width: 0 } }""",
    "ImageSegData": """
layer { name: "data" type: "ImageSegData" top: "data" top: "label" top: "data_dim"
  include { phase: TRAIN }
  transform_param { mean_value: 104.0 mean_value: 116.7 mean_value: 122.7 crop_size: 9
    mirror: true scale_factors: 0.5 scale_factors: 1 scale_factors: 1.5 }
  image_data_param { root_folder: "" source: "pairs.txt" batch_size: 2 shuffle: true
    label_type: PIXEL ignore_label: 255 } }
layer { name: "quiet" type: "Silence" bottom: "data_dim" include { phase: TRAIN } }""",
    "ImageData": """
layer { name: "data" type: "ImageData" top: "data" top: "label" include { phase: TRAIN }
  transform_param { mirror: true scale: 0.017 mean_value: 103.9 mean_value: 116.8 mean_value: 123.7
    resize_param { prob: 1 resize_mode: WARP height: 9 width: 9 interp_mode: LINEAR
      interp_mode: AREA interp_mode: NEAREST }
    noise_param { prob: 0.5 inverse: true }
    distort_param { brightness_prob: 0.5 brightness_delta: 32 contrast_prob: 0.5
      contrast_lower: 0.5 contrast_upper: 1.5 hue_prob: 0.5 hue_delta: 18 saturation_prob: 0.5
      saturation_lower: 0.5 saturation_upper: 1.5 random_order_prob: 0 } }
  image_data_param { source: "classes.txt" batch_size: 2 shuffle: true } }""",
}
SOLVERS = {
    "stages": """net: "t.prototxt" lr_policy: "multifixed" stagelr: 0.02 stagelr: 0.002
  stageiter: 10 stageiter: 20 max_iter: 20 momentum: 0.9 solver_mode: CPU""",
    "warmup": """net: "t.prototxt" base_lr: 0.1 lr_policy: "multistep" gamma: 0.1 stepvalue: 10
  warmup_iter: 5 warmup_start_lr: 0.02 max_iter: 20 momentum: 0.9 weight_decay: 0.0005""",
    "larc": """net: "t.prototxt" base_lr: 2 lr_policy: "poly" power: 2 max_iter: 20
  rampup_interval: 4 rampup_lr: 0.1 min_lr: 0.01 larc: true larc_policy: "clip" larc_eta: 0.002
  larc_turbo: true momentum: 0.9 weight_decay: 0.0005 eval_type: "detection" ap_version: "11point"
  solver_data_type: FLOAT store_blobs_in_old_format: true test_and_snapshot_last_epochs: 2""",
}
RATES = {
    "stages": [0.02, 0.02, 0.002],
    "warmup": [0.02, 0.1, 0.01],
    "larc": [0.1, 1.129375, 0.412975],
}
"""The learning rates of iterations 0, 5 and 11."""
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
    "CtcLoss": READER
    + """layer { name: "l" type: "CtcLoss" bottom: "s" bottom: "t" top: "l" loss_weight: 1
  ctc_loss_param { blank_label: 4 alphabet_size: 5 time_step: 6 } }""",
    "Convolution": """
input: "x" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layers { name: "fc6" type: CONVOLUTION bottom: "x" top: "fc6" strict_dim: false
  blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0
  convolution_param { num_output: 4 pad: 2 hole: 2 kernel_size: 3 } }""",
    "Interp": """
input: "x" input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 5
input: "t" input_dim: 1 input_dim: 1 input_dim: 25 input_dim: 33
layers { name: "up" type: INTERP bottom: "x" top: "up" interp_param { zoom_factor: 8 } }
layers { name: "acc" type: SEG_ACCURACY bottom: "up" bottom: "t" top: "acc"
  seg_accuracy_param { ignore_label: 255 } }""",
    "LabelsequenceAccuracy": READER
    + """layer { name: "p" type: "Permute" bottom: "s" top: "p"
  permute_param { order: 1 order: 0 order: 2 } }
layer { name: "a" type: "LabelsequenceAccuracy" bottom: "p" bottom: "t" top: "a"
  labelsequence_accuracy_param { blank_label: 4 } }""",
    "Reverse": """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 6 dim: 2 dim: 5 } } }
layer { type: "ContinuationIndicator" top: "cont"
  continuation_indicator_param { time_step: 6 batch_size: 2 } }
layer { name: "turned" type: "Reverse" bottom: "x" top: "turned" reverse_param { axis: 0 } }
layer { name: "back" type: "LSTM" bottom: "turned" bottom: "cont" top: "back"
  recurrent_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "again" type: "Reverse" bottom: "back" top: "again" reverse_param { axis: 0 } }
layer { name: "on" type: "LSTM" bottom: "x" bottom: "cont" top: "on"
  recurrent_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "both" type: "Concat" bottom: "on" bottom: "again" top: "both"
  concat_param { axis: 2 } }""",
    "Lstm": """
layer { name: "in" type: "Input" top: "x" top: "clip"
  input_param { shape { dim: 8 dim: 5 } shape { dim: 8 } } }
layer { name: "lstm" type: "Lstm" bottom: "x" bottom: "clip" top: "h"
  lstm_param { num_output: 3 batch_size: 2 clipping_threshold: 0.1
    weight_filler { type: "gaussian" std: 0.1 } bias_filler { type: "constant" } } }""",
    "Flip": """
input: "data" input_dim: 2 input_dim: 3 input_dim: 6 input_dim: 4
layer { name: "flip_data" type: "Flip" bottom: "data" top: "flip_data"
  flip_param { flip_width: true flip_height: false } }
layer { name: "concat_data" type: "Concat" bottom: "data" bottom: "flip_data" top: "concat_data"
  concat_param { axis: 0 } }""",
    "Proposal": """
layer { name: "in" type: "Input" top: "p" top: "d" top: "im_info" top: "f"
  input_param { shape { dim: 1 dim: 18 dim: 3 dim: 4 } shape { dim: 1 dim: 36 dim: 3 dim: 4 }
    shape { dim: 1 dim: 3 } shape { dim: 1 dim: 2 dim: 3 dim: 4 } } }
layer { name: "proposal" type: "Proposal" bottom: "p" bottom: "d" bottom: "im_info" top: "rois"
  top: "scores" proposal_param { feat_stride: 16 base_size: 16 min_size: 16 ratio: 0.5 ratio: 1.0
    ratio: 2.0 scale: 8 scale: 16 scale: 32 pre_nms_topn: 60 post_nms_topn: 10 nms_thresh: 0.7 } }
layer { name: "roi" type: "ROIPooling" bottom: "f" bottom: "rois" top: "roi"
  roi_pooling_param { pooled_w: 2 pooled_h: 2 spatial_scale: 0.0625 pad_ratio: 0.25 } }""",
    "ROIAlign": """
layer { name: "in" type: "Input" top: "x" top: "rois"
  input_param { shape { dim: 1 dim: 3 dim: 8 dim: 6 } shape { dim: 4 dim: 5 } } }
layer { name: "a" type: "ROIAlign" bottom: "x" bottom: "rois" top: "a"
  roi_align_param { pooled_w: 3 pooled_h: 3 spatial_scale: 0.0625 sampling_ratio: 2 } }
layer { name: "b" type: "ROIAlign" bottom: "x" bottom: "rois" top: "b"
  roi_pooling_param { pooled_w: 2 pooled_h: 2 spatial_scale: 0.0625 } }""",
    "Pooling3D": """
layer { name: "in" type: "Input" top: "x"
  input_param { shape { dim: 1 dim: 2 dim: 4 dim: 6 dim: 6 } } }
layer { name: "p" type: "Pooling3D" bottom: "x" top: "p"
  pooling3d_param { pool: MAX pad: 0 kernel_size: 3 stride: 2 pad_l: 0 kernel_l: 2 stride_l: 2 } }
""",
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


@pytest.mark.parametrize("kind", LISTED)
def test_lists_of_images_are_read(kind: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for place in range(2):
        Image.fromarray(random.integers(0, 256, (8, 6, 3), np.uint8)).save(
            tmp_path / f"{place}.png"
        )
        Image.fromarray(random.integers(0, 4, (8, 6), np.uint8)).save(tmp_path / f"{place}_l.png")
    (tmp_path / "pairs.txt").write_text("0.png 0_l.png\n1.png 1_l.png\n")
    (tmp_path / "classes.txt").write_text("0.png 3\n1.png 1\n")
    source = Source(f"{kind}.prototxt", LISTED[kind])
    net = Net(plan_net(read_net(source), phase=TRAIN, context=LayerContext(tmp_path)), Device())
    net.forward()
    assert net.layers[0].type == kind
    assert all(np.isfinite(blob.data).all() for blob in net.blobs.values())
    net.close()


@pytest.mark.parametrize("kind", SOLVERS)
def test_a_public_solver_decides_rates_and_updates(kind: str) -> None:
    solver = read_solver(Source(f"{kind}.prototxt", SOLVERS[kind]))
    assert not [*rule_findings(solver)]
    schedule = make_schedule(solver)
    found = [schedule.rate(iteration) for iteration in (0, 5, 11)]
    np.testing.assert_allclose(found, RATES[kind], rtol=1e-6)
