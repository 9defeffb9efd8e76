"""Connectionist temporal classification: CtcLoss, CTCLoss, LabelsequenceAccuracy.

Source: Graves et al., Connectionist Temporal Classification, ICML 2006; xmfbit/warpctc-caffe and
MhLiao/TextBoxes_plusplus. Computed on the host, also if the net runs on a GPU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.registry import register

_PARAM = "ctc_loss_param"


def alignments(scores: np.ndarray, labels: Sequence[int], blank: int) -> tuple[float, np.ndarray]:
    """-log p(labels) for scores of T x C, and its derivative; zeros where T steps are too few.

    p sums over all paths of C classes that are labels once repeats, then blanks are taken out.
    """
    steps = len(scores)
    if len(labels) + sum(a == b for a, b in pairwise(labels)) > steps:
        return 0.0, np.zeros_like(scores)
    high = scores.max(axis=1, keepdims=True)
    logs = scores - high - np.log(np.exp(scores - high).sum(axis=1, keepdims=True))
    states = np.full(2 * len(labels) + 1, blank)
    states[1::2] = labels
    emits = logs[:, states]
    before = _sums(emits, states, blank)
    after = _sums(emits[::-1, ::-1], states[::-1], blank)[::-1, ::-1]
    likely = float(np.logaddexp.reduce(before[-1, -2:]))
    through = np.exp(before + after - emits - likely)
    slope = np.exp(logs)
    for place, state in enumerate(states):
        slope[:, state] -= through[:, place]
    return -likely, slope


def _sums(emits: np.ndarray, states: np.ndarray, blank: int) -> np.ndarray:
    """The log of the sum over all paths that end at each step and state."""
    skips = np.full(len(states), -np.inf)
    skips[2:][(states[2:] != blank) & (states[2:] != states[:-2])] = 0
    found = np.full(emits.shape, -np.inf)
    found[0, :2] = emits[0, :2]
    for t in range(1, len(emits)):
        last = found[t - 1]
        found[t] = last
        found[t, 1:] = np.logaddexp(found[t, 1:], last[:-1])
        found[t, 2:] = np.logaddexp(found[t, 2:], last[:-2] + skips[2:])
        found[t] += emits[t]
    return found


class SequenceLoss(Layer):
    """Base of CtcLoss and CTCLoss: a mean of -log p over sequences of different lengths."""

    tops = (0, 1)
    is_loss = True
    traits = Traits(backward_reads=frozenset(), capturable=False)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        x = shapes[0]
        if len(x) < 3 or math.prod(x[3:]) != 1 or 0 in x:
            raise LayerError(
                f"expected scores of steps x sequences x classes, got '{self.spec.bottom[0]}' "
                f"{shape_text(x)}",
                ("bottom", 0),
            )
        blank = self.blank_of(x[2])
        if not 0 <= blank < x[2]:
            raise LayerError(
                f"expected a blank of 0 to {x[2] - 1}, one of the classes, got {blank}", (_PARAM,)
            )
        return [()]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._blank = self.blank_of(shapes[0][2])
        self._slope = self.scratch(shapes[0])

    def blank_of(self, classes: int) -> int:
        """The blank class."""
        raise NotImplementedError

    def read(self, bottoms: Sequence[np.ndarray]) -> list[tuple[int, list[int]]]:
        """The number of steps and the labels of each sequence."""
        raise NotImplementedError

    def check(self, labels: np.ndarray, classes: int, place: int) -> None:
        wrong = labels[~((labels >= 0) & (labels < classes))]
        if wrong.size:
            raise LayerError(
                f'layer "{self.name}" ({self.type}): label {wrong[0]:g} in '
                f"'{self.spec.bottom[place]}' is not one of 0 to {classes - 1}, the classes",
                ("bottom", place),
            )

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        host = [np.asarray(self.device.get(bottom)) for bottom in bottoms]
        shape = host[0].shape
        scores = host[0].reshape(shape[:3]).astype(np.float64)
        slope, total = np.zeros_like(scores), 0.0
        for n, (steps, labels) in enumerate(self.read(host)):
            loss, slope[:steps, n] = alignments(scores[:steps, n], labels, self._blank)
            total += loss
        self.device.put((slope / shape[1]).reshape(shape).astype(self.dtype), self._slope)
        self.device.put(np.asarray(total / shape[1], self.dtype), tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self.xp.multiply(self._slope, dtops[0], out=dbottoms[0])


@register("CtcLoss")
class CtcLoss(SequenceLoss):
    """L = sum -log p(labels) / N: p sums, over all paths that read as the labels, the products of
    the softmax of x. A path is read without repeats, then without blanks.

    Gradient: dx = w (y - g) / N, with y the softmax of x, and g the probability that a path of the
    labels has this class at this step.

    Bottom:
        0: x, T x N x C, scores of T steps of N sequences.
        1: labels, N x L; blanks in it are left out, so they fill short ones. No gradient.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        ctc_loss_param: alphabet_size (C, required), time_step (required; the steps that are read),
        blank_label (0). loss_weight (1).
    Raises:
        LayerError: without alphabet_size or time_step, for bottoms of mismatched shapes, and,
        while running, for an invalid label.
    Differs:
        BVLC Caffe has no such layer; this is the one of warpctc-caffe, whose gradient is N times
        as large as that of its loss. A sequence too short for its labels counts 0 in
        both.
    """

    bottoms = (2, 2)
    no_gradient = frozenset({1})

    def setup(self) -> None:
        param = self.spec.ctc_loss_param
        for field in ("alphabet_size", "time_step"):
            if not getattr(param, field):
                raise LayerError(f"{_PARAM} needs {field} above 0", (_PARAM,))

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        tops = super().infer(shapes)
        (steps, items, classes), labels = shapes[0][:3], shapes[1]
        param = self.spec.ctc_loss_param
        if param.alphabet_size != classes:
            raise LayerError(
                f"expected an alphabet_size of {classes}, the classes of "
                f"'{self.spec.bottom[0]}', got {param.alphabet_size}",
                (_PARAM, "alphabet_size"),
            )
        if param.time_step > steps:
            raise LayerError(
                f"expected a time_step of at most {steps}, the steps of "
                f"'{self.spec.bottom[0]}', got {param.time_step}",
                (_PARAM, "time_step"),
            )
        if len(labels) < 2 or labels[0] != items or math.prod(labels[2:]) != 1:
            raise LayerError(
                f"expected labels of {items} sequences x labels in '{self.spec.bottom[1]}', got "
                f"{shape_text(labels)}",
                ("bottom", 1),
            )
        return tops

    def blank_of(self, classes: int) -> int:
        return int(self.spec.ctc_loss_param.blank_label)

    def read(self, bottoms: Sequence[np.ndarray]) -> list[tuple[int, list[int]]]:
        steps = self.spec.ctc_loss_param.time_step
        rows = np.trunc(bottoms[1].reshape(bottoms[1].shape[:2]))
        self.check(rows, bottoms[0].shape[2], 1)
        return [(steps, [int(label) for label in row if label != self._blank]) for row in rows]


@register("CTCLoss")
class CTCLoss(SequenceLoss):
    """CtcLoss for sequences of different lengths.

    L = sum -log p(labels) / N, with p as in CtcLoss.

    Bottom:
        0: x, T x N x C, scores of T steps of N sequences.
        1: cont, T x N: 1 while a sequence goes on; the first 0 after the first step ends it.
        2: labels, L x N; the first below 0 ends them. Neither gets a gradient.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        ctc_loss_param: blank_index (-1: the last class), preprocess_collapse_repeated (false:
        true takes out repeated labels). loss_weight (1).
    Raises:
        LayerError: for bottoms of mismatched shapes, an output_delay or no
        ctc_merge_repeated, and, while running, for an invalid label.
    Differs:
        BVLC Caffe has no such layer; this is the one of MhLiao/TextBoxes_plusplus, whose gradient
        leaves out the loss weight and the N. A sequence too short for its labels counts 0; there
        it ends the run or is infinite. loss_calculation_t has no effect, there either.
    """

    bottoms = (3, 3)
    no_gradient = frozenset({1, 2})

    def setup(self) -> None:
        param = self.spec.ctc_loss_param
        if param.output_delay:
            raise LayerError("output_delay is not supported", (_PARAM, "output_delay"))
        if not param.ctc_merge_repeated:
            raise LayerError(
                "expected ctc_merge_repeated: true", (_PARAM, "ctc_merge_repeated"), "leave it out"
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        tops = super().infer(shapes)
        steps, items = shapes[0][:2]
        if math.prod(shapes[1]) != steps * items or shapes[1][:2] != (steps, items):
            raise LayerError(
                f"expected {steps}x{items} continuation marks in '{self.spec.bottom[1]}', got "
                f"{shape_text(shapes[1])}",
                ("bottom", 1),
            )
        labels = shapes[2]
        if len(labels) < 2 or labels[1] != items or math.prod(labels[2:]) != 1:
            raise LayerError(
                f"expected labels x {items} sequences in '{self.spec.bottom[2]}', got "
                f"{shape_text(labels)}",
                ("bottom", 2),
            )
        return tops

    def blank_of(self, classes: int) -> int:
        blank = int(self.spec.ctc_loss_param.blank_index)
        return classes - 1 if blank < 0 else blank

    def read(self, bottoms: Sequence[np.ndarray]) -> list[tuple[int, list[int]]]:
        going = bottoms[1].reshape(bottoms[0].shape[:2])
        rows = bottoms[2].reshape(bottoms[2].shape[:2]).T
        found = []
        for n, row in enumerate(rows):
            stops = np.flatnonzero(going[1:, n] < 0.5)
            steps = int(stops[0]) + 1 if stops.size else len(going)
            ends = np.flatnonzero(row < 0)
            labels = np.trunc(row[: ends[0]] if ends.size else row)
            self.check(labels, bottoms[0].shape[2], 2)
            if self.spec.ctc_loss_param.preprocess_collapse_repeated:
                labels = labels[np.diff(labels, prepend=-1) != 0]
            found.append((steps, [int(label) for label in labels if label != self._blank]))
        return found


@register("LabelsequenceAccuracy")
class LabelsequenceAccuracy(Layer):
    """The fraction of sequences whose most probable classes read as their labels: all of them, in
    order.

    The highest score of each step is read without repeats, then without blanks; of equal scores
    the first.

    Bottom:
        0: x, N x T x C, scores (T x N x C, permuted).
        1: labels, N x L; blanks in it are left out. Neither gets a gradient.
    Top:
        accuracy: scalar.
    Params:
        none.
    Spec:
        labelsequence_accuracy_param: blank_label (0).
    Raises:
        LayerError: for bottoms of mismatched shapes, or a loss_weight.
    Differs:
        BVLC Caffe has no such layer; this is the one of warpctc-caffe's users.
    """

    bottoms = (2, 2)
    no_gradient = frozenset({0, 1})
    traits = Traits(backward_reads=frozenset(), capturable=False)

    def setup(self) -> None:
        if any(self.spec.loss_weight):
            raise LayerError(
                "an accuracy has no gradient and cannot be part of the objective",
                ("loss_weight",),
                "train on CtcLoss",
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        x, labels = shapes
        if len(x) < 3 or math.prod(x[3:]) != 1 or 0 in x:
            raise LayerError(
                f"expected scores of sequences x steps x classes, got '{self.spec.bottom[0]}' "
                f"{shape_text(x)}",
                ("bottom", 0),
            )
        if len(labels) < 2 or labels[0] != x[0] or math.prod(labels[2:]) != 1:
            raise LayerError(
                f"expected labels of {x[0]} sequences x labels in '{self.spec.bottom[1]}', got "
                f"{shape_text(labels)}",
                ("bottom", 1),
                "scores of T x N x C need a Permute with order: 1 order: 0 order: 2",
            )
        return [()]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        x, labels = (np.asarray(self.device.get(bottom)) for bottom in bottoms)
        blank = self.spec.labelsequence_accuracy_param.blank_label
        paths = x.reshape(x.shape[:3]).argmax(axis=2)
        rows = np.trunc(labels.reshape(labels.shape[:2]))
        right = 0
        for path, row in zip(paths, rows, strict=True):
            read = path[np.diff(path, prepend=-1) != 0]
            right += np.array_equal(read[read != blank], row[row != blank])
        self.device.put(np.asarray(right / len(paths), self.dtype), tops[0])
