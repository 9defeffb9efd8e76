"""Lists of jobs in the API: filtered, sorted and paged; groups and actions on many."""

from __future__ import annotations

from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.web.conftest import Served


def listed(server: Served, kind: str, **query: object) -> tuple[list[str], int]:
    """The ids of a page, and the number of all that match."""
    path = f"/api/{kind}?{urlencode(query, doseq=True)}"
    with urlopen(server.address + path, timeout=60) as answer:
        total = int(answer.headers["X-Total-Count"])
    return [each["id"] for each in server.call(path)], total


def test_lists_are_filtered_sorted_and_paged(server: Served) -> None:
    everything, total = listed(server, "jobs")
    assert len(everything) == total >= 2
    assert listed(server, "jobs", order="ascending", count=1) == ([server.dataset], total)
    job = server.call(f"/api/jobs/{server.training}")
    wanted = {"status": ["done", "run"], "name": "FIRS", "dataset": server.dataset, "count": 1}
    times = {"since": job["created"] - 1, "before": job["created"] + 1}
    assert listed(server, "models", **wanted, **times) == ([server.training], 1)
    assert listed(server, "models", **wanted, since="2999-01-31") == ([], 0)
    assert listed(server, "datasets", name="no such name") == ([], 0)


@pytest.mark.parametrize("wrong", ["sort=luck", "count=0", "status=tired", "since=yesterday"])
def test_wrong_filters_are_refused(server: Served, wrong: str) -> None:
    with pytest.raises(HTTPError, match="422"):
        server.call(f"/api/jobs?{wrong}")


def test_groups_and_actions_on_many(server: Served) -> None:
    form = {"action": "group", "jobs": [server.training, "nope"], "group": "chosen together"}
    assert server.call("/api/jobs/bulk", form) == {
        "done": [server.training], "refused": {"nope": "there is no job 'nope'"},
    }  # fmt: skip
    assert server.call("/api/jobs/groups")["chosen together"] == 1
    assert listed(server, "models", group="chosen together") == ([server.training], 1)
    job = server.call(f"/api/jobs/{server.training}", {"group": ""}, "PATCH")
    assert job["group"] == ""
    told = server.call("/api/jobs/bulk", {"action": "delete", "jobs": [server.dataset]})
    assert "other jobs need it" in told["refused"][server.dataset]
