"""Ranks and one alone have the same weights and figures: update rules, batches, boxes, pixels.

All trainings of as many ranks run in one program.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from protonet.data.shapes import create_shapes
from protonet.solvers.update_rule import rule_names
from protonet.train.listeners import read_metrics
from tests.data import segmentation_sets as sets
from tests.jobs.nets import DETECTOR
from tests.ranks.agreement import DIGITS, weights_of
from tests.ranks.started import train_all

NET = """
layer { name: "data" type: "Data" top: "data" top: "label"
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
MOMENTS = """
layer { name: "data" type: "Data" top: "data" top: "label"
  data_param { source: "train_db" batch_size: 13 } transform_param { scale: 0.06 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 6 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "conv"
  batch_norm_param { moving_average_fraction: 0.9 } }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "deep" type: "Convolution" bottom: "conv" top: "deep"
  convolution_param { num_output: 8 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BN" bottom: "deep" top: "deep"
  bn_param { slope_filler { value: 1 } momentum: 0.9 } }
layer { name: "hidden" type: "InnerProduct" bottom: "deep" top: "hidden"
  inner_product_param { num_output: 16 weight_filler { type: "xavier" } } }
layer { name: "whitened" type: "BatchNorm" bottom: "hidden" top: "whitened"
  batch_norm_param { scale_bias: true moving_average_fraction: 0.9 } }
layer { name: "score" type: "InnerProduct" bottom: "whitened" top: "score"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""
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
FEW = (
    PARTIAL.replace("batch_size: 79", "batch_size: 107")
    + """
layer { name: "none" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "none"
  loss_weight: 0.01 loss_param { normalization: NONE } }
"""
)
DETECTION = """
layer { name: "data" type: "AnnotatedData" top: "data" top: "label" include { phase: TRAIN }
  data_param { source: "shapes/train_images" batch_size: 9 shuffle: true }
  annotated_data_param { anno_type: BBOX
    batch_sampler { max_sample: 1 max_trials: 1 }
    batch_sampler { sampler { min_scale: 0.5 } max_sample: 1 max_trials: 10
      sample_constraint { min_jaccard_overlap: 0.3 } } }
  transform_param { scale: 0.004 mirror: true
    resize_param { prob: 1 resize_mode: WARP height: 24 width: 32 } } }
layer { name: "data" type: "AnnotatedData" top: "data" top: "label" include { phase: TEST }
  data_param { source: "shapes/val_images" batch_size: 5 }
  annotated_data_param { anno_type: BBOX } transform_param { scale: 0.004 } }
"""
SEGMENTATION = """
layer { name: "x" type: "Data" top: "x" data_param { source: "data/train_images" batch_size: 4 }
  transform_param { scale: 0.01 } }
layer { name: "t" type: "Data" top: "t" data_param { source: "data/train_labels" batch_size: 4 } }
layer { name: "score" type: "Convolution" bottom: "x" top: "score"
  convolution_param { num_output: 3 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "t" top: "loss"
  loss_param { ignore_label: 9 } }
"""
ROWS = """
layer { name: "rows" type: "HDF5Data" top: "x" top: "t" include { phase: TRAIN }
  hdf5_data_param { source: "rows.txt" batch_size: 7 shuffle: true } }
layer { name: "rows" type: "HDF5Data" top: "x" top: "t" include { phase: TEST }
  hdf5_data_param { source: "rows.txt" batch_size: 4 } }
layer { name: "drop" type: "Dropout" bottom: "x" top: "x" }
layer { name: "score" type: "InnerProduct" bottom: "x" top: "score"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "score" bottom: "t" top: "loss" }
"""


@dataclass(frozen=True)
class Training:
    """A net, the fields of its solver, and its settings by the number of ranks."""

    net: str
    solver: str
    ranks: Mapping[int, Mapping[str, Any]]


USUAL = "base_lr: 0.05 momentum: 0.9"
SHORT = "base_lr: 0.01 momentum: 0.9 max_iter: 12 test_iter: %d test_interval: 6"
SYNC: Mapping[str, Any] = {"sync_batch_norm": True}
EACH: Mapping[str, Any] = {"batch_per_rank": True}
OF_EACH = DETECTION.replace("batch_size: 9", "batch_size: 3") + DETECTOR
TRAININGS = {
    **{
        rule: Training(
            NET,
            f'type: "{rule}" {FIELDS.get(rule.removeprefix("Torch"), USUAL)} iter_size: 3 '
            "clip_gradients: 0.5 weight_decay: 0.0005 max_iter: 25",
            {1: {}, 2: {}},
        )
        for rule in rule_names()
    },
    "moments": Training(MOMENTS, f"{USUAL} max_iter: 100", {1: {}, 2: SYNC, 3: SYNC}),
    "own": Training(MOMENTS, f"{USUAL} max_iter: 100", {2: {}}),
    "partial": Training(PARTIAL, f"{USUAL} max_iter: 40 display: 1", {1: {}, 2: SYNC, 3: SYNC}),
    "few": Training(FEW, f"{USUAL} max_iter: 20 display: 1", {1: {}, 3: SYNC}),
    "boxes": Training(DETECTION + DETECTOR, SHORT % 5, {1: {}, 2: {}}),
    "boxes of each": Training(OF_EACH, f"{SHORT % 5} snapshot: 6", {3: EACH}),
    "resumed": Training(
        OF_EACH, SHORT % 5, {3: {**EACH, "snapshot": "boxes of each_iter_6.solverstate"}}
    ),
    "rows": Training(ROWS, SHORT % 5, {1: {}, 3: {}}),
    "pixels": Training(SEGMENTATION, SHORT % 2, {1: {}, 3: {}}),
}


@dataclass(frozen=True)
class Trained:
    """The weights of all trainings, by their names and the number of ranks, and their runs."""

    folder: Path
    weights: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)

    def lines(self, name: str, ranks: int, event: str) -> list[dict[str, Any]]:
        """The lines of a training's metrics."""
        lines = read_metrics(self.folder / f"{name}-{ranks}" / "metrics.jsonl")
        return [line for line in lines if line["event"] == event]

    def differ(self, name: str, ranks: int, alone: str = "") -> float:
        """The largest difference of weights from those of one rank, by the size of both."""
        ours, theirs = self.weights[name, ranks], self.weights[alone or name, 1]
        return float((np.abs(ours - theirs) / (1 + np.abs(theirs))).max())


def write_rows(folder: Path) -> None:
    """Two files, of 13 and 10 rows."""
    values = np.random.default_rng(2).normal(size=(23, 6)).astype(np.float32)
    for name, rows in (("a", values[:13]), ("b", values[13:])):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file["x"], file["t"] = rows[:, :4], rows[:, 4:]
    (folder / "rows.txt").write_text("a.h5\nb.h5\n")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trainings")
    for name in ("train_db", "test_db"):
        shutil.copytree(DIGITS / name, folder / name)
    create_shapes(folder / "shapes", 32, 24, 12, 7, seed=3)
    sets.converted(folder, "abcdefghijklmnop")
    write_rows(folder)
    for name, each in TRAININGS.items():
        (folder / f"{name}.net").write_text(each.net)
        (folder / f"{name}.prototxt").write_text(
            f'net: "{name}.net" lr_policy: "fixed" random_seed: 3 snapshot_prefix: "{name}" '
            f"{each.solver}"
        )
    found = Trained(folder)
    for count in (1, 2, 3):
        cases = [
            (f"{name}.prototxt", {**each.ranks[count], "out": f"{name}-{count}"})
            for name, each in TRAININGS.items()
            if count in each.ranks
        ]
        train_all(count, cases, folder)
        for path in sorted(folder.glob("*.caffemodel"), key=lambda path: path.stat().st_mtime_ns):
            found.weights[path.name.partition("_iter_")[0], count] = weights_of(path)
            path.unlink()
    return found


def test_every_update_rule_agrees(trained: Trained) -> None:
    """With iter_size, and with clipping by the norm of the whole gradient, which is above it."""
    differences = {rule: trained.differ(rule, 2) for rule in rule_names()}
    assert {rule: found for rule, found in differences.items() if not found < 2e-5} == {}


def test_moments_of_all_are_those_of_one_rank(trained: Trained) -> None:
    """Weights and running statistics after 100 iterations; a rank's own moments differ."""
    for count in (2, 3):
        assert trained.differ("moments", count) < 1e-4
    assert trained.differ("own", 2, "moments") > 2e-2


def test_the_last_batch_of_an_epoch_is_shared_out(trained: Trained) -> None:
    """78 of the 1500 images are left for it: some ranks have as many of them as of 79, but another
    share.
    """
    for count in (2, 3):
        assert trained.differ("partial", count) < 2e-5
    ours, alone = (
        [line["loss"] for line in trained.lines("partial", count, "iterated")] for count in (3, 1)
    )
    assert ours == pytest.approx(alone, rel=1e-4)
    assert len(ours) == 40


def test_a_last_batch_of_fewer_records_than_ranks(trained: Trained) -> None:
    """Two of the 1500 images are left for it: each of three ranks computes both."""
    assert trained.differ("few", 3) < 2e-5
    ours, alone = ([line["loss"] for line in trained.lines("few", count, "iterated")]
                   for count in (3, 1))  # fmt: skip
    assert ours == pytest.approx(alone, rel=1e-4)
    assert len(ours) == 20


def test_detectors_agree_and_so_does_their_precision(trained: Trained) -> None:
    """Boxes, windows and mirrors, losses over the matches of all, and average precision; also with
    a batch for each rank.
    """
    alone = trained.lines("boxes", 1, "tested")
    assert len(alone) == 3
    for name, count in (("boxes", 2), ("boxes of each", 3)):
        assert trained.differ(name, count, "boxes") < 1e-5
        for ours, theirs in zip(trained.lines(name, count, "tested"), alone, strict=True):
            assert ours["outputs"].keys() >= {"eval", "eval/coco"}
            assert ours["outputs"] == pytest.approx(theirs["outputs"], rel=1e-4, abs=1e-6)


def test_a_batch_for_each_rank_is_resumed_to_the_bit(trained: Trained) -> None:
    whole, resumed = (trained.weights[name, 3] for name in ("boxes of each", "resumed"))
    np.testing.assert_array_equal(resumed, whole)


def test_rows_of_files_are_shared_out(trained: Trained) -> None:
    """In training, and the batches of tests."""
    assert trained.differ("rows", 3) < 1e-5
    pairs = list(zip(*(trained.lines("rows", count, "tested") for count in (3, 1)), strict=True))
    assert len(pairs) == 3
    for ours, theirs in pairs:
        assert ours["outputs"] == pytest.approx(theirs["outputs"], rel=1e-5)


def test_pixels_are_counted_on_all_ranks(trained: Trained) -> None:
    """The mean IoU of tests whose batches are shared out, also over more ranks than batches."""
    assert trained.differ("pixels", 3) < 1e-5
    pairs = zip(*(trained.lines("pixels", count, "tested") for count in (3, 1)), strict=True)
    for ours, theirs in pairs:
        assert ours["outputs"].keys() == {"loss", "mean_iou", "pixel_accuracy"}
        assert ours["outputs"] == pytest.approx(theirs["outputs"], rel=1e-4)
