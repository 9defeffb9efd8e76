"""Pages that nobody connects to are dropped, those of browsers are not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from protonet.web.page import clients


@pytest.mark.parametrize(
    ("ages", "dropped_from"),
    [([1.0] * 500, None), ([30.0] * 10, None), ([*range(200)], 10), ([0, *[7] * 150], 7)],
)
def test_the_oldest_beyond_ten_are_dropped(
    monkeypatch: pytest.MonkeyPatch, ages: list[float], dropped_from: float | None
) -> None:
    """Of ages in seconds: from which on they are dropped; never before five seconds."""
    asked: list[float] = []
    waiting = [SimpleNamespace(created=1000.0 - age, has_socket_connection=False) for age in ages]
    connected = [SimpleNamespace(created=0.0, has_socket_connection=True) for _ in range(300)]
    known = {str(n): each for n, each in enumerate([*waiting, *connected])}

    def prune(*, client_age_threshold: float) -> None:
        asked.append(client_age_threshold)

    client: Any = SimpleNamespace(instances=known, prune_instances=prune)
    monkeypatch.setattr(clients, "Client", client)
    monkeypatch.setattr(clients.time, "time", lambda: 1000.0)
    clients.drop_unconnected()
    assert all(age >= 5 for age in asked)
    assert [age for age in asked if age <= max(ages)] == ([dropped_from] if dropped_from else [])


def test_closed_pages_are_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once after the last is closed, and not while nobody is there."""
    freed: list[int] = []
    monkeypatch.setattr(clients.gc, "collect", lambda: freed.append(1))
    known: dict[str, Any] = {"a": None}
    monkeypatch.setattr(clients, "Client", SimpleNamespace(instances=known))
    for open_pages, collections in (({}, 0), ({"a": None}, 1), ({}, 2), ({}, 2)):
        known.clear()
        known.update(open_pages)
        clients.free_closed()
        assert len(freed) == collections
