"""Checks against golden cases, devices and memory: they fail where they should."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.layers import layer_class
from protonet.testing import assert_close, check_devices, check_golden, check_steady

GOLDEN = Path(__file__).parents[1] / "golden"
POWER = 'type: "Power" power_param { scale: 2 }'
PRODUCT = 'type: "InnerProduct" inner_product_param { num_output: 3 }'


@pytest.fixture
def altered(tmp_path: Path) -> Callable[[str, str, float], Path]:
    """A copy of a golden case in which one array is scaled."""

    def alter(case: str, key: str, factor: float) -> Path:
        data = dict(np.load(GOLDEN / case / "data.npz"))
        data[key] = data[key] * factor
        np.savez(tmp_path / "data.npz", **data)
        (tmp_path / "net.prototxt").write_text((GOLDEN / case / "net.prototxt").read_text())
        return tmp_path

    return alter


@pytest.mark.parametrize("key", ["top/y", "bottom_diff/x", "param_diff/0", "param_diff/1"])
def test_a_golden_case_fails_on_each_array(
    altered: Callable[[str, str, float], Path], key: str
) -> None:
    check_golden(altered("InnerProduct/default", key, 1.0))
    with pytest.raises(AssertionError, match=key):
        check_golden(altered("InnerProduct/default", key, 1.001))


def test_steps_and_changed_parameters_are_followed(tmp_path: Path) -> None:
    """Two passes of a product whose weights stay: the second has its own bottoms."""
    case = GOLDEN / "InnerProduct" / "nobias"
    data = dict(np.load(case / "data.npz"))
    weight = data["param/0"]
    arrays: dict[str, Any] = {"phase": "TRAIN", "steps": 2, "param/0": weight}
    for step, factor in enumerate((1.0, 3.0)):
        arrays[f"param_after/0@{step}"] = weight
        arrays[f"top_diff/y@{step}"] = data["top_diff/y"]
        arrays[f"bottom_diff/x@{step}"] = data["bottom_diff/x"]
        for key in ("bottom/x", "top/y", "param_diff/0"):
            arrays[f"{key}@{step}"] = data[key] * factor
    (tmp_path / "net.prototxt").write_text((case / "net.prototxt").read_text())
    np.savez(tmp_path / "data.npz", **arrays)
    check_golden(tmp_path)

    np.savez(tmp_path / "data.npz", **{**arrays, "param_after/0@1": weight + 1})
    with pytest.raises(AssertionError, match="param_after/0"):
        check_golden(tmp_path)


def test_small_entries_are_held_to_the_scale_of_their_array() -> None:
    assert_close([1000.0, 0.0005], np.array([1000.0, 0.0]), "a")
    with pytest.raises(AssertionError, match="b"):
        assert_close([1000.0, 0.002], np.array([1000.0, 0.0]), "b")
    assert_close(np.zeros((0, 3)), np.zeros((0, 3)), "empty")


def test_devices_are_compared_in_all_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Device()
    bottoms = [np.random.default_rng(0).standard_normal((4, 5))]
    check_devices(PRODUCT, bottoms, other)

    forward = layer_class("InnerProduct").forward

    def wrong(layer: Any, bottoms: Sequence[Any], tops: Sequence[Any]) -> None:
        forward(layer, bottoms, tops)
        if layer.device is other:
            tops[0][0, 0] += 1

    monkeypatch.setattr(layer_class("InnerProduct"), "forward", wrong)
    with pytest.raises(AssertionError, match="array 0 on cpu"):
        check_devices(PRODUCT, bottoms, other)


def test_a_metric_is_compared_without_gradients() -> None:
    check_devices('type: "Accuracy"', [np.eye(3), np.arange(3.0)], Device())


def test_an_allocation_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    bottoms = [np.ones((200, 300))]
    check_steady(POWER, bottoms)

    def wasteful(layer: Any, bottoms: Sequence[Any], tops: Sequence[Any]) -> None:
        tops[0][...] = bottoms[0] * 2.0

    monkeypatch.setattr(layer_class("Power"), "forward", wasteful)
    with pytest.raises(AssertionError, match=r"a pass allocated 2[0-9]{5} bytes"):
        check_steady(POWER, bottoms)
