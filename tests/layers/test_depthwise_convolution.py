"""Depthwise convolutions of forks: how many outputs they have."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from tests.layers.test_convolution import harness


def test_depthwise_outputs_are_a_multiple_of_the_channels() -> None:
    with pytest.raises(LayerError, match="num_output 8 must be a multiple of the 6 channels"):
        harness("num_output: 8 kernel_size: 3", kind="DepthwiseConvolution")


@pytest.mark.parametrize("fields", ["kernel_size: 3", "num_output: 8 kernel_size: 3 group: 4"])
def test_the_other_depthwise_type_never_reads_num_output(fields: str) -> None:
    run = harness(fields, kind="ConvolutionDepthwise")
    assert [param.shape for param in run.layer.params] == [(6, 1, 3, 3), (6,)]
    run.set_params([np.ones((6, 1, 3, 3)), np.arange(6.0)])
    (top,) = run.forward()
    assert top.shape == (2, 6, 3, 5)
    expected = run.bottoms[0][:, :, 1:4, 2:5].sum(axis=(2, 3)) + np.arange(6.0)
    np.testing.assert_allclose(top[:, :, 1, 2], expected, rtol=1e-5)
