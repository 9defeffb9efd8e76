"""OpenVINO: an ONNX model at a fixed batch, compiled for latency."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino as ov


class Inference:
    """Passes of one request, whose input is set once."""

    def __init__(self, model: Path, values: np.ndarray, precision: str, threads: int) -> None:
        core = ov.Core()
        read = core.read_model(model)
        read.reshape(values.shape)
        compiled = core.compile_model(
            read,
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
                "INFERENCE_NUM_THREADS": str(threads),
            },
        )
        self.request = compiled.create_infer_request()
        self._values = values
        self.request.set_input_tensor(ov.Tensor(values, shared_memory=True))

    def run(self) -> None:
        """One pass."""
        self.request.infer()

    def output(self) -> np.ndarray:
        """The output of the last pass."""
        return np.array(self.request.get_output_tensor().data)
