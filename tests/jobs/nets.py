"""Networks and helpers for the tests of jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from protonet.data.shapes import create_shapes
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.training.start import start
from protonet.proto.text import NetDefinition, Source, read_net
from tests.data import segmentation_sets as sets

SEED = """
layer { name: "scale" type: "Power" bottom: "data" top: "scale" power_param { scale: 0.004 } }
layer { name: "hidden" type: "InnerProduct" bottom: "scale" top: "output"
  inner_product_param { num_output: 2 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "output" bottom: "label" top: "loss"
  exclude { stage: "deploy" } }
"""

MAPS = """
layer { name: "score" type: "Convolution" bottom: "data" top: "score"
  convolution_param { num_output: 3 kernel_size: 1
    weight_filler { type: "gaussian" std: 0.01 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  # own
  exclude { stage: "deploy" } }
layer { name: "accuracy" type: "Accuracy" bottom: "score" bottom: "label" top: "accuracy"
  include { phase: TEST stage: "val" } }
layer { name: "softmax" type: "Softmax" bottom: "score" top: "softmax"
  include { stage: "deploy" } }
"""
"""The classes of pixels, of tests.data.segmentation_sets.converted."""

RANDOM = """
name: "random"
layer { name: "data" type: "Data" top: "data" include { stage: "train" }
  transform_param { crop_size: 13 mirror: true } data_param { batch_size: 4 } }
layer { name: "data" type: "Data" top: "data" include { stage: "val" }
  transform_param { crop_size: 13 } data_param { batch_size: 5 } }
layer { name: "label" type: "Data" top: "label" include { stage: "train" }
  data_param { batch_size: 4 } }
layer { name: "label" type: "Data" top: "label" include { stage: "val" }
  data_param { batch_size: 5 } }
layer { name: "scale" type: "Power" bottom: "data" top: "scale" power_param { scale: 0.004 } }
layer { name: "ip1" type: "InnerProduct" bottom: "scale" top: "h"
  inner_product_param { num_output: 6 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "h" top: "h" }
layer { name: "drop" type: "Dropout" bottom: "h" top: "h" }
layer { name: "ip2" type: "InnerProduct" bottom: "h" top: "output"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "output" bottom: "label" top: "loss"
  exclude { stage: "deploy" } }
"""

DETECTOR = """
name: "detector"
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 8 stride: 8 weight_filler { type: "xavier" } } }
layer { name: "priors" type: "PriorBox" bottom: "conv" bottom: "data" top: "priors"
  prior_box_param { min_size: 8 min_size: 16
    variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 } }
layer { name: "loc" type: "Convolution" bottom: "conv" top: "loc"
  convolution_param { num_output: 8 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "loc_last" type: "Permute" bottom: "loc" top: "loc_last"
  permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "loc_flat" type: "Flatten" bottom: "loc_last" top: "loc_flat" }
layer { name: "conf" type: "Convolution" bottom: "conv" top: "conf"
  convolution_param { num_output: 8 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "conf_last" type: "Permute" bottom: "conf" top: "conf_last"
  permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "conf_flat" type: "Flatten" bottom: "conf_last" top: "conf_flat" }
layer { name: "loss" type: "MultiBoxLoss" top: "loss"
  bottom: "loc_flat" bottom: "conf_flat" bottom: "priors" bottom: "label"
  multibox_loss_param { num_classes: 4 code_type: CENTER_SIZE } }
layer { name: "scores" type: "Reshape" bottom: "conf_flat" top: "scores" include { phase: TEST }
  reshape_param { shape { dim: 0 dim: -1 dim: 4 } } }
layer { name: "shares" type: "Softmax" bottom: "scores" top: "shares" include { phase: TEST }
  softmax_param { axis: 2 } }
layer { name: "flat" type: "Flatten" bottom: "shares" top: "flat" include { phase: TEST } }
layer { name: "found" type: "DetectionOutput" top: "found" include { phase: TEST }
  bottom: "loc_flat" bottom: "flat" bottom: "priors"
  detection_output_param { num_classes: 4 code_type: CENTER_SIZE keep_top_k: 5
    confidence_threshold: 0.01 nms_param { nms_threshold: 0.45 top_k: 20 } } }
layer { name: "eval" type: "DetectionEvaluate" bottom: "found" bottom: "label" top: "eval"
  include { phase: TEST } detection_evaluate_param { num_classes: 4 } }
"""
"""A detector with two priors for each of the cells of 8 x 8 pixels, of 4 classes."""


def net_of(text: str, name: str = "net.prototxt") -> NetDefinition:
    return read_net(Source(name, text))


def settings_of(data: Path, out: Path | None, **more: Any) -> RunSettings:
    given: dict[str, Any] = {
        "labels": data / "train_labels",
        "val_data": data / "val_images",
        "val_labels": data / "val_labels",
        "epochs": 2.0,
        "out": out,
        **more,
    }
    return RunSettings(data / "train_images", **given)


def segment_run(folder: Path) -> None:
    """Make ``set``, ``data`` (12 and 4 images of three classes; 9 is ignored) and ``run``."""
    sets.converted(folder, "abcdefghijklmnop")
    data = folder / "data"
    settings = RunSettings(
        data / "train_images",
        labels=data / "train_labels",
        val_data=data / "val_images",
        val_labels=data / "val_labels",
        out=folder / "run",
        epochs=2.0,
        batch_size=2,
        lr=1e-4,
        threads=1,
    )
    start(net_of(MAPS), settings)


def detector_run(folder: Path) -> None:
    """Make ``data`` (12 and 5 images of 32 x 24 pixels with boxes) and ``run``."""
    data = folder / "data"
    create_shapes(data, 32, 24, 12, 5, seed=3)
    settings = RunSettings(
        data / "train_images",
        val_data=data / "val_images",
        out=folder / "run",
        epochs=2.0,
        batch_size=4,
        lr=0.001,
        threads=1,
    )
    start(net_of(DETECTOR), settings)
