"""Sizes of memory as people read and write them."""

from __future__ import annotations

import pytest

from protonet.sizes import byte_count, parse_byte_count


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (60_160, "58.8 KiB"),
        (3 * 2**20, "3.0 MiB"),
        (5 * 2**40, "5120.0 GiB"),
    ],
)
def test_byte_counts_are_for_people(count: int, text: str) -> None:
    assert byte_count(count) == text


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
def test_byte_counts_of_people(text: str, count: int) -> None:
    assert parse_byte_count(text) == count


@pytest.mark.parametrize("text", ["", "GiB", "0", "0MB", "-1", "8 cows", "1,5GB", "8GiBB"])
def test_what_is_no_byte_count(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size such as 8GiB or 500MB, got"):
        parse_byte_count(text)
