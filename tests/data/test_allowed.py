"""Files in and outside of folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.allowed import AllowedFolders
from protonet.errors import DataError


def test_links_are_resolved(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    (inside / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_text("x")
    (inside / "link").symlink_to(outside / "secret")
    (inside / "away").symlink_to(outside)
    (outside / "back").symlink_to(inside / "sub" / "x")
    folders = AllowedFolders([inside])
    for good in ("in/x", "in/sub/x", "in/sub/../x", "out/back", "out/../in/x"):
        folders.check(tmp_path / good, "list:1")
    for bad in ("out/secret", "in/link", "in/away/secret", "in/../out/secret", "in/.."):
        with pytest.raises(DataError, match=r"list:2: is outside of the folders .*/in\)"):
            folders.check(tmp_path / bad, "list:2")
    AllowedFolders(()).check(outside / "secret", "list:3")
