"""JSON from untrusted files."""

from __future__ import annotations

import json
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """Parse a text.

    Raises:
        ValueError: for invalid JSON, including nesting so deep that ``json`` raises
            RecursionError.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("brackets nest too deep") from None
