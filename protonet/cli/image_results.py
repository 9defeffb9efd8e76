"""Results of a run image by image: figures by class, the wrong images, every answer as a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from protonet.cli.terminal import note, print_table, progress
from protonet.errors import UsageError

if TYPE_CHECKING:
    from protonet.jobs.evaluation.confusion import Report
    from protonet.jobs.inference.trained_run import Predictor
    from protonet.jobs.predictions.classes import ClassFigures
    from protonet.jobs.predictions.summary import ClassSummary, NumberSummary, Scored
    from protonet.jobs.run.directory import RunDirectory

C = TypeVar("C", bound=Callable[..., Any])
_PATH = click.Path(path_type=Path)
_ENDINGS = (".csv", ".json", ".jsonl")
_SHOWN = 100
"""Classes of a printed table; the ones with the lowest recall are shown of more."""


@dataclass(frozen=True)
class ImageResults:
    """What is asked of each image: a table of classes, or JSON, and files."""

    by_class: bool = False
    confusion: Path | None = None
    wrong: Path | None = None
    answers: Path | None = None
    as_json: bool = False

    @staticmethod
    def of(given: dict[str, Any], *, as_json: bool) -> ImageResults:
        """Taken out of the parameters of a command.

        Raises:
            UsageError: for files of other types.
        """
        names = [each.name for each in fields(ImageResults) if each.name != "as_json"]
        found = ImageResults(**{name: given.pop(name) for name in names}, as_json=as_json)
        for path in (found.wrong, found.answers):
            check_ending(path)
        return found

    @property
    def wanted(self) -> bool:
        """Whether any of it is asked for; JSON alone is not."""
        return self != ImageResults(as_json=self.as_json)


def check_ending(path: Path | None) -> None:
    """Refuse files of images of other types, before anything is computed.

    Raises:
        UsageError: for one.
    """
    if path is not None and path.suffix.lower() not in _ENDINGS:
        raise UsageError(f"{path}: expected a file that ends in {', '.join(_ENDINGS)}")


def image_results_options(command: C) -> C:
    """The options of ``ImageResults``."""
    files = "(.csv, or .json with a line for each)"
    for option in (
        click.option(
            "--answers", type=_PATH, metavar="FILE",
            help=f"For a run: write every image with truth and prediction {files}.",
        ),
        click.option(
            "--wrong", type=_PATH, metavar="FILE",
            help="For a run: write the wrong images, the surest first; for vectors all, the "
            f"farthest off first {files}.",
        ),
        click.option(
            "--confusion", type=_PATH, metavar="FILE",
            help="For a run: the confusion matrix (.csv, .png, .svg, .pdf).",
        ),
        click.option(
            "--by-class", is_flag=True, help="For a run: print images, recall and precision of "
            "each class.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def show_image_results(
    predictor: Predictor,
    data: Path | None,
    labels: Path | None,
    asked: ImageResults,
) -> None:
    """Predict on every image of a run's validation data, or of ``data``, and tell what is asked.

    Raises:
        UsageError, DataError: for data that cannot be read or does not fit the run.
    """
    import tempfile

    from protonet.jobs.predictions.predict import predict_with
    from protonet.jobs.predictions.stored import StoredPredictions
    from protonet.jobs.predictions.summary import scored

    images, vectors = (data, labels) if data is not None else _validation(predictor.run)
    with tempfile.TemporaryDirectory(prefix="protonet-") as folder:
        with progress("images") as watch:
            predict_with(predictor, Path(folder), images, vectors, progress=watch)
        _tell(scored(StoredPredictions.read(Path(folder))), asked)


def _validation(run: RunDirectory) -> tuple[Path, Path | None]:
    """The validation images and labels of a run."""
    from protonet.jobs.run.settings import RunSettings

    settings = run.record().settings
    if not isinstance(settings, RunSettings) or settings.val_data is None:
        raise UsageError(
            f"{run.path}: has no validation data of its own; give images with --data (and --labels)"
        )
    return settings.val_data, settings.val_labels


def _tell(found: Scored, asked: ImageResults) -> None:
    from protonet.jobs.predictions.summary import (
        ClassSummary,
        images_json,
        summarize,
        summary_json,
    )

    summary = summarize(found)
    for message in summary.failed:
        note(message)
    if asked.as_json:
        click.echo(json.dumps(summary_json(summary)))
    elif isinstance(summary, ClassSummary):
        _print_classes(summary)
    else:
        _print_numbers(summary)
    if asked.confusion is not None:
        _write_confusion(asked.confusion, found)
    for path, wrong in ((asked.wrong, True), (asked.answers, False)):
        if path is not None:
            count = write_images(path, images_json(found, wrong=wrong))
            note(f"{path}: {count} images")


def _print_classes(summary: ClassSummary) -> None:
    click.echo(f"{summary.count} images, weights of iteration {summary.iteration}")
    if summary.known:
        click.echo(f"top-1 accuracy: {summary.accuracy:.4f}")
        if len(summary.classes) > 5:
            click.echo(f"top-5 accuracy: {summary.top_5:.4f}")
    print_classes(summary.classes)


def print_classes(classes: Sequence[ClassFigures]) -> None:
    """A table of classes; of many those with the lowest recall."""
    shown = list(classes)
    if len(shown) > _SHOWN:
        # Without images there is no recall: these come last.
        shown = sorted(shown, key=lambda each: (not each.images, each.recall))[:_SHOWN]
        note(f"the {_SHOWN} classes of {len(classes)} with the lowest recall")
    print_table(
        ("class", "images", "predicted", "right", "recall", "precision"),
        [
            (each.name, str(each.images), str(each.predicted), str(each.right),
             _share(each.recall), _share(each.precision))
            for each in shown
        ],
        numbers=("recall", "precision"),
    )  # fmt: skip


def _print_numbers(summary: NumberSummary) -> None:
    click.echo(f"{summary.count} images, weights of iteration {summary.iteration}")
    print_table(
        ("component", "MAE", "RMSE", "R^2"),
        [
            (each.name, f"{each.mae:.6g}", f"{each.rmse:.6g}", f"{each.r2:.6g}")
            for each in summary.components
        ],
    )


def _share(value: float) -> str:
    return "-" if value != value else f"{value:.2%}"


def _write_confusion(path: Path, found: Scored) -> None:
    from protonet.jobs.evaluation.confusion import Report
    from protonet.jobs.predictions.classes import ClassPredictions

    if not isinstance(found, ClassPredictions) or not found.known:
        raise UsageError("--confusion needs images of known class")
    write_confusion(path, Report.of(found.confusion), found.classes)
    note(str(path))


def write_confusion(
    path: Path, report: Report, classes: Sequence[str], what: str = "images"
) -> None:
    """The confusion matrix as a table (.csv: true classes are rows) or a picture; ``what`` is
    counted.

    Raises:
        UsageError: for another file type.
    """
    if path.suffix.lower() != ".csv":
        report.draw(path, classes, what)
        return
    rows = [
        [name, *counts] for name, counts in zip(classes, report.confusion.tolist(), strict=True)
    ]
    _write_csv(path, [["true", *classes], *rows])


def write_images(path: Path, images: Iterable[dict[str, Any]]) -> int:
    """Write images to a file, in CSV or as lines of JSON; return how many there are."""
    from protonet.formats.atomic import write_atomic

    count = 0

    def counted() -> Iterable[dict[str, Any]]:
        nonlocal count
        for image in images:
            count += 1
            yield image

    if path.suffix.lower() == ".csv":
        _write_csv(path, _rows(counted()))
    else:
        write_atomic(path, ((json.dumps(image) + "\n").encode() for image in counted()))
    return count


def _rows(images: Iterable[dict[str, Any]]) -> Iterable[list[object]]:
    """A header, and a row for each image: its truth, then classes and scores or the numbers; of
    boxes how many there are.
    """
    for number, image in enumerate(images):
        if "truths" in image or "mean_iou" in image:
            cells = {key: len(value) if isinstance(value, list) else value
                     for key, value in image.items() if key != "index"}  # fmt: skip
            if not number:
                yield list(cells)
            yield ["" if value is None else value for value in cells.values()]
            continue
        if "top" in image:
            top = image["top"]
            if not number:
                each = [f"{what}_{place}" for place in range(1, len(top) + 1)
                        for what in ("class", "name", "score")]  # fmt: skip
                yield ["image", "true", "true_name", *each]
            told = [part for best in top for part in (best["class"], best["name"], best["score"])]
            yield [image["image"], image.get("true", ""), image.get("true_name", ""), *told]
            continue
        said, true = image["predicted"], image["true"] or [""] * len(image["predicted"])
        if not number:
            names = [f"{what}_{at}" for what in ("predicted", "true") for at in range(len(said))]
            yield ["image", "distance", *names]
        yield [image["image"], "" if image["distance"] is None else image["distance"], *said, *true]


def _write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    import csv
    import io

    from protonet.formats.atomic import write_atomic

    def lines() -> Iterable[bytes]:
        for row in rows:
            out = io.StringIO()
            csv.writer(out, lineterminator="\n").writerow(row)
            yield out.getvalue().encode("utf-8", "surrogateescape")

    write_atomic(path, lines())
