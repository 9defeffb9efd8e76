"""Amounts of memory as people write them."""

from __future__ import annotations

import click
import pytest

from protonet.cli.sizes import byte_size
from protonet.device import parse_byte_count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("8GiB", 8 * 2**30),
        ("500MB", 500_000_000),
        ("1.5 gib", 3 * 2**29),
        ("2G", 2**31),
        ("64k", 65536),
        ("1048576", 2**20),
        ("7 bytes", 7),
        ("1TB", 10**12),
    ],
)
def test_sizes(text: str, count: int) -> None:
    assert parse_byte_count(text) == byte_size(text) == count


@pytest.mark.parametrize("text", ["", "GiB", "0", "0MB", "-1", "8 cows", "1,5GB", "8GiBB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected a size such as 8GiB or 500MB, got"):
        byte_size(text)
