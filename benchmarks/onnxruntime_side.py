"""onnxruntime: an ONNX model with its inputs and outputs bound once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort


class Inference:
    """Passes of a session with all optimizations, as its default provider for CPUs has them."""

    def __init__(self, model: Path, values: np.ndarray, precision: str, threads: int) -> None:
        if precision not in ("float32", "int8"):  # which the model itself tells
            raise ValueError(f"has no {precision} on CPUs")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_free_dimension_override_by_name("N", len(values))
        self.session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._binding = self.session.io_binding()
        self._binding.bind_cpu_input(self.session.get_inputs()[0].name, values)
        self._binding.bind_output(self.session.get_outputs()[0].name, "cpu")

    def run(self) -> None:
        """One pass."""
        self.session.run_with_iobinding(self._binding)

    def output(self) -> np.ndarray:
        """The output of the last pass."""
        return self._binding.copy_outputs_to_cpu()[0]
