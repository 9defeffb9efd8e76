"""Every case of what Torch7 itself computed: outputs, losses, gradients, running statistics."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.proto.source import Source
from protonet.torch7 import load, load_criterion
from protonet.torch7.lua import running
from protonet.torch7.lua.child import answer
from protonet.torch7.lua.definition import Limits
from protonet.torch7.lua.form import receive, send

GOLDEN = Path(__file__).parents[1] / "golden_torch7"
CASES = sorted(path.parent for path in GOLDEN.glob("*/*/net.lua") if "trainings" not in path.parts)
TOLERANCE = 1e-4
"""Relative to the largest value of an array."""


@pytest.fixture(autouse=True)
def no_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The definition is run here: 100 processes would take half a minute to begin. What is sent
    and answered is the same; ``lua/test_running.py`` has the processes.
    """

    def ask(request: bytes, limits: Limits, source: Source) -> bytes:
        sent = io.BytesIO()
        send(sent, *answer(*receive(io.BytesIO(request)), limits))
        return sent.getvalue()

    monkeypatch.setattr(running, "_ask", ask)


def close(found: Any, expected: np.ndarray, what: str) -> None:
    found = np.asarray(found)
    assert found.shape == expected.shape, what
    scale = max(float(np.abs(expected).max(initial=0)), 1e-6)
    assert np.abs(found - expected).max(initial=0) <= TOLERANCE * scale, what


def numbered(data: Any, stem: str) -> list[np.ndarray]:
    """The arrays ``stem/0``, ``stem/1``, ... in order; of nested tables from left to right."""
    keys = [key for key in data.files if key.startswith(f"{stem}/")]
    keys.sort(key=lambda key: [int(part) for part in key.split("/")[1:]])
    return [data[key] for key in keys]


def leaves(value: Any) -> list[Any]:
    return [leaf for each in value for leaf in leaves(each)] if isinstance(value, list) else [value]


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def is_module(path: Path) -> bool:
    return "phase" in np.load(path / "data.npz").files


@pytest.mark.parametrize("path", [path for path in CASES if is_module(path)], ids=name_of)
def test_modules(path: Path) -> None:
    data = np.load(path / "data.npz")
    inputs = numbered(data, "input")
    phase = str(data["phase"])
    model = load(path / "net.lua", input_shapes=[each.shape for each in inputs], phase=phase)
    for (value, gradient), given in zip(model.parameters(), numbered(data, "param"), strict=True):
        value[...] = given
        gradient[...] = 0
    outputs = leaves(model.forward(*inputs))
    for place, expected in enumerate(numbered(data, "output")):
        close(outputs[place], expected, f"output/{place}")
    gradients = model.backward(*numbered(data, "grad_output"))
    for place, expected in enumerate(numbered(data, "grad_input")):
        close(gradients[place], expected, f"grad_input/{place}")
    for place, expected in enumerate(numbered(data, "grad_param")):
        close(model.parameters()[place][1], expected, f"grad_param/{place}")
    state = model.state()
    for key in data.files:
        if key.startswith("state/"):
            close(state[key.removeprefix("state/")], data[key], key)


@pytest.mark.parametrize("path", [path for path in CASES if not is_module(path)], ids=name_of)
def test_criterions(path: Path) -> None:
    data = np.load(path / "data.npz")
    inputs = numbered(data, "input")
    x: Any = inputs if len(inputs) > 1 else inputs[0]
    criterion = load_criterion(path / "net.lua")
    assert criterion.forward(x, data["target"]) == pytest.approx(float(data["loss"]), rel=1e-4)
    gradients = leaves(criterion.backward(x, data["target"]))
    for place, expected in enumerate(numbered(data, "grad_input")):
        close(gradients[place], expected, f"grad_input/{place}")


def test_there_is_a_case_for_each_kind() -> None:
    assert len(CASES) > 90
