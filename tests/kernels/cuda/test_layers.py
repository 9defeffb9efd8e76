"""Whole layers on the stand-in for a GPU beside those on the CPU: the cases of the conformance."""

from __future__ import annotations

import pytest

from protonet.testing.checks import check_devices
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.layers.test_conformance import CASES, Case

TOUCHED = {
    "BatchNorm", "Bias", "Convolution", "Deconvolution", "DepthwiseConvolution", "Dropout",
    "EuclideanLoss", "InnerProduct", "LRN", "Pooling", "ReLU", "Scale", "Softmax",
    "SoftmaxWithLoss",
}  # fmt: skip
"""Types with CUDA versions of their kernels."""


@needs_compiler
@pytest.mark.parametrize(
    "case",
    [case for case in CASES if any(f'type: "{each}"' in case.text for each in TOUCHED)],
    ids=lambda case: case.text,
)
def test_layers_compute_what_they_do_on_the_cpu(case: Case) -> None:
    check_devices(case.text, case.bottoms(), EmulatedDevice(), phase=case.phase)
