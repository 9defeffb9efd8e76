"""Whole detectors in the form of public texts: every type and field is known, and they learn."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.proto.caffe_pb2 import TEST, TRAIN
from tests.graph.nets import plan_of


def convolution(name: str, bottom: str, top: str, outputs: int, size: int = 3) -> str:
    return f"""
    layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{top}"
      param {{ lr_mult: 1 }} param {{ lr_mult: 2 }}
      convolution_param {{ num_output: {outputs} kernel_size: {size} pad: {size // 2}
        weight_filler {{ type: "gaussian" std: 0.05 }}
        bias_filler {{ type: "constant" value: 0 }} }} }}
    """


def body(inputs: str) -> str:
    """A map of a cell for each 16 pixels, and the net that proposes regions."""
    return f"""
    name: "detector"
    {inputs}
    layer {{ name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
      convolution_param {{ num_output: 6 kernel_size: 16 stride: 16
        weight_filler {{ type: "xavier" }} }} }}
    layer {{ name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }}
    {convolution("rpn_conv/3x3", "conv1", "rpn/output", 8)}
    layer {{ name: "rpn_relu/3x3" type: "ReLU" bottom: "rpn/output" top: "rpn/output" }}
    {convolution("rpn_cls_score", "rpn/output", "rpn_cls_score", 18, 1)}
    {convolution("rpn_bbox_pred", "rpn/output", "rpn_bbox_pred", 36, 1)}
    layer {{ bottom: "rpn_cls_score" top: "rpn_cls_score_reshape" name: "rpn_cls_score_reshape"
      type: "Reshape" reshape_param {{ shape {{ dim: 0 dim: 2 dim: -1 dim: 0 }} }} }}
    layer {{ name: "rpn_cls_prob" type: "Softmax" bottom: "rpn_cls_score_reshape"
      top: "rpn_cls_prob" }}
    layer {{ name: "rpn_cls_prob_reshape" type: "Reshape" bottom: "rpn_cls_prob"
      top: "rpn_cls_prob_reshape" reshape_param {{ shape {{ dim: 0 dim: 18 dim: -1 dim: 0 }} }} }}
    """


TRAIN_INPUTS = """
layer { name: "input-data" type: "Input" top: "data" top: "im_info" top: "gt_boxes"
  input_param { shape { dim: 1 dim: 3 dim: 96 dim: 128 } shape { dim: 1 dim: 3 }
    shape { dim: 2 dim: 5 } } }
"""

TEST_INPUTS = """
input: "data" input_shape { dim: 1 dim: 3 dim: 96 dim: 128 }
input: "im_info" input_shape { dim: 1 dim: 3 }
"""

RPN_LOSSES = r"""
layer { name: 'rpn-data' type: 'Python' bottom: 'rpn_cls_score' bottom: 'gt_boxes' bottom: 'im_info'
  bottom: 'data' top: 'rpn_labels' top: 'rpn_bbox_targets' top: 'rpn_bbox_inside_weights'
  top: 'rpn_bbox_outside_weights' python_param { module: 'rpn.anchor_target_layer'
    layer: 'AnchorTargetLayer' param_str: "'feat_stride': 16 \n'scales': !scales" } }
layer { name: "rpn_loss_cls" type: "SoftmaxWithLoss" bottom: "rpn_cls_score_reshape"
  bottom: "rpn_labels" propagate_down: 1 propagate_down: 0 top: "rpn_cls_loss" loss_weight: 1
  loss_param { ignore_label: -1 normalize: true } }
layer { name: "rpn_loss_bbox" type: "SmoothL1Loss" bottom: "rpn_bbox_pred"
  bottom: "rpn_bbox_targets" bottom: "rpn_bbox_inside_weights" bottom: "rpn_bbox_outside_weights"
  top: "rpn_loss_bbox" loss_weight: 1 smooth_l1_loss_param { sigma: 3.0 } }
""".replace("!scales", "[2, 4, 8]")

PROPOSAL = r"""
layer { name: 'proposal' type: 'Python' bottom: 'rpn_cls_prob_reshape' bottom: 'rpn_bbox_pred'
  bottom: 'im_info' top: '!top' python_param { module: 'rpn.proposal_layer' layer: 'ProposalLayer'
    param_str: "{'feat_stride': 16, 'scales': [2, 4, 8]}" } }
