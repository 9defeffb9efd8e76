"""What fused layers must not lose: weights in the objective on values between them, and NaN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.graph.net import Net
from protonet.jobs.inference.open_net import NetOptions, open_net
from protonet.proto.caffe_pb2 import TEST, TRAIN

HEAD = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 7 } } }
"""
TAIL = """
layer { name: "end" type: "Reduction" bottom: "z" top: "end" loss_weight: 2 }
"""
CONVOLVED = """
layer { name: "a" type: "Convolution" bottom: "x" top: "y" WEIGHT convolution_param {
  num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "gaussian" } } }
layer { name: "b" type: "ReLU" bottom: "y" top: "z" }
"""
MULTIPLIED = """
layer { name: "a" type: "InnerProduct" bottom: "x" top: "y" WEIGHT
  inner_product_param { num_output: 40 weight_filler { type: "gaussian" } } }
layer { name: "b" type: "ReLU" bottom: "y" top: "z" }
"""
DEPTHWISE = """
layer { name: "a" type: "DepthwiseConvolution" bottom: "x" top: "y" WEIGHT convolution_param {
  num_output: 3 kernel_size: 3 weight_filler { type: "gaussian" } } }
layer { name: "b" type: "ReLU" bottom: "y" top: "z" }
"""
NORMALIZED = """
layer { name: "a" type: "BatchNorm" bottom: "x" top: "w" }
layer { name: "k" type: "Scale" bottom: "w" top: "y" WEIGHT scale_param {
  bias_term: true filler { type: "uniform" min: 0.5 max: 2 } bias_filler { value: 0.25 } } }
layer { name: "b" type: "ReLU" bottom: "y" top: "z" }
"""
SCALED = """
layer { name: "a" type: "Scale" bottom: "x" top: "y" WEIGHT scale_param {
  bias_term: true filler { type: "gaussian" } bias_filler { value: 0.25 } } }
layer { name: "b" type: "ReLU" bottom: "y" top: "z" }
"""
SHIFTED = """
layer { name: "a" type: "Power" bottom: "x" top: "y" WEIGHT power_param { scale: -2 shift: 0.5 } }
layer { name: "b" type: "ReLU" bottom: "y" top: "z" }
"""
SUMMED = """
layer { name: "o" type: "Power" bottom: "x" top: "o" power_param { scale: 0.5 shift: -1 } }
layer { name: "a" type: "Eltwise" bottom: "x" bottom: "o" top: "y" WEIGHT eltwise_param { OP } }
layer { name: "b" type: "ReLU" bottom: "y" top: "z" }
"""
CHAINS = {
    "convolved": CONVOLVED,
    "multiplied": MULTIPLIED,
    "depthwise": DEPTHWISE,
    "normalized": NORMALIZED,
    "scaled": SCALED,
    "shifted": SHIFTED,
    "sum": SUMMED.replace("OP", "operation: SUM coeff: 1 coeff: -2"),
    "product": SUMMED.replace("OP", "operation: PROD"),
    "maximum": SUMMED.replace("OP", "operation: MAX"),
}
WHICH = pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)


def opened(folder: Path, text: str, phase: int, *, fuse: bool) -> Net:
    """The net as commands open it; where ``fuse``, nobody looks at what is inside."""
    path = folder / "net.prototxt"
    path.write_text(text)
    reads_inner_blobs = (lambda _: False) if fuse else None
    options = NetOptions(phase=phase, gradients=phase == TRAIN, fuse=fuse)
    return open_net(path, options, reads_inner_blobs=reads_inner_blobs)


def image(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


@WHICH
@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_what_weighs_between_fused_layers_is_counted(
    tmp_path: Path, chain: str, phase: int
) -> None:
    text = f"force_backward: true {HEAD}{chain.replace('WEIGHT', 'loss_weight: 0.5')}{TAIL}"
    plain, fused = (opened(tmp_path, text, phase, fuse=each) for each in (False, True))
    for net in (plain, fused):
        net.blobs["x"].data[...] = image((2, 3, 5, 7))
        net.forward()
        if phase == TRAIN:
            net.backward()
    y = np.asarray(plain.blobs["y"].data, np.float64)
    expected = 0.5 * y.sum() + 2 * np.maximum(y, 0).sum()
    np.testing.assert_allclose(plain.loss(), expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(fused.loss(), expected, rtol=1e-5, atol=1e-4)
    if phase == TRAIN:
        np.testing.assert_allclose(fused.store.diff, plain.store.diff, rtol=1e-4, atol=1e-4)


@WHICH
@pytest.mark.parametrize("fuse", [False, True])
@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_what_is_not_a_number_stays_so_behind_a_rectifier(
    tmp_path: Path, chain: str, phase: int, fuse: bool
) -> None:
    """A diverged training must not look like one of zeros. Caffe's max(x, 0) keeps NaN, too."""
    net = opened(tmp_path, HEAD + chain.replace("WEIGHT", "") + TAIL, phase, fuse=fuse)
    net.blobs["x"].data[...] = image((2, 3, 5, 7))
    net.forward()
    assert np.isfinite(net.loss())
    net.blobs["x"].data[1, 2, 4, 6] = np.nan
    with np.errstate(all="ignore"):
        net.forward()
    assert np.isnan(net.loss())
