"""Pictures and traces of profiles that are made up."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from protonet.data.prefetch import WorkerTime
from protonet.errors import UsageError
from protonet.graph.timing import Span
from protonet.jobs.profiling.files import FORMATS, draw_profile, write_trace
from protonet.jobs.profiling.machine import Machine
from protonet.jobs.profiling.profile import InputProfile, LayerProfile, Profile


def profile(count: int) -> Profile:
    layers = tuple(
        LayerProfile(f"layer{i}", "ReLU", 0.0, 0.001 * i, 0.002 * i, 0.0, 1000, 4000)
        for i in range(1, count)
    )
    data = LayerProfile("data", "Data", 0.005, 0.0, 0.0, 0.0, 0, 0)
    spans = (
        Span("forward", 0, 10.0, 0.005),
        Span("forward", 1, 10.005, 0.001),
        Span("backward", count, 10.006, 0.0001),
        Span("backward", 1, 10.0061, 0.002),
        Span("update", count, 10.009, 0.001),
    )
    worker_times = (
        WorkerTime(77, 9.0, 0.5, 0.25, 16),
        WorkerTime(99, 9.1, 0.5, 0.25, 16),
        WorkerTime(77, 9.9, 0.1, 0.1, 4),
    )
    source = InputProfile("data", 0.001, 0.02, 0.01, worker_times)
    seconds = sum(layer.seconds for layer in (data, *layers)) + 0.001
    return Profile(
        "made up", "cpu", (data, *layers), (source,), seconds, 32, 1, Machine(1e11, 1e10), spans
    )


@pytest.mark.parametrize("kind", FORMATS)
def test_every_kind_of_picture(kind: str, tmp_path: Path) -> None:
    found = profile(5)
    path = tmp_path / f"profile.{kind}"
    draw_profile(found, found.layers, path)
    start = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[kind]
    assert path.read_bytes().startswith(start)
    if kind == "svg":
        text = path.read_text()
        assert all(word in text for word in ("layer4", "forward", "backward", "made up on cpu"))
        assert ">update<" not in text.replace(" ", "")


def test_a_deep_net_gets_a_tall_picture(tmp_path: Path) -> None:
    sizes = []
    for count in (5, 150):
        found = profile(count)
        draw_profile(found, found.layers, tmp_path / "profile.png")
        sizes.append(Image.open(io.BytesIO((tmp_path / "profile.png").read_bytes())).size)
    (width, low), (same, tall) = sizes
    assert width == same
    assert tall - low == pytest.approx(145 * 0.2 * 120, rel=0.01)


def test_long_names_are_cut_and_other_kinds_refused(tmp_path: Path) -> None:
    found = profile(2)
    layer = LayerProfile("inception_3a/" * 5, "ReLU", 0.0, 1.0, 1.0, 1.0, 1, 1)
    draw_profile(found, [layer], tmp_path / "profile.svg")
    assert "inception_3a/inc..." in (tmp_path / "profile.svg").read_text()
    with pytest.raises(UsageError, match="expected a picture of kind svg, png, pdf"):
        draw_profile(found, [layer], tmp_path / "profile.gif")


def test_a_trace_has_every_call_and_every_thread(tmp_path: Path) -> None:
    write_trace(profile(3), tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    calls = [event for event in events if event["ph"] == "X" and event["tid"] == 0]
    assert [(call["name"], call["cat"]) for call in calls] == [
        ("data", "forward"),
        ("layer1", "forward"),
        ("gradients of losses", "backward"),
        ("layer1", "backward"),
        ("update", "update"),
    ]
    assert (calls[1]["ts"], calls[1]["dur"]) == (10_005_000, 1000)
    assert calls[1]["args"] == {"type": "ReLU"}
    named = {event["tid"]: event["args"]["name"] for event in events if event["ph"] == "M"}
    assert named == {0: "net (cpu)", 1: "data 1", 2: "data 2"}
    beside = [event for event in events if event["ph"] == "X" and event["tid"] == 1]
    assert [(event["name"], event["args"]["images"]) for event in beside] == [
        ("data: read", 16), ("data: transform", 16), ("data: read", 4), ("data: transform", 4),
    ]  # fmt: skip
    assert beside[1]["ts"] == 9_500_000