"""


def roi_data(classes: int) -> str:
    return f"""
    layer {{ name: 'roi-data' type: 'Python' bottom: 'rpn_rois' bottom: 'gt_boxes' top: 'rois'
      top: 'labels' top: 'bbox_targets' top: 'bbox_inside_weights' top: 'bbox_outside_weights'
      python_param {{ module: 'rpn.proposal_target_layer' layer: 'ProposalTargetLayer'
        param_str: "'num_classes': {classes}" }} }}
    """


FASTER_HEAD = """
layer { name: "roi_pool5" type: "ROIPooling" bottom: "conv1" bottom: "rois" top: "pool5"
  roi_pooling_param { pooled_w: 3 pooled_h: 3 spatial_scale: 0.0625 } }
layer { name: "fc6" type: "InnerProduct" bottom: "pool5" top: "fc6"
  inner_product_param { num_output: 16 weight_filler { type: "xavier" } } }
layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }
layer { name: "drop6" type: "Dropout" bottom: "fc6" top: "fc6"
  dropout_param { dropout_ratio: 0.5 } }
layer { name: "cls_score" type: "InnerProduct" bottom: "fc6" top: "cls_score"
  inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 0.01 } } }
layer { name: "bbox_pred" type: "InnerProduct" bottom: "fc6" top: "bbox_pred"
  inner_product_param { num_output: 12 weight_filler { type: "gaussian" std: 0.001 } } }
"""

FASTER_LOSSES = """
layer { name: "loss_cls" type: "SoftmaxWithLoss" bottom: "cls_score" bottom: "labels"
  propagate_down: 1 propagate_down: 0 top: "loss_cls" loss_weight: 1 }
layer { name: "loss_bbox" type: "SmoothL1Loss" bottom: "bbox_pred" bottom: "bbox_targets"
  bottom: "bbox_inside_weights" bottom: "bbox_outside_weights" top: "loss_bbox" loss_weight: 1 }
"""

PROBABILITIES = """
layer { name: "cls_prob" type: "Softmax" bottom: "cls_score" top: "cls_prob" }
"""


def rfcn_head() -> str:
    return f"""
    {convolution("rfcn_cls", "conv1", "rfcn_cls", 27, 1)}
    {convolution("rfcn_bbox", "conv1", "rfcn_bbox", 72, 1)}
    layer {{ bottom: "rfcn_cls" bottom: "rois" top: "psroipooled_cls_rois" type: "PSROIPooling"
      name: "psroipooled_cls_rois"
      psroi_pooling_param {{ spatial_scale: 0.0625 output_dim: 3 group_size: 3 }} }}
    layer {{ bottom: "psroipooled_cls_rois" top: "cls_score" type: "Pooling"
      name: "ave_cls_score_rois"
      pooling_param {{ pool: AVE kernel_size: 3 stride: 3 }} }}
    layer {{ bottom: "rfcn_bbox" bottom: "rois" top: "psroipooled_loc_rois" type: "PSROIPooling"
      name: "psroipooled_loc_rois"
      psroi_pooling_param {{ spatial_scale: 0.0625 output_dim: 8 group_size: 3 }} }}
    layer {{ bottom: "psroipooled_loc_rois" top: "bbox_pred" type: "Pooling"
      name: "ave_bbox_pred_rois"
      pooling_param {{ pool: AVE kernel_size: 3 stride: 3 }} }}
    """


RFCN_LOSSES = """
layer { bottom: "cls_score" bottom: "labels" name: "per_roi_loss_cls" type: "SoftmaxWithLossOHEM"
  top: "temp_loss_cls" top: "temp_prob_cls" top: "per_roi_loss_cls"
  loss_weight: 0 loss_weight: 0 loss_weight: 0 propagate_down: false propagate_down: false }
layer { bottom: "bbox_pred" bottom: "bbox_targets" bottom: "bbox_inside_weights"
  name: "per_roi_loss_bbox" type: "SmoothL1LossOHEM" top: "temp_loss_bbox" top: "per_roi_loss_bbox"
  loss_weight: 0 loss_weight: 0 propagate_down: false propagate_down: false propagate_down: false }
layer { bottom: "per_roi_loss_cls" bottom: "per_roi_loss_bbox" top: "per_roi_loss"
  name: "per_roi_loss" type: "Eltwise" propagate_down: false propagate_down: false }
layer { bottom: "rois" bottom: "per_roi_loss" bottom: "labels" bottom: "bbox_inside_weights"
  top: "labels_ohem" top: "bbox_loss_weights_ohem" name: "annotator_detector"
  type: "BoxAnnotatorOHEM" box_annotator_ohem_param { roi_per_img: 8 ignore_label: -1 }
  propagate_down: false propagate_down: false propagate_down: false propagate_down: false }
