"""Ranks and one alone have the same weights and figures: update rules, boxes, pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.shapes import create_shapes
from protonet.solvers.update_rule import rule_names
from protonet.train.listeners import read_metrics
from tests.data import segmentation_sets as sets
from tests.jobs.nets import DETECTOR
from tests.ranks.agreement import agree, digits, trained

NET = """
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  data_param { source: "train_db" batch_size: 9 shuffle: true } transform_param { scale: 0.06 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 5 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "tanh" type: "TanH" bottom: "conv" top: "conv" }
layer { name: "score" type: "InnerProduct" bottom: "conv" top: "score"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""
FIELDS = {
    "AdaDelta": "base_lr: 1 momentum: 0.95 delta: 1e-6",
    "Adam": "base_lr: 0.001 momentum: 0.9 momentum2: 0.999",
    "AdamW": "base_lr: 0.001 momentum: 0.9 momentum2: 0.999",
    "AdaGrad": "base_lr: 0.01",
    "RMSProp": "base_lr: 0.001 rms_decay: 0.98",
}
"""Of rules that do not take those of SGD."""
SOLVER = """
net: "net.prototxt" type: "%s" %s weight_decay: 0.0005 lr_policy: "fixed"
iter_size: 3 clip_gradients: 0.5 max_iter: 25 snapshot_prefix: "net" random_seed: 3
"""


def test_every_update_rule_agrees(tmp_path: Path) -> None:
    """With iter_size, and with clipping by the norm of the whole gradient, which is above it."""
    usual = "base_lr: 0.05 momentum: 0.9"
    given = {rule: FIELDS.get(rule.removeprefix("Torch"), usual) for rule in rule_names()}
    solvers = {rule: SOLVER % (rule, each) for rule, each in given.items()}
    folder = digits(tmp_path, NET, **solvers)
    agree(folder, {}, ranks=(2,), atol=2e-5, names=list(solvers), iterations=25)


PARTIAL = """
layer { name: "data" type: "Data" top: "data" top: "label"
  data_param { source: "train_db" batch_size: 79 shuffle: true partial_batches: true }
  transform_param { crop_size: 6 mirror: true scale: 0.06 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 5 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "score" type: "InnerProduct" bottom: "conv" top: "score"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  loss_param { ignore_label: 3 } }
layer { name: "size" type: "Reduction" bottom: "score" top: "size" loss_weight: 0.0001
  reduction_param { operation: SUMSQ } }
"""


def test_the_last_batch_of_an_epoch_is_shared_out(tmp_path: Path) -> None:
    """78 of the 1500 images are left for it: some ranks have as many of them as of 79, but another
    share.
    """
    solver = SOLVER % ("SGD", "base_lr: 0.05 momentum: 0.9")
    text = solver.replace("iter_size: 3", "display: 1").replace("max_iter: 25", "max_iter: 40")
    folder = digits(tmp_path, PARTIAL, partial=text)
    agree(folder, {"sync_batch_norm": True}, ranks=(2, 3), atol=2e-5, names=["partial"],
          iterations=40)  # fmt: skip
    losses = [
        [line["loss"] for line in read_metrics(folder / f"{run}-partial" / "metrics.jsonl")
         if line["event"] == "iterated"]
        for run in ("run-1", "run-3-True")
    ]  # fmt: skip
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert len(losses[0]) == 40


DETECTION = """
layer { name: "data" type: "AnnotatedData" top: "data" top: "label" include { phase: TRAIN }
  data_param { source: "boxes/train_images" batch_size: %d shuffle: true }
  annotated_data_param { anno_type: BBOX
    batch_sampler { max_sample: 1 max_trials: 1 }
    batch_sampler { sampler { min_scale: 0.5 } max_sample: 1 max_trials: 10
      sample_constraint { min_jaccard_overlap: 0.3 } } }
  transform_param { scale: 0.004 mirror: true
    resize_param { prob: 1 resize_mode: WARP height: 24 width: 32 } } }
layer { name: "data" type: "AnnotatedData" top: "data" top: "label" include { phase: TEST }
  data_param { source: "boxes/val_images" batch_size: 5 }
  annotated_data_param { anno_type: BBOX } transform_param { scale: 0.004 } }
"""
SHORT = """
net: "%s.net" type: "SGD" base_lr: 0.01 momentum: 0.9 lr_policy: "fixed" max_iter: 12
test_iter: 5 test_interval: 6 snapshot_prefix: "%s" random_seed: 3
"""


def figures_of(run: Path) -> list[dict[str, float]]:
    """The figures of all tests of a run."""
    return [line["outputs"] for line in read_metrics(run / "metrics.jsonl")
            if line["event"] == "tested"]  # fmt: skip


def test_detectors_agree_and_so_does_their_precision(tmp_path: Path) -> None:
    """Boxes, windows and mirrors, losses over the matches of all, and average precision; also with
    a batch for each rank.
    """
    create_shapes(tmp_path / "boxes", 32, 24, 12, 7, seed=3)
    for name, size in (("whole", 9), ("each", 3)):
        (tmp_path / f"{name}.net").write_text(DETECTION % size + DETECTOR)
        (tmp_path / f"{name}.prototxt").write_text(SHORT % (name, name))
    names, more = ("whole", "each"), {"batch_per_rank": True}
    found = {1: trained(tmp_path, 1, names[:1], {}, 12), 2: trained(tmp_path, 2, names[:1], {}, 12),
             3: trained(tmp_path, 3, names[1:], more, 12)}  # fmt: skip
    tests = [figures_of(tmp_path / f"run-{run}") for run in ("1-whole", "2-whole", "3-True-each")]
    for count in (2, 3):
        np.testing.assert_allclose(found[count][0], found[1][0], atol=1e-5)
    assert len(tests[0]) == 3
    for ours in tests[1:]:
        for theirs, expected in zip(ours, tests[0], strict=True):
            assert theirs.keys() == expected.keys() >= {"eval", "eval/coco"}
            assert theirs == pytest.approx(expected, rel=1e-4, abs=1e-6)


SEGMENTATION = """
layer { name: "x" type: "Data" top: "x" data_param { source: "data/train_images" batch_size: 4 }
  transform_param { scale: 0.01 } }
layer { name: "t" type: "Data" top: "t" data_param { source: "data/train_labels" batch_size: 4 } }
layer { name: "score" type: "Convolution" bottom: "x" top: "score"
  convolution_param { num_output: 3 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "t" top: "loss"
  loss_param { ignore_label: 9 } }
"""


def test_pixels_are_counted_on_all_ranks(tmp_path: Path) -> None:
    """The mean IoU of tests whose batches are shared out, also over more ranks than batches."""
    sets.converted(tmp_path, "abcdefghijklmnop")
    (tmp_path / "whole.net").write_text(SEGMENTATION)
    short = SHORT.replace("test_iter: 5", "test_iter: 2")
    (tmp_path / "whole.prototxt").write_text(short % ("whole", "whole"))
    weights = [trained(tmp_path, count, ["whole"], {}, 12)[0] for count in (1, 3)]
    np.testing.assert_allclose(weights[1], weights[0], atol=1e-5)
    alone, together = (figures_of(tmp_path / f"run-{count}-whole") for count in (1, 3))
    for ours, expected in zip(together, alone, strict=True):
        assert ours.keys() == {"loss", "mean_iou", "pixel_accuracy"}
        assert ours == pytest.approx(expected, rel=1e-4)
