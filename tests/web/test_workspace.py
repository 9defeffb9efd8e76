"""Which files people may name, and which not, whatever the name looks like."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from protonet.errors import UsageError
from protonet.web.workspace import Workspace


def test_a_workspace_is_made_and_found_again(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "a" / "work")
    assert (workspace.folder / "jobs").is_dir()
    assert Workspace.open(tmp_path / "a" / "work").folder == workspace.folder


def test_files_inside_and_in_allowed_folders(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    workspace = Workspace.open(tmp_path / "work", [tmp_path / "images"])
    assert workspace.inside("jobs/x") == workspace.folder / "jobs" / "x"
    assert workspace.inside(str(tmp_path / "images" / "a.png")) == tmp_path / "images" / "a.png"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../secret",
        "jobs/../../secret",
        "/etc/passwd",
        "~/x",
        "link/passwd",
        "a\0b",
        "jobs/../..",
    ],
)
def test_files_outside_are_refused(tmp_path: Path, name: str) -> None:
    workspace = Workspace.open(tmp_path / "work")
    (workspace.folder / "link").symlink_to("/etc")
    with pytest.raises(UsageError):
        workspace.inside(name)


@pytest.mark.parametrize("name", ["..", "a/b", "A", "", "x" * 65])
def test_what_is_no_job(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no such job"):
        Workspace.open(tmp_path / "work").job(name)


def test_what_cannot_be_a_workspace(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file"):
        Workspace.open(tmp_path / "file")
    with pytest.raises(UsageError, match="no such folder to allow"):
        Workspace.open(tmp_path / "work", [tmp_path / "nowhere"])


@pytest.mark.parametrize(
    "name", ["secret", "token", "jobs/../token", "protonet.sqlite", "link", "hard"]
)
def test_the_servers_own_files_are_no_data(tmp_path: Path, name: str) -> None:
    workspace = Workspace.open(tmp_path / "work")
    for own in ("secret", "token", "protonet.sqlite"):
        (workspace.folder / own).write_text("x")
    (workspace.folder / "link").symlink_to("secret")
    (workspace.folder / "hard").hardlink_to(workspace.folder / "token")
    with pytest.raises(UsageError, match="a file of the server"):
        workspace.inside(name)


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        Workspace.open(tmp_path / "work").inside("x" * 300)


def test_one_server_at_a_time(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "work")
    (workspace.folder / "serve.lock").write_text("99999 of a server that was killed long ago")
    with (
        workspace.held("http://127.0.0.1:8080/"),
        pytest.raises(UsageError) as refused,
        workspace.held("http://127.0.0.1:8081/"),
    ):
        pass
    assert f"(process {os.getpid()}, http://127.0.0.1:8080/)" in str(refused.value)
    assert "protonet serve DIR" in str(refused.value)
    with (
        workspace.held(),
        pytest.raises(UsageError, match=rf"\(process {os.getpid()}\)"),
        workspace.held(),
    ):
        pass
    with workspace.held():  # it is free again
        pass