layer { name: "silence" type: "Silence" bottom: "bbox_outside_weights" bottom: "temp_loss_cls"
  bottom: "temp_prob_cls" bottom: "temp_loss_bbox" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "cls_score" bottom: "labels_ohem"
  top: "loss_cls" loss_weight: 1 loss_param { ignore_label: -1 }
  propagate_down: true propagate_down: false }
layer { name: "loss_bbox" type: "SmoothL1LossOHEM" bottom: "bbox_pred" bottom: "bbox_targets"
  bottom: "bbox_loss_weights_ohem" top: "loss_bbox" loss_weight: 1
  loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 8 }
  propagate_down: true propagate_down: false propagate_down: false }
layer { name: "accuarcy" type: "Accuracy" bottom: "cls_score" bottom: "labels_ohem" top: "accuarcy"
  include { phase: TRAIN } accuracy_param { ignore_label: -1 } propagate_down: false
  propagate_down: false }
"""


def net_of(text: str, phase: int = TRAIN) -> Net:
    net = Net(plan_of(text, phase), Device())
    generator = np.random.default_rng(3)
    data = net.blobs["data"].data
    data[...] = generator.standard_normal(data.shape)
    if "im_info" in net.blobs:
        net.blobs["im_info"].data[...] = [[96, 128, 1]]
    if "gt_boxes" in net.blobs:
        net.blobs["gt_boxes"].data[...] = [[10, 10, 60, 50, 1], [50, 30, 100, 90, 2]]
    return net


def learn(net: Net, steps: int, rate: float) -> list[float]:
    """The loss of each step of plain descent."""
    losses = []
    for _ in range(steps):
        net.store.diff.fill(0)
        net.forward()
        net.backward()
        losses.append(net.loss())
        net.store.data[...] -= rate * net.store.diff
    assert np.isfinite(losses).all()
    return losses


def test_faster_rcnn_learns() -> None:
    net = net_of(
        body(TRAIN_INPUTS) + RPN_LOSSES + PROPOSAL.replace("!top", "rpn_rois") + roi_data(3)
        + FASTER_HEAD + FASTER_LOSSES
    )  # fmt: skip
    losses = learn(net, 30, 0.05)
    assert net.blobs["rois"].shape == (128, 5, 1, 1)
    assert net.blobs["pool5"].shape == (128, 6, 3, 3)
    assert {*np.unique(net.blobs["labels"].data)} == {0, 1, 2}
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_faster_rcnn_finds() -> None:
    text = body(TEST_INPUTS) + PROPOSAL.replace("!top", "rois") + FASTER_HEAD + PROBABILITIES
    net = net_of(text, TEST)
    net.forward()
    rois, scores = net.blobs["rois"].data, net.blobs["cls_prob"].data
    assert 1 < len(rois) <= 300
    assert scores.shape == (len(rois), 3)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    assert (rois[:, 1:] >= 0).all()
    assert (rois[:, 3] <= 127).all()


def test_where_nothing_is_proposed_nothing_is_found() -> None:
    text = body(TEST_INPUTS) + PROPOSAL.replace("!top", "rois") + FASTER_HEAD + PROBABILITIES
    net = net_of(text, TEST)
    net.forward()
    net.blobs["im_info"].data[...] = [[96, 128, 100]]
    net.forward()
    assert net.blobs["rois"].shape == (0, 5)
    assert net.blobs["cls_prob"].shape == (0, 3)
    net.blobs["im_info"].data[...] = [[96, 128, 1]]
    net.forward()
    assert len(net.blobs["cls_prob"].data) > 1


def test_rfcn_learns_from_its_hardest_regions() -> None:
    net = net_of(
        body(TRAIN_INPUTS) + RPN_LOSSES + PROPOSAL.replace("!top", "rpn_rois") + roi_data(2)
        + rfcn_head() + RFCN_LOSSES
    )  # fmt: skip
    losses = learn(net, 30, 0.05)
    assert net.blobs["per_roi_loss"].shape == (128, 1, 1, 1)
    assert int((net.blobs["labels_ohem"].data >= 0).sum()) == 8
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])


def test_rfcn_finds_with_proposal_as_a_layer() -> None:
    proposal = """
    layer { name: "proposal" type: "Proposal" bottom: "rpn_cls_prob_reshape"
      bottom: "rpn_bbox_pred" bottom: "im_info" top: "rois" top: "scores"
      proposal_param { feat_stride: 16 ratio: 0.5 ratio: 1 ratio: 2 scale: 2 scale: 4 scale: 8
        base_size: 16 min_size: 16 pre_nms_topn: 200 post_nms_topn: 20 nms_thresh: 0.7 } }
    """
    net = net_of(body(TEST_INPUTS) + proposal + rfcn_head() + PROBABILITIES, TEST)
    net.forward()
    assert net.blobs["cls_prob"].shape == (20, 3, 1, 1)
    assert net.blobs["bbox_pred"].shape == (20, 8, 1, 1)
    assert (np.diff(net.blobs["scores"].data[:, 0]) <= 0).all()


def yolo(stride: int, end: str) -> str:
    """The end of a net in the manner of YOLOv2: a finer map, put beside the coarse one."""
    return f"""
    name: "yolo"
    layer {{ name: "data" type: "Input" top: "data" top: "label"
      input_param {{ shape {{ dim: 2 dim: 3 dim: 64 dim: 64 }}
        shape {{ dim: 2 dim: 30 dim: 5 }} }} }}
    layer {{ name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
      convolution_param {{ num_output: 4 kernel_size: 8 stride: 8 bias_term: false
        weight_filler {{ type: "xavier" }} }} }}
    layer {{ name: "bn1" type: "BatchNorm" bottom: "conv1" top: "bn1" }}
    layer {{ name: "scale1" type: "Scale" bottom: "bn1" top: "scale1"
      scale_param {{ bias_term: true }} }}
    layer {{ name: "relu1" type: "ReLU" bottom: "scale1" top: "scale1"
      relu_param {{ negative_slope: 0.1 }} }}
    layer {{ name: "pool2" type: "Pooling" bottom: "scale1" top: "pool2"
      pooling_param {{ pool: MAX kernel_size: 2 stride: 2 }} }}
    {convolution("conv2", "pool2", "conv2", 8)}
    layer {{ name: "reorg" type: "Reorg" bottom: "scale1" top: "reorg"
      reorg_param {{ stride: {stride} }} }}
    layer {{ name: "concat" type: "Concat" bottom: "reorg" bottom: "conv2" top: "concat" }}
    {convolution("conv_reg", "concat", "conv_reg", 16, 1)}
    {end}
    """


def boxes_into(net: Net) -> None:
    """Two boxes on the first image, and one on the second."""
    net.blobs["label"].data[0, :2] = [[0, 0.3, 0.4, 0.3, 0.5], [2, 0.8, 0.7, 0.2, 0.2]]
    net.blobs["label"].data[1, 0] = [1, 0.55, 0.5, 0.8, 0.7]


REGION_LOSS = """
layer { name: "RegionLoss" type: "RegionLoss" bottom: "conv_reg" bottom: "label" top: "det_loss"
  loss_weight: 1 region_loss_param { side: 4 num_class: 3 coords: 4 num: 2 softmax: 1 jitter: 0.2
    rescore: 0 object_scale: 5.0 noobject_scale: 1.0 class_scale: 1.0 coord_scale: 1.0 absolute: 1
    thresh: 0.6 random: 0 biases: 1.1 biases: 1.2 biases: 3.1 biases: 2.9 } }
