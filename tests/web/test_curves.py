"""Curves of a training: over iterations, epochs and time; smoothed; thinned so that they look the
same.
"""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from protonet.web import progress
from protonet.web.curves import CurveOptions, curves_of, smooth, thin
from protonet.web.progress import progress_of, run_of
from protonet.web.site import Site
from tests.web.test_progress import line, training


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Running trainings are looked at again at once."""
    monkeypatch.setattr(progress, "_PAUSE", 0.0)


def of_test(iteration: int, loss: float, **outputs: float) -> str:
    told = {"event": "tested", "iteration": iteration, "epoch": iteration / 10, "net": 0,
            "loss": loss, "outputs": outputs}  # fmt: skip
    return json.dumps(told) + "\n"


def test_axes(site: Site) -> None:
    job = training(site, line(0, 2.0, iterations=0) + line(5, 1.5) + of_test(10, 0.75, accuracy=0.5)
                   + line(10, 1.0))  # fmt: skip
    found = curves_of(site.workspace, job, CurveOptions(x="epoch"))
    assert found.loss == [(0, 2.0), (0.5, 1.5), (1, 1.0)]
    assert found.outputs == {"accuracy": [(1, 0.5)]}
    found = curves_of(site.workspace, job, CurveOptions(x="seconds"))
    assert found.loss == [(0.5, 2.0), (1, 1.5), (1.5, 1.0)]
    assert found.validation_loss == [(1.5, 0.75)]


def test_a_resumed_training_goes_on_in_time(site: Site) -> None:
    lines = line(5, 1.5) + line(10, 1.0) + line(5, 1.25) + line(10, 1.0) + of_test(10, 1.0)
    job = training(site, lines)
    found = curves_of(site.workspace, job, CurveOptions(x="seconds"))
    assert [x for x, _ in found.loss] == [0.5, 1, 1.5, 2]
    assert found.validation_loss[0][0] in (1, 2)


def test_smoothing(site: Site) -> None:
    values = np.array([4.0, np.nan, 2.0])
    assert smooth(values, 0.5).tolist() == [4.0, 4.0, (0.5 * 4 + 2) / 1.5]
    assert smooth(values, 0.0)[2] == 2.0
    assert np.isnan(smooth(np.array([np.nan, 1.0]), 0.9)[0])
    job = training(site, line(0, 4.0) + line(5, 2.0) + of_test(5, 3.0, accuracy=0.25))
    assert curves_of(site.workspace, job).smoothed == {}
    found = curves_of(site.workspace, job, CurveOptions(smoothing=0.5))
    assert found.loss == [(0, 4.0), (5, 2.0)]
    assert found.smoothed == {
        "loss": [(0, 4.0), (5, (0.5 * 4 + 2) / 1.5)],
        "validation_loss": [(5, 3.0)],
        "accuracy": [(5, 0.25)],
    }


def test_speed_and_memory(site: Site) -> None:
    job = training(site, line(0, 2.0, iterations=0) + line(5, 1.5, memory=2**20))
    assert curves_of(site.workspace, job).speed == []  # the batch size is unknown
    assert curves_of(site.workspace, job).memory == [(5, 2**20)]
    run = run_of(site.workspace, job)
    run.train_val.write_text("layer {\n  data_param {\n    batch_size: 8\n  }\n}\n")
    run.solver.write_text("max_iter: 100\niter_size: 3\n")
    with run.metrics.open("a") as stream:
        stream.write(line(10, 1.0))
    assert curves_of(site.workspace, job).speed == [(5, 240), (10, 240)]
    assert progress_of(site.workspace, job).images_per_second == pytest.approx(240)


def test_thinned_curves_keep_their_peaks() -> None:
    points = [(float(x), float(x % 7)) for x in range(100_000)]
    points[51_234] = (51_234.0, 99.0)
    points[77_777] = (77_777.0, -5.0)
    found = thin(points, 800)
    assert len(found) <= 800
    assert (found[0], found[-1]) == (points[0], points[-1])
    assert (51_234.0, 99.0) in found
    assert (77_777.0, -5.0) in found
    assert found == sorted(found)
    assert thin(points[:50], 800) == points[:50]


def test_curves_of_a_hundred_thousand_points_are_read_once(site: Site) -> None:
    """The second look at a long file reads only what is new in it."""
    job = training(site, "".join(line(n, 1 / (n + 1)) for n in range(100_000)))
    begun = time.perf_counter()
    assert len(curves_of(site.workspace, job).loss) <= 800
    first = time.perf_counter() - begun
    with run_of(site.workspace, job).metrics.open("a") as stream:
        stream.write(line(100_000, 0.25))
    begun = time.perf_counter()
    assert curves_of(site.workspace, job).loss[-1] == (100_000, 0.25)
    again = time.perf_counter() - begun
    assert again < first


def test_missing_values_leave_gaps() -> None:
    points = [(float(x), None if x % 2 else float(x)) for x in range(1000)]
    assert all(y is None or y == x for x, y in thin(points, 100))
    assert thin([(float(x), None) for x in range(1000)], 100)[0] == (0.0, None)
