"""Layers whose passes are captured, compared with eager passes: the cases of the conformance."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from protonet.cuda_graph import capture
from protonet.layers import layer_class
from protonet.testing import LayerHarness
from protonet.testing.checks import check_devices
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.layers.test_conformance import CASES, METRICS, Case
from tests.layers.test_recurrent import text, values

RECURRENT = [
    Case(text(kind, static, exposed), make=partial(values, kind, static, exposed))
    for kind in ("LSTM", "RNN")
    for static in (False, True)
    for exposed in (False, True)
]

RECORDED = [
    case
    for case in [*CASES, *METRICS, *RECURRENT]
    for cls in [layer_class(case.type)]
    if cls.traits.capturable and not cls.traits.dynamic
]


@needs_compiler
@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case.text)
def test_layers_can_be_recorded(case: Case) -> None:
    harness = LayerHarness(case.text, case.bottoms(), phase=case.phase, device=EmulatedDevice())
    trained = harness.param_diffs or any(each is not None for each in harness.dbottoms)
    weights = harness.objective_weights(np.random.default_rng(0))

    def passes() -> None:
        harness.layer.forward(harness.bottoms, harness.tops)
        if trained:
            harness.layer.backward(harness.dtops, harness.bottoms, harness.tops, harness.dbottoms)

    harness.forward()
    if trained:
        harness.backward(weights)
    cuda_graph = capture(harness.device, passes)
    written = [*harness.tops, *(dx for dx in harness.dbottoms if dx is not None)]
    state = [*harness.param_diffs, *(param.data for param in harness.layer.params)]
    before = [np.array(each) for each in state]
    passes()
    expected = [np.array(each) for each in (*written, *state)]
    for array in written:
        array.fill(np.nan)
    for array, host in zip(state, before, strict=True):
        array[...] = host
    cuda_graph.launch()
    for found, wanted in zip((*written, *state), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


@needs_compiler
@pytest.mark.parametrize("case", RECURRENT, ids=lambda case: case.text)
def test_recurrent_layers_compute_what_they_do_on_the_cpu(case: Case) -> None:
    check_devices(case.text, case.bottoms(), EmulatedDevice(), phase=case.phase)
