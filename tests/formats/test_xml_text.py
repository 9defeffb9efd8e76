"""XML from untrusted files."""

from __future__ import annotations

import pytest

from protonet.formats.xml_text import parse_xml


def test_elements_have_their_lines_and_texts() -> None:
    root = parse_xml(b"<a>\n <b> x &amp; y </b><c/>\n <b>z</b>\n</a>")
    assert (root.name, root.line, root.text) == ("a", 1, "")
    assert [(child.text, child.line) for child in root.all("b")] == [("x & y", 2), ("z", 3)]
    found = root.first("c")
    assert found is not None
    assert (found.text, found.children) == ("", [])
    assert root.first("d") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"<a>\n<b></a>", "^2: mismatched tag"),
        (b"", "^1: no element found"),
        (b"<a>\xff</a>", "^1: not well-formed"),
        (b'<?xml version="1.0" encoding="x-none"?>\n<a/>', "^1: unknown encoding"),
        (b"<a>&e;</a>", "^1: undefined entity"),
        (b'<!DOCTYPE a [<!ENTITY e SYSTEM "/etc/hostname">]>\n<a>&e;</a>', "^1: a document type"),
        (b"\n<a>" + b"<b>" * 100, "^2: elements nest too deep"),
    ],
)
def test_what_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_xml(text)
