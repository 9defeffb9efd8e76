"""Checks of how images are stored."""

from __future__ import annotations

import pytest

from protonet.errors import UsageError
from protonet.jobs.tasks.image_options import check_encoding, size_of


def test_a_size_is_whole_or_none() -> None:
    assert size_of(3, 5) == (5, 3)
    assert size_of(None, None) is None
    for width, height in ((3, None), (None, 5)):
        with pytest.raises(UsageError, match="--width and --height go together"):
            size_of(width, height)
    with pytest.raises(UsageError, match="--a and --b go together"):
        size_of(1, None, "--a and --b")


def test_only_kinds_that_are_stored() -> None:
    for kind in (None, "own", "png", "jpg"):
        check_encoding(kind)
    with pytest.raises(UsageError, match="--encoded tif: expected one of own, none, png"):
        check_encoding("tif")
