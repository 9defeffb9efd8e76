"""Print classifications: as a table, as Caffe does, as CSV, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from protonet.cli.image_results import print_classes, write_confusion
from protonet.cli.terminal import console, note, print_table
from protonet.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from protonet.jobs.evaluation.confusion import Report

_MATRIX = 12
"""Maximal number of classes of a printed confusion matrix."""
_MISTAKES = 5


@dataclass(frozen=True)
class Classified:
    """An image, its scores, its best classes, class names if known, and the true class."""

    image: Path
    scores: np.ndarray
    ranked: Sequence[int]
    classes: Sequence[str] | None
    truth: int | None

    def name(self, place: int) -> str:
        """The name of a class, or its number."""
        return str(place) if self.classes is None else self.classes[place]

    def best(self) -> list[tuple[int, str, float]]:
        """Number, name and score of the best classes, without NaN."""
        return [(place, self.name(place), float(self.scores[place])) for place in self.ranked]


class WrongOnes:
    """Collects the images whose true class is not the best one."""

    def __init__(self) -> None:
        self._found: list[Classified] = []

    def add(self, found: Classified) -> None:
        """An answer, which is kept if it is wrong."""
        if found.truth is not None and found.truth != found.ranked[0]:
            self._found.append(found)

    def as_json(self) -> list[dict[str, object]]:
        """The wrong images, the surest first."""
        order = sorted(self._found, key=lambda each: -float(each.scores[each.ranked[0]]))
        return [{**_as_json(each), "true_name": each.name(each.truth or 0)} for each in order]


class Printer(Protocol):
    """Prints predictions as they come. ``is_data`` if the output is for programs."""

    is_data: bool

    def add(self, found: Classified) -> None:
        """An answer."""

    def end(self) -> None:
        """Finish after the last one."""


def printer(form: str | None, top: int, many: bool) -> Printer:
    """The printer of this format; by default a table on a terminal, else Caffe's lines.

    With ``many`` images a table has only the best class of each.
    """
    if form is None:
        form = "table" if console().is_terminal else "caffe"
    if form == "csv":
        return _Csv()
    if form == "json":
        return _Json()
    return _Table(1 if many else top) if form == "table" else _Caffe()


class _Caffe:
    """The lines of classification.bin (examples/cpp_classification/classification.cpp)."""

    is_data = False

    def add(self, found: Classified) -> None:
        click.echo(f"---------- Prediction for {found.image} ----------")
        for _, name, score in found.best():
            click.echo(f'{score:.4f} - "{name}"')

    def end(self) -> None:
        pass


class _Csv:
    """A row for each class of an image."""

    is_data = True

    def __init__(self) -> None:
        self._write("image", "rank", "class", "name", "score", "true")

    def add(self, found: Classified) -> None:
        truth = "" if found.truth is None else found.truth
        for rank, (place, name, score) in enumerate(found.best(), 1):
            self._write(str(found.image), rank, place, name, f"{score:.7g}", truth)

    def end(self) -> None:
        pass

    def _write(self, *cells: object) -> None:
        import csv
        import io

        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerow(cells)
        click.echo(out.getvalue(), nl=False)


class _Json:
    """An object per line for each image."""

    is_data = True

    def add(self, found: Classified) -> None:
        click.echo(json.dumps(_as_json(found)))

    def end(self) -> None:
        pass


def _as_json(found: Classified) -> dict[str, object]:
    from protonet.jobs.inference.classification import values_json

    top = [
        {"class": place, "name": name, "score": values_json(found.scores[place])}
        for place, name, _ in found.best()
    ]
    answer: dict[str, object] = {"image": str(found.image), "top": top}
    if found.truth is not None:
        answer["true"] = found.truth
    return answer


class _Table:
    """All predictions in one table, at the end."""

    is_data = False

    def __init__(self, top: int) -> None:
        self._top = top
        self._rows: list[tuple[str, str, str, str]] = []

    def add(self, found: Classified) -> None:
        truth = "" if found.truth is None else found.name(found.truth)
        for rank, (_, name, score) in enumerate(found.best()[: self._top]):
            first = rank == 0
            self._rows.append(
                (str(found.image) if first else "", f"{score:.4f}", name, truth if first else "")
            )

    def end(self) -> None:
        knows = any(row[3] for row in self._rows)
        columns = ("image", "score", "class", "true")[: 4 if knows else 3]
        if self._rows:
            print_table(columns, [row[: len(columns)] for row in self._rows], ("image", "class"))


def show_report(
    report: Report,
    classes: Sequence[str] | None,
    picture: Path | None,
    *,
    is_data: bool,
    by_class: bool = False,
) -> None:
    """Print the accuracy, the confusion matrix of a few classes, and the most frequent mistakes.
    With ``by_class`` a table of all classes, unless ``is_data``.

    Prints to standard error if standard output is for programs.

    Raises:
        UsageError: when a plot is requested, but no image has a known class.
    """
    if not report.images:
        if picture is not None:
            raise UsageError(
                "--confusion needs images of known class: a list with a class after each file, "
                "or folders with the names of the classes"
            )
        return
    from protonet.jobs.predictions.classes import class_figures

    names = [str(i) for i in range(len(report.confusion))] if classes is None else list(classes)
    say = note if is_data else click.echo
    _say_accuracies(report, say)
    if not is_data and len(names) <= _MATRIX:
        _print_matrix(report, names)
    elif report.right() < report.images:
        for true, said, often in report.mistakes(_MISTAKES):
            say(f"{often} of '{names[true]}' predicted as '{names[said]}'")
    if by_class and not is_data:
        print_classes(class_figures(report.confusion, names))
    if picture is not None:
        write_confusion(picture, report, names)
        say(str(picture))


def _say_accuracies(report: Report, say: Callable[[str], object]) -> None:
    """Top-1 accuracy, and top-5 where there are more classes."""
    for among in (1, 5):
        if among == 1 or len(report.confusion) > among:
            right = report.right(among)
            share = right / report.images
            say(f"top-{among} accuracy: {share:.4f} ({right} of {report.images})")


def _print_matrix(report: Report, names: Sequence[str]) -> None:
    """Rows are true classes, columns predicted ones."""
    rows = []
    for place, counts in enumerate(report.confusion.tolist()):
        total = sum(counts)
        share = f"{counts[place] / total:.2%}" if total else "-"
        rows.append([names[place], *(str(count) if count else "" for count in counts), share])
    click.echo()
    print_table(["true \\ predicted", *names, "correct"], rows)


def save_scores(path: Path, rows: Sequence[np.ndarray | None], count: int) -> None:
    """All scores, images x classes; NaN for images that could not be read."""
    import io

    import numpy as np

    from protonet.formats.atomic import write_atomic

    missing = np.full(count, np.nan, np.float32)
    array = np.stack([missing if row is None else row for row in rows]).astype(np.float32)
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    # The file name of np.save, as in classify.py.
    path = path if path.suffix == ".npy" else path.with_name(f"{path.name}.npy")
    write_atomic(path, buffer.getvalue())
    note(f"{path}: scores, {len(rows)} x {count}")
