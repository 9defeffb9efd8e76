"""Reports as JSON: one form for the API and for ``protonet check --json``."""

from __future__ import annotations

import json

from protonet.errors import Mistake
from protonet.graph.summary import Row
from protonet.graph.weights_report import LayerWeights, UnusedWeights, WeightsReport
from protonet.jobs.checks.network_report import NetworkReport, mistake_json, report_json


def test_a_report() -> None:
    weights = WeightsReport(
        (LayerWeights("ip", "InnerProduct", "differs", ((2, 3), (2,)), ((5, 3), (5,))),),
        (UnusedWeights("fc8", ((7,),)),),
    )
    row = Row("ip", "InnerProduct", (("data", (1, 3)),), (("ip", (1, 2)),), 8)
    told = report_json(NetworkReport(rows=(row,), deployed=frozenset(["x"]), weights=weights))
    assert told["layers"] == [
        {
            "name": "ip", "type": "InnerProduct", "parameters": 8, "only_trains": True,
            "bottoms": [{"name": "data", "shape": [1, 3]}],
            "tops": [{"name": "ip", "shape": [1, 2]}],
        }
    ]  # fmt: skip
    assert told["weights"] == {
        "layers": [
            {
                "name": "ip", "type": "InnerProduct", "state": "differs",
                "expected": [[2, 3], [2]], "found": [[5, 3], [5]],
            }
        ],
        "unused": [{"name": "fc8", "found": [[7]]}],
    }  # fmt: skip
    assert report_json(NetworkReport())["weights"] is None
    json.dumps(told)


def test_mistakes() -> None:
    assert mistake_json(Mistake("m", "f", 2, 3, "text", "hint")) == {
        "line": 2, "column": 3, "message": "m", "hint": "hint", "text": "text",
    }  # fmt: skip
