"""Pictures as addresses."""

from __future__ import annotations

from protonet.web.data_url import data_url


def test_the_bytes_are_there() -> None:
    assert data_url(b"\x89PNG") == "data:image/png;base64,iVBORw=="
