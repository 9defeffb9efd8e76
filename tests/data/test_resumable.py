"""Outputs that are begun beside their place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import protonet
from protonet.data.resumable import STATE, Settings, partial_path, resumable_output
from protonet.errors import DataError, UsageError

SETTINGS = Settings({"width": 5, "seed": None})


def begin(path: Path, settings: Settings = SETTINGS, done: int = 1, **more: bool) -> bool:
    """Begin an output and fail; whether it was resumed."""
    with pytest.raises(KeyError) as told, resumable_output(path, settings, **more) as work:  # noqa: PT012 - raised inside
        work.done = done
        (work.folder / f"{len(list(work.folder.iterdir()))}.txt").write_text("kept")
        raise KeyError("x")
    if done:
        assert told.value.__notes__ == [
            f"the partial output is kept in {path}.partial: the same command resumes it, --restart "
            "starts over"
        ]
    return work.resumed


def test_the_folder_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    with resumable_output(out, SETTINGS) as work:
        assert (work.resumed, work.folder) == (False, partial_path(out))
        (work.folder / "x").write_text("1")
        assert not out.exists()
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert [path.name for path in out.iterdir()] == ["x"]
    with pytest.raises(UsageError, match="out: exists already"), resumable_output(out, SETTINGS):
        pass


def test_what_was_begun_is_gone_on_with(tmp_path: Path) -> None:
    assert begin(tmp_path / "out") is False
    assert begin(tmp_path / "out") is True
    with resumable_output(tmp_path / "out", SETTINGS) as work:
        assert work.resumed
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1.txt", "2.txt"]


def test_with_nothing_done_nothing_stays(tmp_path: Path) -> None:
    assert begin(tmp_path / "out", done=0) is False
    assert not list(tmp_path.iterdir())


def test_other_settings_are_named(tmp_path: Path) -> None:
    begin(tmp_path / "out")
    other = Settings({"width": 6, "seed": 1})
    with (
        pytest.raises(
            UsageError,
            match=r"out\.partial: was started with other settings: width was 5, is now 6; seed was "
            r"not given, is now 1\. Give the former ones to resume, or "
            "--restart to start over",
        ),
        resumable_output(tmp_path / "out", other),
    ):
        pass
    assert (tmp_path / "out.partial" / "1.txt").exists()
    assert begin(tmp_path / "out", other, restart=True) is False
    assert [path.name for path in (tmp_path / "out.partial").glob("*.txt")] == ["1.txt"]
    assert begin(tmp_path / "out", other) is True


def test_another_version_is_another_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path / "out")
    now = protonet.__version__
    monkeypatch.setattr(protonet, "__version__", "99")
    with (
        pytest.raises(UsageError, match=f"protonet was {now}, is now 99"),
        resumable_output(tmp_path / "out", SETTINGS),
    ):
        pass


@pytest.mark.parametrize("restart", [False, True])
def test_a_folder_of_someone_else_is_left_alone(tmp_path: Path, restart: bool) -> None:
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "thesis.tex").write_text("precious")
    with (
        pytest.raises(UsageError, match="was not made by a conversion"),
        resumable_output(tmp_path / "out", SETTINGS, restart=restart),
    ):
        pass
    assert (tmp_path / "out.partial" / "thesis.tex").read_text() == "precious"


@pytest.mark.parametrize("restart", [False, True])
def test_a_kill_before_the_state_was_written(tmp_path: Path, restart: bool) -> None:
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / f".{STATE}.01234567.part").write_text("{")
    with resumable_output(tmp_path / "out", SETTINGS, restart=restart) as work:
        assert not work.resumed
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("text", ["{", "[]", '{"sources": {}}', '{"values": 3}'])
def test_a_damaged_state(tmp_path: Path, text: str) -> None:
    begin(tmp_path / "out")
    (tmp_path / "out.partial" / STATE).write_text(text)
    with (
        pytest.raises(DataError, match=rf"{STATE}: is damaged .*; --restart starts over"),
        resumable_output(tmp_path / "out", SETTINGS),
    ):
        pass
    with resumable_output(tmp_path / "out", SETTINGS, restart=True) as work:
        assert json.loads((work.folder / STATE).read_text())["values"]["width"] == 5


def test_two_processes_do_not_work_in_one_folder(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from protonet.data.resumable import Settings, resumable_output\n"
        "from protonet.errors import UsageError\n"
        "try:\n"
        "    with resumable_output(Path(sys.argv[1]), Settings({})): pass\n"
        "except UsageError as error: print(error)\n"
    )
    with resumable_output(tmp_path / "out", SETTINGS) as work:
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "out")],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert done.stdout == f"{work.folder}: another process is working there\n"


def test_places_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(DataError, match="cannot be made: Not a directory"),
        resumable_output(tmp_path / "file" / "out", SETTINGS),
    ):
        pass


def test_a_place_that_is_taken_meanwhile(tmp_path: Path) -> None:
    with (  # noqa: PT012 - raised inside
        pytest.raises(DataError, match="out: cannot be made: ") as told,
        resumable_output(tmp_path / "out", SETTINGS) as work,
    ):
        work.done = 1
        (tmp_path / "out").write_text("another program's")
    assert "is kept in" in told.value.__notes__[0]
    assert (tmp_path / "out").read_text() == "another program's"
    assert work.folder.exists()


def where(place: int) -> str:
    return f"list:{place + 1}"


def test_rows_may_change_behind_those_that_are_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    rows = ["a 1", "b 2", "c\n3"]

    def begun(rows: list[str], done: int) -> bool:
        with pytest.raises(KeyError), resumable_output(out, SETTINGS) as work:  # noqa: PT012 - raised inside
            work.done = 1
            found = work.check_rows(rows, done, where)
            raise KeyError
        return found

    assert begun(rows, 0) is False
    assert begun(rows, 2) is False
    assert begun(["a 1", "b 2", "d 3", "e 4"], 2) is True
    assert begun(["a 1", "b 2", "d 3", "e 4"], 3) is False
    for changed, message in (
        (["a 1", "b 3", "d 3"], r"list:2: record 1 was already written as 'b 2'; restore it to"),
        (["a 1", "b 2", "c\n3"], r"list:3: record 2 was already written as 'd 3'"),
        (["a 1"], "3 records are already written, but there are 1 rows now; restore it"),
    ):
        with (
            pytest.raises(UsageError, match=message) as told,
            resumable_output(out, SETTINGS) as work,
        ):
            work.check_rows(changed, 3, where)
        assert not getattr(told.value, "__notes__", [])
    assert begun(["a 1", "b 2", "d 3", "e 4"], 3) is False
    with resumable_output(out, SETTINGS) as work:
        work.check_rows(["a 1", "b 2", "d 3"], 3, where)
    assert sorted(path.name for path in out.iterdir()) == []


def test_rows_that_cannot_be_read(tmp_path: Path) -> None:
    with resumable_output(tmp_path / "out", SETTINGS) as work:
        (work.folder / "conversion.rows").write_text("{")
        with pytest.raises(DataError, match="--restart starts over"):
            work.check_rows(["a"], 0, where)
