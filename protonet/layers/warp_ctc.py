"""WarpCTCLoss: connectionist temporal classification with labels in one of three forms.

Source: Graves et al., ICML 2006; src/caffe/layers/warp_ctc_loss_layer.cpp, after ChWick/caffe, of
zhubenfu/License-Plate-Detect-Recognition-via-Deep-Neural-Networks-accuracy-up-to-99.9.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Shape
from protonet.errors import LayerError
from protonet.layers.base import shape_text
from protonet.layers.ctc import SequenceLoss
from protonet.layers.registry import register

_PARAM = "ctc_loss_param"


@register("WarpCTCLoss")
class WarpCTCLoss(SequenceLoss):
    """L = sum -log p(labels) / N, with p as in CtcLoss.

    Bottom:
        0: x, T x N x C, scores of T steps of N sequences.
        With two bottoms 1: labels, N x L; blanks in it are left out.
        With three 1: cont, T x N: 1 while a sequence goes on; the first 0 after the first step
        ends it; and 2: labels, L x N; the first below 0 ends them; with blank 0, class c is label
        c - 1.
        With four 1 and 2: N steps and N numbers of labels; and 3: labels, L x N. Only x gets a
        gradient.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        ctc_loss_param: blank_index (-1: the last class). loss_weight (1).
    Raises:
        LayerError: for bottoms of mismatched shapes, a blank that is no class, and, while running,
        for an invalid label or number.
    Differs:
        BVLC Caffe has no such layer; this is the one of forks for text, after ChWick/caffe, whose
        gradient leaves out the loss weight and the N. A sequence too short for its labels counts
        0; there it ends the run, or is left out of N. One without labels is one of blanks; there,
        with three bottoms, it is left out.
    """

    bottoms = (2, 4)

    def setup(self) -> None:
        self.no_gradient = frozenset(range(1, len(self.spec.bottom)))

    def blank_of(self, classes: int) -> int:
        blank = int(self.spec.ctc_loss_param.blank_index)
        return classes - 1 if blank < 0 else blank

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        tops = super().infer(shapes)
        steps, items = shapes[0][:2]
        labels = shapes[-1]
        first = len(shapes) == 2
        if len(labels) < 2 or labels[0 if first else 1] != items or math.prod(labels[2:]) != 1:
            form = f"{items} sequences x labels" if first else f"labels x {items} sequences"
            raise self._misfit(shapes, len(shapes) - 1, form)
        if len(shapes) == 3 and (
            math.prod(shapes[1]) != steps * items or shapes[1][:2] != (steps, items)
        ):
            raise self._misfit(shapes, 1, f"{steps}x{items} continuation marks")
        for place in (1, 2) if len(shapes) == 4 else ():
            if math.prod(shapes[place]) != items:
                raise self._misfit(shapes, place, f"{items} numbers")
        return tops

    def _misfit(self, shapes: Sequence[Shape], place: int, expected: str) -> LayerError:
        return LayerError(
            f"expected {expected} in '{self.spec.bottom[place]}', got {shape_text(shapes[place])}",
            ("bottom", place),
        )

    def read(self, bottoms: Sequence[np.ndarray]) -> list[tuple[int, list[int]]]:
        steps, items, classes = bottoms[0].shape[:3]
        rows = np.trunc(bottoms[-1].reshape(bottoms[-1].shape[:2]))
        if len(bottoms) == 2:
            self.check(rows, classes, 1)
            return [(steps, [int(each) for each in row if each != self._blank]) for row in rows]
        if len(bottoms) == 3:
            going = bottoms[1].reshape(steps, items)
            stops = [np.flatnonzero(going[1:, n] < 0.5) for n in range(items)]
            lengths = [int(each[0]) + 1 if each.size else steps for each in stops]
            ends = [np.flatnonzero(rows[:, n] < 0) for n in range(items)]
            counts = [int(each[0]) if each.size else len(rows) for each in ends]
            shift = int(self._blank == 0)
        else:
            lengths, counts = (
                self._numbers(bottoms[place], place, least, most)
                for place, least, most in ((1, 1, steps), (2, 0, len(rows)))
            )
            shift = 0
        found = []
        for n, (length, count) in enumerate(zip(lengths, counts, strict=True)):
            labels = rows[:count, n] + shift
            self.check(labels, classes, len(bottoms) - 1)
            found.append((length, [int(each) for each in labels]))
        return found

    def _numbers(self, values: np.ndarray, place: int, least: int, most: int) -> list[int]:
        """How many steps or labels each sequence has."""
        flat = np.trunc(values.reshape(-1))
        wrong = ~((flat >= least) & (flat <= most))
        if wrong.any():
            raise LayerError(
                f'layer "{self.name}" ({self.type}): expected numbers of {least} to {most} in '
                f"'{self.spec.bottom[place]}', got {flat[wrong][0]:g}",
                ("bottom", place),
            )
        return [int(each) for each in flat]
