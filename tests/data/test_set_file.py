"""Files of a data set, beside its records."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from protonet.data.set_file import write_file
from protonet.errors import DataError, UsageError


def test_a_file_is_written_whole_or_refused(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"b")
    assert (tmp_path / "a").read_bytes() == b"b"
    with pytest.raises(UsageError, match="none/a"):
        write_file(tmp_path / "none" / "a", b"b")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(DataError, match="a: cannot be written: File too large"):
            write_file(tmp_path / "a", bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (tmp_path / "a").read_bytes() == b"b"
