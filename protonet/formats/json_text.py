"""JSON of files that anybody can have changed."""

from __future__ import annotations

import json
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """What the text holds.

    Raises:
        ValueError: for whatever is no JSON; nesting without end, which ``json`` answers with
            RecursionError, is none.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("brackets nest too deep") from None
