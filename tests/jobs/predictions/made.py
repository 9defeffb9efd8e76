"""Predictions that a test knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from protonet.jobs.predictions.stored import About, PredictionWriter, StoredPredictions

SCORES = np.array(
    [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.4, 0.35, 0.25], [0.05, 0.9, 0.05], [0.2, 0.5, 0.3]],
    np.float32,
)
TRUTHS = [0, 0, 1, 1, None]
"""Image 1 is wrong and sure, image 2 wrong and unsure, the class of image 4 unknown."""


def of_classes(folder: Path) -> StoredPredictions:
    about = About(70, "prob", Path("images"), classes=("a", "b", "c"))
    with PredictionWriter(folder, about, 9, 3) as writer:
        for place, (scores, truth) in enumerate(zip(SCORES, TRUTHS, strict=True)):
            writer.add(f"k{place}", scores, None if truth is None else [truth])
        writer.fail("x.png: is damaged")
        writer.complete()
    return StoredPredictions.read(folder)


def of_numbers(folder: Path) -> StoredPredictions:
    about = About(70, "output", Path("images"), Path("labels"))
    with PredictionWriter(folder, about, 3, 2) as writer:
        writer.add("near", np.array([1.0, 2.0], np.float32), [1.0, 2.5])
        writer.add("far", np.array([0.0, 0.0], np.float32), [3.0, 4.0])
        writer.add("unknown", np.array([5.0, 5.0], np.float32), None)
        writer.complete()
    return StoredPredictions.read(folder)
