"""Pictures as addresses that hold them."""

from __future__ import annotations

import base64


def data_url(png: bytes) -> str:
    """A PNG as data URL, for ``img``."""
    return "data:image/png;base64," + base64.b64encode(png).decode()
