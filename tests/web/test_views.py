"""Values as JSON has them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from protonet.web.site import Site
from protonet.web.store import DATASET, TRAINING
from protonet.web.views import job_view, plain


@dataclass
class Pair:
    a: float
    b: bytes


def test_plain_values() -> None:
    told = plain({"x": (Pair(float("nan"), b"\x89PNG"),), 1: Path("a/b"), "s": frozenset([2])})
    assert told["x"][0]["a"] is None
    assert told["x"][0]["b"].startswith("data:image/png;base64,iVBOR")
    assert (told["1"], told["s"]) == ("a/b", [2])
    json.dumps(told)


def test_jobs(site: Site) -> None:
    data = site.add(DATASET, "d")
    net = site.add(TRAINING, "n", needs=(data.id,), settings={"form": {"lr": 1}})
    assert job_view(site, data)["used_by"] == [net.id]
    told = job_view(site, net)
    assert told["form"] == {"lr": 1}
    assert told["progress"]["iteration"] == 0
    assert "command" not in told
    json.dumps(told)
