"""Pages that were fetched, but whose browsers do not connect."""

from __future__ import annotations

import time

from nicegui import Client, app

_LOOK = 2.0
_MOST = 100
"""Number of pages without a connection that may wait for one, if it takes long."""
_SOON = 5.0
"""Seconds after which more of them are dropped."""


def drop_unconnected() -> None:
    """Drop pages that wait for a connection, the oldest first, when there are too many.

    The page's library keeps each for a minute and wakes it ten times a second: what some hundred
    requests of a tool leave behind would slow down everybody.
    """
    now = time.time()
    ages = sorted(
        now - each.created for each in Client.instances.values() if not each.has_socket_connection
    )
    if len(ages) > _MOST:
        Client.prune_instances(client_age_threshold=max(_SOON, ages[_MOST]))


def keep_few_unconnected() -> None:
    """Look after them while the application runs."""
    app.timer(_LOOK, drop_unconnected, immediate=False)
