"""Evaluation of regression: errors of each component, a plot, the worst items."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.formats.pictures import new_figure, picture_kind, write_picture
from protonet.graph.names import Value
from protonet.graph.net import Net
from protonet.graph.plan import Plan, Step
from protonet.layers.losses import PairLoss

FORMATS = ("png", "svg", "pdf")
_SHOWN = 2000


@dataclass(frozen=True)
class Component:
    """One component of the vectors: mean absolute error, root mean squared error, and R^2 (1 is
    perfect, 0 as good as the mean; NaN if all true values are equal).
    """

    name: str
    mae: float
    rmse: float
    r2: float


@dataclass(frozen=True)
class VectorReport:
    """Predictions and targets, items x components, of the loss layer ``name``."""

    name: str
    output: str
    predicted: np.ndarray
    true: np.ndarray

    def components(self) -> list[Component]:
        """The errors of each component."""
        found = []
        error = self.predicted - self.true
        spread = ((self.true - self.true.mean(axis=0)) ** 2).sum(axis=0)
        for place in range(error.shape[1]):
            squares = float((error[:, place] ** 2).sum())
            found.append(
                Component(
                    f"{self.output}[{place}]",
                    float(np.abs(error[:, place]).mean()),
                    float(np.sqrt(squares / len(error))),
                    1 - squares / float(spread[place]) if spread[place] > 0 else float("nan"),
                )
            )
        return found

    def worst(self, count: int) -> list[tuple[int, float]]:
        """The items with the greatest error (distance), in descending order."""
        distance = np.sqrt(((self.predicted - self.true) ** 2).sum(axis=1))
        order = np.argsort(-distance, kind="stable")[:count]
        return [(int(item), float(distance[item])) for item in order]

    def draw(self, path: Path) -> None:
        """Plot predictions over true values, one panel for each of the first components.

        Raises:
            UsageError: for another file type than .png, .svg, .pdf.
        """
        kind = picture_kind(path, FORMATS)
        shown = self.components()[:12]
        columns = min(4, len(shown))
        rows = -(-len(shown) // columns)
        figure = new_figure(3.4 * columns, 3.4 * rows)
        step = max(1, len(self.true) // _SHOWN)
        for place, component in enumerate(shown):
            axes = figure.add_subplot(rows, columns, place + 1)
            x, y = self.true[::step, place], self.predicted[::step, place]
            low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
            axes.plot([low, high], [low, high], color="#8c8c8c", linewidth=1)
            axes.scatter(x, y, s=8, alpha=0.5, color="#1f6fb4", edgecolors="none")
            title = f"{component.name}: RMSE {component.rmse:.3g}, R\u00b2 {component.r2:.3g}"
            axes.set_title(title, fontsize="small")
            axes.set_xlabel("true")
            axes.set_ylabel("predicted")
        write_picture(figure, path, kind)


def vector_losses(plan: Plan) -> list[Step]:
    """The steps with losses over pairs of predictions and targets."""
    return [
        step for step in plan.steps if isinstance(step.layer, PairLoss) and len(step.bottoms) == 2
    ]


class VectorCollector:
    """Collects predictions and targets of a net's losses over pairs, pass by pass.

    Items are counted over all passes; ``reports`` has one for each such loss.
    """

    def __init__(self, net: Net) -> None:
        self._net = net
        self._pairs: list[tuple[str, Value, Value]] = [
            (step.name, step.bottoms[0], step.bottoms[1]) for step in vector_losses(net.plan)
        ]
        self._kept: list[tuple[list[np.ndarray], list[np.ndarray]]] = [
            ([], []) for _ in self._pairs
        ]

    def switch_to(self, net: Net) -> None:
        """Continue with another net of the same definition, with another batch size."""
        self._net = net
        self._pairs = [
            (step.name, step.bottoms[0], step.bottoms[1]) for step in vector_losses(net.plan)
        ]

    def take(self) -> None:
        """Collect from the last forward pass."""
        for (_, *values), kept in zip(self._pairs, self._kept, strict=True):
            for value, arrays in zip(values, kept, strict=True):
                array = np.array(self._net.device.get(self._net.data_of(value)), np.float64)
                arrays.append(array.reshape(len(array), -1))

    def reports(self) -> list[VectorReport]:
        """The reports on all collected passes."""
        return [
            VectorReport(name, left.name, np.concatenate(kept[0]), np.concatenate(kept[1]))
            for (name, left, _), kept in zip(self._pairs, self._kept, strict=True)
            if kept[0]
        ]