"""

YOLOV3 = """
layer { name: "Yolov3Loss1" type: "Yolov3" bottom: "conv_reg" bottom: "label" top: "det_loss"
  loss_weight: 1 yolov3_param { side: 4 num_class: 3 num: 2 object_scale: 5.0 noobject_scale: 1.0
    class_scale: 1.0 coord_scale: 1.0 thresh: 0.6 anchors_scale: 16 use_logic_gradient: false
    biases: 18 biases: 19 biases: 50 biases: 46 biases: 9 biases: 9 mask: 0 mask: 1 } }
"""

YOLO_OUTPUT = """
layer { name: "silence" type: "Silence" bottom: "label" }
layer { name: "detection_out" type: "YoloDetectionOutput" bottom: "conv_reg" top: "detection_out"
  include { phase: TEST } yolo_detection_output_param { confidence_threshold: 0.01
    nms_threshold: 0.45 num_classes: 3 num_box: 2 coords: 4
    biases: 1.1 biases: 1.2 biases: 3.1 biases: 2.9 } }
"""


@pytest.mark.parametrize("loss", [REGION_LOSS, YOLOV3])
def test_yolo_learns(loss: str) -> None:
    net = net_of(yolo(2, loss))
    boxes_into(net)
    losses = learn(net, 40, 0.02)
    assert losses[-1] < 0.5 * losses[0]


def test_yolo_finds() -> None:
    net = net_of(yolo(2, YOLO_OUTPUT), TEST)
    net.forward()
    found = net.blobs["detection_out"].data[0, 0]
    assert found.shape[1] == 7
    assert {*found[:, 0]} == {0, 1}
    assert {*found[:, 1]} <= {1, 2, 3}
    assert (found[:, 2] >= 0.01).all()
