"""Pages answer in 0.3 s whatever is behind: ten thousand jobs, a million images, long curves."""

from __future__ import annotations

import importlib
import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest

from protonet.proto import caffe_pb2
from tests.web.browser import ROOT, served, wait_for
from tests.web.conftest import NET, Served

IMAGES = 1_000_000
PAGES = ("/", "/datasets", "/datasets/new", "/datasets/{dataset}", "/datasets/{dataset}/explore",
         "/models", "/models/new", "/models/new?dataset={dataset}", "/jobs", "/jobs/{training}",
         "/compare?jobs={training}")  # fmt: skip
BAR, TRIES = 0.3, 8
"""Seconds, of the best of some tries: other tests run at the same time."""


def write_images(path: Path) -> None:
    """Images of one pixel, in ten classes."""
    datums = [
        caffe_pb2.Datum(channels=1, height=1, width=1, data=b"\x07", label=label)
        for label in range(10)
    ]
    values = [each.SerializeToString() for each in datums]
    with (
        lmdb.open(str(path), map_size=1 << 30, sync=False) as database,
        database.begin(write=True) as changes,
    ):
        for number in range(IMAGES):
            changes.put(b"%08d" % number, values[number % 10], append=True)


def lengthen_metrics(path: Path) -> None:
    """As if the training had taken a hundred thousand iterations."""
    lines = map(json.loads, path.read_text().splitlines())
    line = next(each for each in lines if each["event"] == "iterated")
    with path.open("w") as stream:
        for number in range(100_000):
            stream.write(json.dumps({**line, "iteration": number}) + "\n")


@pytest.fixture(scope="module")
def crowded(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("crowded") / "work"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        importlib.import_module("page_load").fill(folder, 10_000)
    write_images(folder / "images")
    with served(folder) as (address, _):
        made = Served(address.rstrip("/"), folder)
        small = made.call("/api/datasets/gradients", {"name": "small", "count": 20})["id"]
        made.wait(small)
        form = {"name": "long", "network": NET, "dataset": small, "epochs": 1}
        (job,) = made.call("/api/models", form)
        made.training = job["id"]
        made.wait(made.training)
        lengthen_metrics(folder / "jobs" / made.training / "run" / "metrics.jsonl")
        form = {"name": "large", "train_images": "images"}
        made.dataset = made.call("/api/datasets/databases", form)["id"]
        made.wait(made.dataset)
        yield made


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_there_at_once(crowded: Served, page: str) -> None:
    path = page.format(dataset=crowded.dataset, training=crowded.training)
    seconds: list[float] = []

    def is_quick() -> bool:
        began = time.monotonic()
        with urllib.request.urlopen(crowded.address + path, timeout=60) as answer:
            assert b"protonet" in answer.read()
        seconds.append(time.monotonic() - began)
        return seconds[-1] < BAR or len(seconds) == TRIES

    wait_for(is_quick, path)
    assert min(seconds) < BAR, seconds
