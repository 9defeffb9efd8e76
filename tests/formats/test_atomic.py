"""Whole or not at all: on a full disk, without permission, and killed at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from protonet.errors import FormatError, UsageError
from protonet.formats.atomic import atomic_path, remove_partial, write_atomic

ROUNDS = 12
SIZE = 200_000

WRITER = """
import sys, time
from protonet.formats.atomic import write_atomic

path, size, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])

def pieces(letter):
    for _ in range(10):
        time.sleep(pause)
        yield letter * (size // 10)

print("ready", flush=True)
while True:
    write_atomic(path, pieces(b"b"))
    write_atomic(path, pieces(b"a"))
"""

CROWDED = """
import resource, sys
from protonet.errors import FormatError
from protonet.formats.atomic import write_atomic

resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_atomic(sys.argv[1], b"new" * 5000)
except FormatError as error:
    print(error)
"""


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def unmeasured() -> dict[str, str]:
    """For children that cannot write their coverage: no room, or no time."""
    return {key: value for key, value in os.environ.items() if not key.startswith("COV")}


def test_bytes_and_pieces(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"whole")
    assert path.read_bytes() == b"whole"
    write_atomic(str(path), (piece for piece in (b"in ", b"two")))
    assert path.read_bytes() == b"in two"
    assert files(tmp_path) == ["file"]


def test_a_library_may_replace_the_temporary_itself(tmp_path: Path) -> None:
    path = tmp_path / "plot.png"
    with atomic_path(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".plot.png.")
        temporary.unlink()
        temporary.write_text("drawn")
        assert not path.exists()
    assert path.read_text() == "drawn"
    assert files(tmp_path) == ["plot.png"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_inside_leaves_the_old_file(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(failure), atomic_path(path) as temporary:  # noqa: PT012 - raised inside
        temporary.write_text("half")
        raise failure
    assert path.read_text() == "old"
    assert files(tmp_path) == ["file"]


def test_the_mode_is_that_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_atomic(tmp_path / "file", b"")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_keeps_pointing_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "file")
    write_atomic(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert files(tmp_path / "there") == ["file"]


def test_no_such_folder(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "file"
    with pytest.raises(UsageError, match=r"absent/file: cannot be written: No such file or dir"):
        write_atomic(path, b"new")


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(UsageError, match="file: cannot be written: Is a directory"):
        write_atomic(tmp_path / "file", b"new")
    assert files(tmp_path) == ["file"]


@pytest.fixture
def unprivileged(tmp_path: Path) -> Iterator[Path]:
    """A folder in which this process may not write, even when it runs as root."""
    folder = tmp_path / "closed"
    folder.mkdir()
    (folder / "file").write_text("old")
    folder.chmod(0o500)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield folder
    if root:
        os.seteuid(0)
    folder.chmod(0o700)


def test_no_permission(unprivileged: Path) -> None:
    with pytest.raises(UsageError, match="Permission denied; what was there before is unchanged"):
        write_atomic(unprivileged / "file", b"new")


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", CROWDED, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env=unmeasured(),
    )
    assert done.stdout == (
        f"{path}: cannot be written: File too large; what was there before is unchanged\n"
    )
    assert path.read_text() == "old"
    assert files(tmp_path) == ["file"]


def test_a_full_file_system_leaves_the_old_file(full_disk: Path) -> None:
    path = full_disk / "file"
    path.write_text("old")
    with pytest.raises(FormatError, match="file: cannot be written: No space left on device"):
        write_atomic(path, bytes(10**6))
    assert path.read_text() == "old"
    assert files(full_disk) == ["file"]


def test_only_temporaries_are_removed(tmp_path: Path) -> None:
    for name in (".w.caffemodel.0123abcd.part", "w.caffemodel", ".hidden", "other.part"):
        (tmp_path / name).touch()
    assert remove_partial(tmp_path) == 1
    assert files(tmp_path) == [".hidden", "other.part", "w.caffemodel"]


def test_killed_at_any_moment_leaves_old_or_new(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a" * SIZE)
    whole = {b"a" * SIZE, b"b" * SIZE}
    halves = 0
    for round_ in range(ROUNDS):
        # Slow writers die while writing, quick ones also while flushing and renaming.
        pause = 0.002 if round_ % 2 else 0
        command = [sys.executable, "-c", WRITER, str(path), str(SIZE), str(pause)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=unmeasured()) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            time.sleep(0.002 + 0.0037 * round_)
            child.send_signal(signal.SIGKILL)
        assert path.read_bytes() in whole
        left = [path for path in tmp_path.iterdir() if path.name != "file"]
        halves += sum(each.stat().st_size < SIZE for each in left)
        assert remove_partial(tmp_path) == len(left)
        assert files(tmp_path) == ["file"]
    assert halves > 0, "no kill fell into a write: the test has shown nothing"
