"""The table of trainings in the API: as JSON and as CSV."""

from __future__ import annotations

from tests.web.conftest import Served


def test_the_table_and_its_file(server: Served) -> None:
    view = server.call(f"/api/jobs/table?jobs={server.training}")
    assert [(each["id"], each["name"]) for each in view["rows"]] == [(server.training, "first")]
    assert view["settings"] == []
    best = view["rows"][0]["best"]["validation loss"]
    curve = server.call(f"/api/jobs/{server.training}/curves")["validation_loss"]
    assert [best["iteration"], best["value"]] == min(curve, key=lambda point: point[1])
    assert server.call("/api/jobs/table?group=nobody")["rows"] == []
