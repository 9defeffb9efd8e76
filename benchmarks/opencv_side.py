"""OpenCV, which reads the deploy.prototxt and the .caffemodel themselves."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


class Inference:
    """Passes of a net, whose input is set once."""

    def __init__(self, model: Path, values: np.ndarray, precision: str, threads: int) -> None:
        if precision != "float32":
            raise ValueError(f"has no {precision} on CPUs")
        cv2.setNumThreads(threads)
        weights = model.with_name("net.caffemodel")
        self.net = cv2.dnn.readNetFromCaffe(str(model), str(weights))
        self.net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        self.net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
        self.net.setInput(values)
        self._made: np.ndarray | None = None

    def run(self) -> None:
        """One pass."""
        self._made = self.net.forward()

    def output(self) -> np.ndarray:
        """The output of the last pass."""
        assert self._made is not None
        return self._made
