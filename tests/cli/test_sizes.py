"""Amounts of memory as options."""

from __future__ import annotations

import click
import pytest

from protonet.cli.sizes import byte_size


def test_a_size() -> None:
    assert byte_size("1.5 gib") == 3 * 2**29


def test_what_is_no_size_is_a_wrong_option() -> None:
    with pytest.raises(click.BadParameter, match="expected a size such as 8GiB or 500MB, got '8 c"):
        byte_size("8 cows")
