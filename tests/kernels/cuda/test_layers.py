"""Whole layers on the stand-in for a GPU beside those on the CPU: the cases of the conformance."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph import meta_device
from protonet.layers.base import Fused, LowPrecision
from protonet.precision import PRECISIONS, type_of
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.testing import LayerHarness
from protonet.testing.checks import check_devices
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import assert_same
from tests.layers.test_conformance import CASES, METRICS, Case

TOUCHED = {
    "AbsLoss", "AbsVal", "Accuracy", "Axpy", "BNLL", "BatchNorm", "BatchReindex", "Bias", "Clip",
    "Concat", "ContrastiveLoss", "Convolution", "ConvolutionDepthwise", "Deconvolution",
    "DepthwiseConvolution", "Dropout", "ELU", "Eltwise", "Embed", "EuclideanLoss", "Exp",
    "HingeLoss", "InfogainLoss", "InnerProduct", "Interp", "L1Loss", "LRN",
    "Log", "PReLU", "Pooling", "Power", "ReLU", "ReLU6", "Scale", "Sigmoid",
    "SigmoidCrossEntropyLoss", "SmoothL1Loss", "Softmax", "SoftmaxWithLoss", "Swish", "TanH",
}  # fmt: skip
"""Types with CUDA versions of their kernels."""

NARROW = PRECISIONS[1:]

TAKE_NARROW = {
    "AbsVal", "Axpy", "BN", "BNLL", "BatchNorm", "BatchToSpaceND", "DepthToSpace", "SpaceToBatchND",
    "Bias", "Clip", "Concat", "Convolution",
    "Convolution3D", "ConvolutionDepthwise", "Crop", "Deconvolution", "Deconvolution3D",
    "DepthwiseConvolution", "Dropout", "ELU", "Eltwise", "Flatten", "Flip", "Gather",
    "InnerProduct", "LRN",
    "NdConvolution", "PReLU", "Pad", "Permute", "Pooling", "Power", "ReLU", "ReLU6", "Reorg",
    "Reshape", "Reverse", "SPP", "Scale", "ShuffleChannel", "Sigmoid", "Silence", "Slice", "Split",
    "Squeeze", "Swish", "TanH",
}  # fmt: skip
"""Types whose passes take values of 16 bits, in at least one case."""


@needs_compiler
@pytest.mark.parametrize(
    "case",
    [
        case
        for case in [*CASES, *METRICS]
        if any(f'type: "{each}"' in case.text for each in TOUCHED)
    ],
    ids=lambda case: case.text,
)
def test_layers_compute_what_they_do_on_the_cpu(case: Case) -> None:
    check_devices(case.text, case.bottoms(), EmulatedDevice(), phase=case.phase)


def supports_low_precision(case: Case, device: Device, dtype: str) -> bool:
    """Whether the layer of a case takes values of 16 bits."""
    bottoms = case.bottoms()
    layer = LayerHarness(case.text, bottoms, phase=case.phase).layer
    shapes = [np.shape(bottom) for bottom in bottoms]
    return meta_device.supports_low_precision(layer, shapes, device, type_of(dtype))


TAKING = [case for case in CASES if supports_low_precision(case, EmulatedDevice(), "bfloat16")]
"""Cases in which values are of 16 bits on a GPU."""


def test_these_types_take_16_bits() -> None:
    assert {case.type for case in TAKING} == TAKE_NARROW


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.text)
def test_a_cpu_takes_what_a_gpu_takes_at_most(case: Case) -> None:
    """And rounding, which begins at layers with weights, never begins without compiled kernels."""
    for dtype in NARROW:
        if supports_low_precision(case, Device("cpu"), dtype):
            assert case.type in TAKE_NARROW
    layer = LayerHarness(case.text, case.bottoms(), phase=case.phase).layer
    if layer.traits.low_precision is LowPrecision.ALWAYS:
        assert not supports_low_precision(case, Device("cpu"), "float16")
        for dtype in NARROW:
            assert not supports_low_precision(case, Device("cpu", tuned=False), dtype)


def test_these_types_take_bfloat16_on_every_cpu() -> None:
    taking = {case.type for case in CASES
              if supports_low_precision(case, Device("cpu"), "bfloat16")}  # fmt: skip
    assert {"ReLU", "Pooling", "BatchNorm", "Scale", "Eltwise", "Concat", "LRN"} <= taking


def run(
    texts: Sequence[str],
    bottoms: Sequence[np.ndarray],
    device: Device,
    dtype: Any,
    rounded: Any,
    *,
    phase: int,
    fuse: bool = False,
) -> list[np.ndarray]:
    """Tops, gradients of bottoms and of parameters, of layers one behind the other, for numbers of
    the type ``rounded``. With ``fuse``, the first layer computes all of them.
    """
    generator = np.random.default_rng(5)
    harnesses: list[LayerHarness] = []
    for text in texts:
        given = [harnesses[-1].tops[0]] if harnesses else [each.astype(rounded) for each in bottoms]
        made = LayerHarness(text, given, phase=phase, device=device, dtype=dtype)
        drawn = (generator.standard_normal(param.shape) for param in made.layer.params)
        made.set_params([np.abs(each).astype(np.float32) + np.float32(0.1) for each in drawn])
        harnesses.append(made)
    first, *rest = harnesses
    if fuse:
        first.layer.fused = Fused(tuple(each.layer for each in rest))
        first.layer.build([bottom.shape for bottom in first.bottoms])
        harnesses = [first]
    tops = first.forward()
    for before, each in pairwise(harnesses):
        each.inputs = [before.tops[0]]
        tops = each.forward()
    if phase == TEST:
        return tops
    weights = harnesses[-1].objective_weights(generator)
    gradients: list[Any] = [each.astype(rounded) for each in weights]
    for each in reversed(harnesses):
        gradients = each.backward(gradients)
    diffs = [np.array(device.get(d)) for each in (first, *rest) for d in each.param_diffs]
    return [*tops, *(each for each in gradients if each is not None), *diffs]


def check(texts: Sequence[str], case: Case, device: Device, dtype: str, *, fuse: bool) -> None:
    """Hold layers with values of 16 bits to those in float64 that get the same numbers."""
    narrow, bottoms = type_of(dtype), [each.astype(np.float32) for each in case.bottoms()]
    plain = Device("cpu", tuned=False)
    expected = run(texts, bottoms, plain, np.float64, narrow, phase=case.phase)
    found = run(texts, bottoms, device, narrow, narrow, phase=case.phase, fuse=fuse)
    # what is shifted after products were rounded may be less than they
    assert_same(found, expected, 2e-5, units=8 if fuse else 4)


@needs_compiler
@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("case", TAKING, ids=lambda case: case.text)
def test_layers_take_16_bits(case: Case, dtype: str) -> None:
    check([case.text], case, EmulatedDevice(), dtype, fuse=False)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("case", TAKING, ids=lambda case: case.text)
def test_layers_take_16_bits_on_a_gpu(case: Case, dtype: str) -> None:
    check([case.text], case, Device("cuda:0"), dtype, fuse=False)


BATCH_NORM, RELU = 'type: "BatchNorm"', 'type: "ReLU"'
SCALE = 'type: "Scale" scale_param { bias_term: true }'
CONVOLUTION = (
    'type: "Convolution" convolution_param { num_output: 3 kernel_size: 3 pad: 1 engine: CAFFE }'
)
FUSED = {
    "normalization, scale, rectification": ([BATCH_NORM, SCALE, RELU], TRAIN),
    "normalization, rectification": ([BATCH_NORM, RELU], TRAIN),
    "convolution, rectification": ([CONVOLUTION, RELU], TRAIN),
    "scale, rectification": ([SCALE, RELU], TRAIN),
    "product, rectification": (
        ['type: "InnerProduct" inner_product_param { num_output: 4 }', RELU],
        TRAIN,
    ),
    "convolution, normalization, scale, rectification": (
        [CONVOLUTION, BATCH_NORM, SCALE, RELU],
        TEST,
    ),
    "depthwise, normalization": (
        [
            'type: "DepthwiseConvolution" convolution_param { num_output: 3 kernel_size: 3 }',
            BATCH_NORM,
        ],
        TEST,
    ),
    "scale, power, bias": (
        [SCALE, 'type: "Power" power_param { scale: 2 shift: -0.5 }', 'type: "Bias"', RELU],
        TEST,
    ),
}


@needs_compiler
@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize(("texts", "phase"), FUSED.values(), ids=FUSED.keys())
def test_what_is_computed_at_once_takes_16_bits(texts: list[str], phase: int, dtype: str) -> None:
    check(texts, Case(texts[0], phase=phase), EmulatedDevice(), dtype, fuse=True)
