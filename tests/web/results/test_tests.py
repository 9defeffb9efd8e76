"""Tests on many images: processes, found again, and what they may read."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from protonet.cli.app import app
from protonet.errors import UsageError
from protonet.jobs.predictions.boxes import BoxPredictions
from protonet.jobs.predictions.classes import ClassPredictions
from protonet.jobs.predictions.numbers import NumberPredictions
from protonet.web.forms import TestForm
from protonet.web.progress import run_of
from protonet.web.results.tests import Asked, Tests, TestState, state_view
from protonet.web.site import Site
from protonet.web.store import DONE, TRAINING, Job
from protonet.web.views import plain
from protonet.web.workspace import Workspace
from tests.jobs.nets import detector_run
from tests.web.browser import wait_for
from tests.web.trained import black_and_white, shades, slopes


@pytest.fixture
def job(site: Site, tmp_path: Path) -> Job:
    """A training that tells black from white; its images are in the workspace."""
    job = site.store.update(site.add(TRAINING, "t").id, status=DONE)
    data = site.workspace.folder / "data"
    data.mkdir()
    shades(black_and_white(data), run_of(site.workspace, job).path)
    return job


def ended(site: Site, job: Job, state: TestState) -> TestState:
    wait_for(lambda: site.tests.state(job, state.key).status != "run", "the end of the test")
    return site.tests.state(job, state.key)


def test_a_test_is_made_once_and_found_again(site: Site, job: Job) -> None:
    form = TestForm(path="data/db")
    begun = site.tests.start(job, form)
    assert begun.status == "run"
    assert begun.asked == Asked("data/db", None, "60", None)
    state = ended(site, job, begun)
    assert state.status == "done"
    found = site.tests.open(job, state.key)
    assert isinstance(found, ClassPredictions)
    assert found.accuracy() == 1
    assert site.tests.start(job, form) == state
    assert site.tests.start(job, TestForm(path="data/db", most=3)).key != state.key
    # Another server finds it too, and data that have changed are another test.
    assert Tests(site.workspace).state(job, state.key).status == "done"
    os.utime(site.workspace.folder / "data" / "db" / "data.mdb", (1, 1))
    assert site.tests.start(job, form).key != state.key


def test_numbers(site: Site, gradients: Path) -> None:
    site.workspace = Workspace(site.workspace.folder, (gradients,))
    site.tests = Tests(site.workspace)
    job = site.store.update(site.add(TRAINING, "t").id, status=DONE)
    slopes(gradients, run_of(site.workspace, job).path)
    form = TestForm(path=str(gradients / "val_images"), labels=str(gradients / "val_labels"))
    state = ended(site, job, site.tests.start(job, form))
    found = site.tests.open(job, state.key)
    assert isinstance(found, NumberPredictions)
    assert found.known == 8


def test_boxes(site: Site, tmp_path: Path) -> None:
    """Found again by another server, which compares nothing."""
    detector_run(tmp_path)
    site.workspace = Workspace(site.workspace.folder, (tmp_path / "data",))
    site.tests = Tests(site.workspace)
    job = site.store.update(site.add(TRAINING, "t").id, status=DONE)
    run = run_of(site.workspace, job).path
    shutil.copytree(tmp_path / "run", run, dirs_exist_ok=True)
    images = str(tmp_path / "data" / "val_images")
    state = ended(site, job, site.tests.start(job, TestForm(path=images)))
    found = Tests(site.workspace).open(job, state.key)
    assert isinstance(found, BoxPredictions)
    told = CliRunner().invoke(app, ["test", str(run), "--json", "--threshold", "0.25"])
    (expected,) = json.loads(told.stdout)["detection"]
    summary = plain(found.summary(0.25))
    assert summary["mean"] == expected["mean"]
    assert summary["classes"] == expected["classes"]
    failed = ended(site, job, site.tests.start(job, TestForm(path=images, labels=images)))
    assert failed.error.startswith("images with boxes have their labels in their records")


def test_one_that_fails_says_why_and_can_be_begun_again(site: Site, job: Job) -> None:
    (site.workspace.folder / "list.txt").write_text("/etc/hostname\n")
    state = ended(site, job, site.tests.start(job, TestForm(path="list.txt")))
    assert state.status == "error"
    assert "/etc/hostname: outside of the folders" in state.error
    assert state_view(state)["error"] == state.error
    with pytest.raises(UsageError, match=r"the test has failed: .*outside"):
        site.tests.open(job, state.key)
    assert site.tests.start(job, TestForm(path="list.txt")).status == "run"


def test_what_cannot_be_tested(site: Site, job: Job) -> None:
    for form, told in (
        (TestForm(path="nowhere"), "nowhere: no such file or folder"),
        (TestForm(path="/etc"), "outside of the folders"),
        (TestForm(path="data/db", labels="data"), "data: no such database"),
        (TestForm(path="data/db", snapshot="77"), "no snapshot '77'"),
    ):
        with pytest.raises(UsageError, match=told):
            site.tests.start(job, form)
    for key in ("abc", "../run", ""):
        with pytest.raises(UsageError, match="no test"):
            site.tests.state(job, key)
    with pytest.raises(UsageError, match="has not begun yet"):
        site.tests.start(site.add(TRAINING, "u"), TestForm(path="data/db"))


def test_only_two_run_at_once(site: Site, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tests, "_running", lambda _: 2)
    with pytest.raises(UsageError, match="2 tests run already"):
        site.tests.start(job, TestForm(path="data/db"))


def test_tests_are_listed_and_removed(site: Site, job: Job) -> None:
    first = ended(site, job, site.tests.start(job, TestForm(path="data/db", most=3)))
    second = site.tests.start(job, TestForm(path="data/db", most=4))
    assert {each.key for each in site.tests.all(job)} == {first.key, second.key}
    site.tests.remove(job, second.key)
    assert site.tests.all(job) == [first]
    site.tests.open(job, first.key)
    site.tests.remove(job, first.key)
    with pytest.raises(UsageError, match="has no test"):
        site.tests.remove(job, first.key)
    again = site.tests.start(job, TestForm(path="data/db", most=3))
    assert ended(site, job, again).status == "done"


def test_the_files_of_old_tests_are_removed(
    site: Site, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protonet.web.results.tests._STORED", 1)
    first = ended(site, job, site.tests.start(job, TestForm(path="data/db", most=3)))
    second = ended(site, job, site.tests.start(job, TestForm(path="data/db", most=4)))
    assert first.key != second.key
    assert site.tests.all(job) == [second]
