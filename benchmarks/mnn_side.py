"""MNN: a converted model in a session of its interpreter."""

from __future__ import annotations

from pathlib import Path

import MNN
import numpy as np


class Inference:
    """Passes of a session, whose input is copied in before each: it overwrites it."""

    def __init__(self, model: Path, values: np.ndarray, precision: str, threads: int) -> None:
        self.interpreter = MNN.Interpreter(str(model))
        kept = {"float32": "high", "bfloat16": "low_bf16"}[precision]
        self.session = self.interpreter.createSession(
            {"backend": "CPU", "numThread": threads, "precision": kept}
        )
        self._given = self.interpreter.getSessionInput(self.session)
        self.interpreter.resizeTensor(self._given, values.shape)
        self.interpreter.resizeSession(self.session)
        self._values = _tensor(values.shape, values)

    def run(self) -> None:
        """One pass."""
        self._given.copyFrom(self._values)
        self.interpreter.runSession(self.session)

    def output(self) -> np.ndarray:
        """The output of the last pass."""
        made = self.interpreter.getSessionOutput(self.session)
        shape = made.getShape()
        copy = _tensor(shape, np.zeros(shape, np.float32))
        made.copyToHostTensor(copy)
        return np.array(copy.getNumpyData()).reshape(shape)


def _tensor(shape: tuple[int, ...], values: np.ndarray) -> MNN.Tensor:
    return MNN.Tensor(shape, MNN.Halide_Type_Float, values, MNN.Tensor_DimensionType_Caffe)
