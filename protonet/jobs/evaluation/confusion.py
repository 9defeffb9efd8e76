"""Accuracy and the confusion matrix of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from protonet.formats.pictures import new_figure, picture_kind, write_picture

_PICTURES = ("png", "svg", "pdf")
_WRITTEN = 20
"""Classes up to which a plot has every number."""


class Report:
    """Counts of correct and confused predictions.

    ``confusion`` counts images by (true class, predicted class).
    """

    def __init__(self, count: int) -> None:
        self.confusion = np.zeros((count, count), np.int64)
        self._hits: dict[int, int] = {}

    @staticmethod
    def of(confusion: np.ndarray) -> Report:
        """A report on counts that are made already, whose ranks below the first are not known."""
        report = Report(len(confusion))
        report.confusion = confusion
        report._hits = {0: int(np.trace(confusion))}
        return report

    @property
    def images(self) -> int:
        """The number of images counted."""
        return int(self.confusion.sum())

    def add(self, truth: int, ranked: Sequence[int]) -> None:
        """Count an image: its true class, and the classes ordered by score."""
        self.confusion[truth, ranked[0]] += 1
        if truth in ranked:
            place = list(ranked).index(truth)
            self._hits[place] = self._hits.get(place, 0) + 1

    def right(self, among: int = 1) -> int:
        """The images whose class was among the ``among`` best (top-k)."""
        return sum(hits for place, hits in self._hits.items() if place < among)

    def mistakes(self, count: int) -> list[tuple[int, int, int]]:
        """The most frequent mistakes: true class, predicted class, count."""
        wrong = self.confusion.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        pairs = [divmod(int(place), len(wrong)) for place in order]
        return [(true, said, int(wrong[true, said])) for true, said in pairs if wrong[true, said]]

    def draw(self, path: Path, classes: Sequence[str], what: str = "images") -> None:
        """Draw the confusion matrix: rows are true classes, colours the shares of each row.
        ``what`` names what is counted.

        Raises:
            UsageError: for another file type than .png, .svg, .pdf.
        """
        kind = picture_kind(path, _PICTURES)
        count = len(self.confusion)
        side = min(12.0, max(4.5, 1.8 + 0.4 * count))
        figure = new_figure(side + 1, side)
        axes = figure.add_subplot()
        totals = self.confusion.sum(axis=1, keepdims=True)
        shares = self.confusion / np.maximum(totals, 1)
        shown = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
        figure.colorbar(shown, ax=axes, label="share of the true class", shrink=0.8)
        if count <= _WRITTEN:
            for (row, column), images in np.ndenumerate(self.confusion):
                color = "white" if shares[row, column] > 0.5 else "#333333"
                text = str(images) if images else ""
                axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
        if count <= 4 * _WRITTEN:
            names = [name if len(name) <= 24 else f"{name[:22]}..." for name in classes]
            axes.set_xticks(range(count), names, rotation=90, fontsize=8)
            axes.set_yticks(range(count), names, fontsize=8)
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        share = self.right() / max(1, self.images)
        axes.set_title(
            f"{share:.2%} of {self.images} {what} correct", loc="left", fontsize="medium"
        )
        write_picture(figure, path, kind)
