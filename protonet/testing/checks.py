"""Compares a layer with Caffe's results and another device; checks its allocations."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format

from protonet.device import Device
from protonet.proto.caffe_pb2 import TEST, TRAIN, LayerParameter, NetParameter
from protonet.testing.harness import LayerHarness


def check_golden(folder: Path, device: Device | None = None, *, gradients: bool = True) -> None:
    """Compare a layer with a case that Caffe computed: ``net.prototxt`` and ``data.npz``.

    Relative error 1e-4, or an absolute one of 1e-6 of an array's largest value. Without
    ``gradients`` the forward pass alone is compared.
    """
    net = text_format.Parse((folder / "net.prototxt").read_text(), NetParameter())
    spec = next(layer for layer in net.layer if layer.name == "l")
    data = np.load(folder / "data.npz", allow_pickle=False)
    phase = TRAIN if str(data["phase"]) == "TRAIN" else TEST
    steps = int(data["steps"])
    harness: LayerHarness | None = None
    for step in range(steps):
        suffix = f"@{step}" if steps > 1 else ""
        case = {key.removesuffix(suffix): data[key] for key in data.files if key.endswith(suffix)}
        bottoms = [case[f"bottom/{name}"] for name in spec.bottom]
        if harness is None:
            harness = LayerHarness(spec, bottoms, phase=phase, device=device)
            harness.set_params([data[f"param/{i}"] for i in range(len(harness.layer.params))])
        harness.inputs = bottoms
        _check_pass(harness, case, gradients)


def _check_pass(harness: LayerHarness, case: dict[str, np.ndarray], gradients: bool) -> None:
    """One pass forward and, for ``gradients``, backward, compared with the case."""
    spec, params = harness.layer.spec, harness.layer.params
    for name, top in zip(spec.top, harness.forward(), strict=True):
        assert_close(top, case[f"top/{name}"], f"top/{name}")
    for place, param in enumerate(params):
        harness.param_diffs[place].fill(0.0)
        if f"param_after/{place}" in case:
            found = harness.device.get(param.data)
            assert_close(found, case[f"param_after/{place}"], f"param_after/{place}")
    has_gradients = any(key.startswith(("bottom_diff/", "param_diff/")) for key in case)
    if not (gradients and has_gradients):
        return
    # A loss has no top_diff: its gradient is the loss weight.
    weights = list(spec.loss_weight) or [1.0] + [0.0] * len(spec.top)
    dtops = [
        case.get(f"top_diff/{name}", np.full(top.shape, weights[place]))
        for place, (name, top) in enumerate(zip(spec.top, harness.tops, strict=True))
    ]
    for name, dbottom in zip(spec.bottom, harness.backward(dtops), strict=True):
        if f"bottom_diff/{name}" in case:
            # Caffe leaves zeros where there is no gradient.
            gradient = np.zeros(()) if dbottom is None else dbottom
            assert_close(gradient, case[f"bottom_diff/{name}"], f"bottom_diff/{name}")
    for place, diff in enumerate(harness.param_diffs):
        if f"param_diff/{place}" in case:
            found = harness.device.get(diff)
            assert_close(found, case[f"param_diff/{place}"], f"param_diff/{place}")


def assert_close(found: Any, expected: np.ndarray, what: str) -> None:
    """Relative error 1e-4; entries near 0 may differ by 1e-6 of the greatest."""
    scale = float(np.abs(expected).max()) if expected.size else 0.0
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6 * scale, err_msg=what)


def check_devices(
    layer: str | LayerParameter,
    bottoms: Sequence[np.ndarray],
    device: Device,
    *,
    phase: int = TRAIN,
    seed: int = 0,
) -> None:
    """Compare forward, backward and parameter gradients on ``device`` with those on the CPU."""
    results = []
    for each in (Device(), device):
        generator = np.random.default_rng(seed)
        harness = LayerHarness(layer, bottoms, phase=phase, device=each, seed=seed)
        params = harness.layer.params
        harness.set_params([generator.standard_normal(param.shape) for param in params])
        arrays = list(harness.forward())
        if harness.param_diffs or any(each is not None for each in harness.dbottoms):
            gradients = harness.backward(harness.objective_weights(generator))
            arrays += [array for array in gradients if array is not None]
        arrays += [np.array(each.get(diff)) for diff in harness.param_diffs]
        results.append(arrays)
    for place, (expected, found) in enumerate(zip(*results, strict=True)):
        assert_close(found, expected, f"array {place} on {device.name}")


def check_steady(
    layer: str | LayerParameter,
    bottoms: Sequence[np.ndarray],
    *,
    phase: int = TRAIN,
    limit: int = 150_000,
) -> None:
    """Check that a pass after the first allocates at most ``limit`` bytes at any moment.

    That is room for views and for the fixed buffers of up to 32 KB in which NumPy converts
    between types, a few at once; the bottoms should be larger.
    """
    harness = LayerHarness(layer, bottoms, phase=phase)
    trained = any(dbottom is not None for dbottom in harness.dbottoms)

    def run() -> None:
        harness.layer.forward(harness.bottoms, harness.tops)
        if trained:
            harness.layer.backward(harness.dtops, harness.bottoms, harness.tops, harness.dbottoms)

    harness.forward()
    run()
    tracemalloc.start()
    try:
        run()
        tracemalloc.reset_peak()
        start, _ = tracemalloc.get_traced_memory()
        run()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    if peak - start > limit:
        raise AssertionError(f"a pass allocated {peak - start} bytes, more than {limit}")
