"""The figures of ``protonet test`` as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from protonet.jobs.evaluation.full_dataset import Averages
    from protonet.jobs.evaluation.segmentation import SegmentationReport


def averages_json(
    found: Averages, names: Sequence[str] | None, threshold: float, worst: int
) -> dict[str, Any]:
    """Means of the outputs by name, and figures of vectors, of pixels and of boxes, if any.

    ``components``, and the figures of ``segmentation`` and its ``classes``, have the names that the
    API has for them; null stands for what cannot be told.
    """
    from protonet.jobs.json_form import finite_json
    from protonet.train.listeners.metrics import by_name

    told: dict[str, Any] = {
        "loss": found.loss,
        "outputs": by_name(found.outputs),
        "count": found.length,
    }
    told["vectors"] = [
        {
            "name": each.name,
            "count": len(each.true),
            "components": each.components(),
            "worst": [{"item": item, "distance": far} for item, far in each.worst(worst)],
        }
        for each in found.reports
    ]
    if found.pixels is not None:
        told["segmentation"] = _pixels(found.pixels, names, worst)
    if found.detectors:
        told["detection"] = [
            {"mean": each.mean(threshold), "classes": each.classes(threshold)}
            for each in found.detectors
        ]
    plain: dict[str, Any] = finite_json(told)
    return plain


def _pixels(report: SegmentationReport, names: Sequence[str] | None, worst: int) -> dict[str, Any]:
    counts = report.counts
    return {
        "name": report.name,
        "count": len(report.ious),
        "mean_iou": counts.mean_iou,
        "pixel_accuracy": counts.accuracy,
        "mean_accuracy": counts.mean_accuracy,
        "weighted_iou": counts.weighted_iou,
        "ignored": counts.ignored,
        "classes": report.classes(names),
        "worst": [{"item": item, "mean_iou": iou} for item, iou in report.worst(worst)],
    }
