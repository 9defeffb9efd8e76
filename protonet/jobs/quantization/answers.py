"""The scores of classes that a net computes, and how often the greatest one is the true class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from protonet.graph.names import Value
from protonet.graph.net import Net
from protonet.graph.plan import Plan

_LABELLED = {
    "Accuracy": ("accuracy_param", "accuracy_param"),
    "SoftmaxWithLoss": ("softmax_param", "loss_param"),
}
"""Layers whose bottoms are scores and true classes, those first that are preferred; and their
messages with ``axis`` and ``ignore_label``.
"""


@dataclass(frozen=True)
class Scores:
    """Values with a score for each class along axis 1, and the true classes if the net reads them;
    ``ignored`` is a class that does not count.
    """

    value: Value
    labels: Value | None = None
    ignored: int | None = None

    @staticmethod
    def of(plan: Plan) -> Scores | None:
        """Those of a plan: what it compares with labels, else its only output with scores."""
        for kind, (with_axis, with_ignored) in _LABELLED.items():
            for step in plan.steps:
                axis = getattr(step.layer.spec, with_axis).axis
                if step.type != kind or axis not in (1, 1 - len(step.bottoms[0].shape)):
                    continue
                param = getattr(step.layer.spec, with_ignored)
                ignored = param.ignore_label if param.HasField("ignore_label") else None
                return Scores(step.bottoms[0], step.bottoms[1], ignored)
        found = [value for value in plan.outputs if len(value.shape) >= 2 and value.shape[1] > 1]
        return Scores(found[0]) if len(found) == 1 else None

    @property
    def classes(self) -> int:
        """How many there are."""
        return self.value.shape[1]

    @property
    def values(self) -> list[Value]:
        """What is read after a pass."""
        return [self.value, *([] if self.labels is None else [self.labels])]

    def read(
        self, net: Net, count: int, given: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The class with the greatest score, for the first ``count`` records of a pass, and the
        true ones, -1 where unknown; ``given`` are those that the net does not read.
        """
        best = np.asarray(net.device.get(net.data_of(self.value)))[:count].argmax(axis=1)
        truths = given
        if self.labels is not None:
            truths = np.asarray(net.device.get(net.data_of(self.labels))).astype(np.int64)
        if truths is None or truths[:count].size != best.size:
            return best, None
        truths = truths[:count].reshape(best.shape)
        if self.ignored is not None:
            truths = np.where(truths == self.ignored, -1, truths)
        return best, truths
