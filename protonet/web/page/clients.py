"""What pages leave behind on the server: those that no browser connects to, and memory."""

from __future__ import annotations

import gc
import time

from nicegui import Client, app

AWAY = 60.0
"""What NiceGUI asks browsers by: each 0.8 of these seconds whether they are there, with 0.4 of
them to answer. By its own 3 seconds, one that was busy or asleep for nine lost what was typed.
Proxies close connections over which nothing came for a minute.
"""
_LOOK = 2.0
_MOST = 10
"""Number of pages without a connection that may wait for one, if it takes long."""
_SOON = 5.0
"""Seconds after which more of them are dropped."""
_FREE = 5.0
_opened = 0


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


def free_closed() -> None:
    """Free the pages that were closed since the last time.

    The elements of a page refer to each other, and Python looks for such garbage only when a
    quarter as much has come as there was: with many visitors, memory would grow for minutes.
    """
    global _opened
    opened = len(Client.instances)
    if opened or _opened:
        gc.collect()
    _opened = opened


def look_after_pages() -> None:
    """Do both while the application runs."""
    app.timer(_LOOK, drop_unconnected, immediate=False)
    app.timer(_FREE, free_closed, immediate=False)
