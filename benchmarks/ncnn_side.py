"""ncnn: its text and weights, one image after the other, since it has no batches."""

from __future__ import annotations

from pathlib import Path

import ncnn
import numpy as np


class Inference:
    """An extractor for each image of a batch."""

    def __init__(self, model: Path, values: np.ndarray, precision: str, threads: int) -> None:
        self.net = ncnn.Net()
        self.net.opt.num_threads = threads
        self.net.opt.use_bf16_storage = precision == "bfloat16"
        for name in ("storage", "arithmetic", "packed"):
            setattr(self.net.opt, f"use_fp16_{name}", False)
        if self.net.load_param(str(model)) or self.net.load_model(str(model.with_suffix(".bin"))):
            raise ValueError("does not load what pnnx wrote")
        self._images = [ncnn.Mat(image).clone() for image in values]
        (self._input,), (self._output,) = self.net.input_names(), self.net.output_names()
        self._made: list[ncnn.Mat] = []

    def run(self) -> None:
        """One pass."""
        self._made = []
        for image in self._images:
            extractor = self.net.create_extractor()
            extractor.input(self._input, image)
            self._made.append(extractor.extract(self._output)[1])

    def output(self) -> np.ndarray:
        """The outputs of the last pass."""
        return np.stack([np.array(made) for made in self._made])
