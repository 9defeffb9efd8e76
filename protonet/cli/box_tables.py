"""Figures of detectors as tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from protonet.cli.terminal import print_table

if TYPE_CHECKING:
    from protonet.jobs.evaluation.detection import ClassFigures, DetectionReport

_NUMBERS = ("objects", "AP 11 points", "AP area", "AP integral", "COCO", "precision", "recall")


def show_boxes(
    reports: Sequence[DetectionReport], threshold: float, worst: int, picture: Path | None
) -> None:
    """Print the reports on detectors, and draw the curves of the first one.

    Args:
        reports: on the detectors of a net.
        threshold: the score from which on boxes count as found in shares and mistakes.
        worst: how many images with mistakes are listed.
        picture: where the curves are drawn; None for nowhere.
    """
    for report in reports:
        _print(report, threshold, worst)
    if picture is not None and reports:
        reports[0].draw(picture)
        click.echo(picture)


def _print(report: DetectionReport, threshold: float, worst: int) -> None:
    every = report.mean(threshold)
    click.echo(
        f"\n{report.output}: {report.images} images, {every.objects} objects, overlap "
        f"{report.threshold:g}"
    )
    for what, value in (
        ("mean average precision, 11 points (VOC 2007)", every.eleven_points),
        ("mean average precision, area (VOC since 2010)", every.area),
        ("mean average precision, integral", every.integral),
        ("mean average precision, COCO 0.5:0.95", every.coco),
        ("  at 0.5", every.coco50),
        ("  at 0.75", every.coco75),
        *((f"  {name} objects", value) for name, value in report.coco.by_size.items()),
    ):
        click.echo(f"{what} = {_figure(value)}")
    print_table(
        ("class", *_NUMBERS),
        [_row(each) for each in [*report.classes(threshold), every]],
        numbers=_NUMBERS,
    )
    click.echo(f"precision and recall of boxes with a score of {threshold:g} or more")
    for each in report.worst(worst, threshold):
        click.echo(f"{each.key}: {each.missed} missed, {_alarms(each.false)}")


def _row(each: ClassFigures) -> tuple[str, ...]:
    figures = each.eleven_points, each.area, each.integral, each.coco, each.precision, each.recall
    return each.name, str(each.objects), *map(_figure, figures)


def _alarms(count: int) -> str:
    return "1 false alarm" if count == 1 else f"{count} false alarms"


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
