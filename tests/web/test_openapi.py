"""The API's own description holds to the version that it names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi.testclient import TestClient

from protonet.web.openapi import as_3_0
from protonet.web.server import create_app
from protonet.web.site import Site

LATER = ("prefixItems", "contentMediaType", "contentEncoding", "const", "patternProperties")


def pieces(text: Any) -> Iterator[dict[str, Any]]:
    if isinstance(text, dict):
        yield text
        for value in text.values():
            yield from pieces(value)
    elif isinstance(text, list):
        for value in text:
            yield from pieces(value)


def test_the_description_is_of_its_version(site: Site) -> None:
    text = TestClient(create_app(site)).get("/api/openapi.json").json()
    assert text["openapi"] == "3.0.2"
    for piece in pieces(text):
        assert not set(LATER) & set(piece), piece
        assert piece.get("type") != "null"
        assert piece.get("exclusiveMinimum", True) is True
        assert piece.get("exclusiveMaximum", True) is True
        assert piece.get("type") != "array" or isinstance(piece["items"], dict)


def test_words_of_3_0() -> None:
    null, text = {"type": "null"}, {"type": "string", "maxLength": 5}
    assert as_3_0({"anyOf": [text, null], "title": "T"}) == {**text, "title": "T", "nullable": True}
    assert as_3_0({"exclusiveMinimum": 0.0, "exclusiveMaximum": 2}) == {
        "minimum": 0.0, "exclusiveMinimum": True, "maximum": 2, "exclusiveMaximum": True,
    }  # fmt: skip
    pair = {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}], "minItems": 2}
    assert as_3_0(pair) == {"type": "array", "items": {"type": "number"}, "minItems": 2}
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    assert as_3_0(file) == {"type": "string", "format": "binary"}
