"""Figures of segmentation as tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from protonet.cli.terminal import print_table

if TYPE_CHECKING:
    from protonet.jobs.evaluation.segmentation import SegmentationReport
    from protonet.train.metrics.segmentation import PixelCounts

_MISTAKES = 5
"""Kinds of mistakes that are listed."""


def show_pixels(
    report: SegmentationReport,
    run: Path | None,
    worst: int,
    picture: Path | None,
    keys: Sequence[str] = (),
) -> None:
    """Print a report, with the names of the classes of a run, and draw its confusion matrix.
    ``keys`` are those of the images' records, where they are known.
    """
    from protonet.jobs.run.directory import RunDirectory

    names = None if run is None else RunDirectory(run).class_names()
    counts = report.counts
    ignored = f", {counts.ignored} pixels ignored" if counts.ignored else ""
    click.echo(f"\n{report.name}: {len(report.ious)} images{ignored}")
    _show_means(counts)
    print_table(
        ("class", "IoU", "accuracy", "precision", "pixels"),
        [
            (each.name, *map(_share, (each.iou, each.accuracy, each.precision, each.share)))
            for each in report.classes(names)
        ],
        numbers=("IoU", "accuracy", "precision", "pixels"),
    )
    classes = [each.name for each in report.classes(names)]
    for true, said, pixels in report.mistakes(_MISTAKES if worst else 0):
        share = pixels / max(1, int(counts.pixels[true]))
        click.echo(f"{classes[true]} taken for {classes[said]}: {share:.2%} of its pixels")
    for item, iou in report.worst(worst):
        key = f" ({keys[item % len(keys)]})" if keys else ""
        click.echo(f"item {item}{key}: mean IoU {iou:.4g}")
    if picture is not None:
        report.draw(picture, names)
        click.echo(picture)


def _show_means(counts: PixelCounts) -> None:
    for what, value in (
        ("mean IoU", counts.mean_iou),
        ("pixel accuracy", counts.accuracy),
        ("mean class accuracy", counts.mean_accuracy),
        ("IoU weighted by pixels", counts.weighted_iou),
    ):
        click.echo(f"{what} = {_share(value)}")


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2%}"
