"""Turns: one at a time for each device, in order; stopped, killed and failed jobs."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from protonet.jobs.tasks.datasets import MakeGradients
from protonet.jobs.tasks.task import Task
from protonet.web import queue
from protonet.web.process import pid_of
from protonet.web.queue import Queue, _slots
from protonet.web.site import Site
from protonet.web.store import ABORT, DATASET, DONE, ENDED, ERROR, RUN, TRAINING, WAIT, Job
from tests.web.browser import wait_for

SLOW = MakeGradients(folder=Path("data"), count=900_000)
QUICK = MakeGradients(folder=Path("data"), width=4, height=3, count=2)
STATES = (WAIT, RUN, DONE, ABORT, ERROR)


def job_of(site: Site, task: Task, kind: str = TRAINING, **more: Any) -> Job:
    return site.begin(site.add(kind, "job", **more), task)


def turn_until(site: Site, job: Job, *statuses: str, seconds: float = 60) -> Job:
    end = time.monotonic() + seconds
    while site.store.get(job.id).status not in statuses:
        assert time.monotonic() < end, site.store.get(job.id)
        site.queue.turn()
        time.sleep(0.02)
    return site.store.get(job.id)


def test_one_at_a_time_in_order(site: Site) -> None:
    jobs = [job_of(site, QUICK) for _ in range(3)]
    turn_until(site, jobs[2], DONE)
    found = [site.store.get(job.id) for job in jobs]
    for before, after in pairwise(found):
        assert before.ended is not None
        assert after.started is not None
        assert before.ended <= after.started


def test_data_sets_do_not_wait_for_trainings_nor_devices_for_each_other(site: Site) -> None:
    slow = job_of(site, SLOW)
    other = job_of(site, SLOW, settings={"device": "cuda:0"})
    data = job_of(site, QUICK, DATASET)
    turn_until(site, data, DONE)
    assert site.store.get(slow.id).status == site.store.get(other.id).status == RUN
    for job in (slow, other):
        site.queue.abort(job)
        turn_until(site, job, ABORT)


def test_stopping(site: Site) -> None:
    running, waiting = job_of(site, SLOW), job_of(site, QUICK)
    turn_until(site, running, RUN)
    assert site.queue.abort(waiting).status == ABORT
    site.queue.abort(running)
    assert turn_until(site, running, *ENDED).status == ABORT
    assert site.queue.abort(running).status == ABORT  # once more changes nothing
    again = site.resume(site.store.get(waiting.id))
    assert turn_until(site, again, *ENDED).status == DONE


def test_one_that_does_not_stop_is_killed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protonet.web.queue._GRACE", 0.0)
    job = job_of(site, SLOW)
    turn_until(site, job, RUN)
    wait_for(lambda: pid_of(site.folder(job)), "its process")
    pid = pid_of(site.folder(job)) or 0
    os.kill(pid, signal.SIGSTOP)  # deaf to SIGINT
    site.queue.abort(job)
    assert turn_until(site, job, *ENDED).status == ABORT


def test_one_that_is_killed_says_so(site: Site) -> None:
    job = job_of(site, SLOW)
    turn_until(site, job, RUN)
    wait_for(lambda: pid_of(site.folder(job)), "its process")
    os.kill(pid_of(site.folder(job)) or 0, signal.SIGKILL)
    found = turn_until(site, job, *ENDED)
    assert found.status == ERROR
    assert "killed" in found.error


def test_one_that_fails_says_why_and_takes_its_users_along(site: Site) -> None:
    data = job_of(site, replace(QUICK, count=0), DATASET)
    net = job_of(site, QUICK, needs=(data.id,))
    found = turn_until(site, net, *ENDED)
    assert found.status == ERROR
    assert "did not succeed" in found.error
    assert "0" in site.store.get(data.id).error


def test_one_whose_task_nobody_can_read_says_so(site: Site) -> None:
    old = site.store.add(TRAINING, "old", settings={"form": {}})
    site.folder(old).mkdir()
    assert "submit it again" in turn_until(site, old, *ENDED).error
    odd = site.store.update(job_of(site, QUICK).id, task='{"task": "fly"}')
    assert "unknown task 'fly'" in turn_until(site, odd, *ENDED).error


def test_another_server_takes_up_what_runs(site: Site) -> None:
    job = job_of(site, replace(SLOW, count=3000))
    turn_until(site, job, RUN)
    other = Queue(site.workspace, site.store)
    end = time.monotonic() + 60
    while site.store.get(job.id).status == RUN:
        assert time.monotonic() < end
        site.queue._children.get(job.id) and site.queue._children[job.id].poll()
        other.turn()
        time.sleep(0.05)
    assert site.store.get(job.id).status == DONE


def test_it_looks_by_itself(site: Site) -> None:
    site.queue.start()
    job = job_of(site, QUICK)
    assert site.wait(job.id, 60).status == DONE
    site.queue.close()


def test_what_fails_for_one_job_ends_that_job_alone(site: Site) -> None:
    good = job_of(site, QUICK)
    bad = job_of(site, QUICK)
    folder = site.workspace.job(bad.id)
    for each in folder.iterdir():
        each.unlink()
    folder.rmdir()
    assert "could not manage it" in turn_until(site, bad, ERROR).error
    turn_until(site, good, DONE)


@pytest.mark.parametrize("moment", ["launch", "is_alive", "read_exit"])
def test_a_bug_in_the_treatment_of_one_job_ends_that_job_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The job before the others fails at its start, in its course, or at its end."""
    bad, good = job_of(site, QUICK), [job_of(site, QUICK) for _ in range(2)]
    real = getattr(queue, moment)

    def odd(folder: Path, *more: Any) -> Any:
        if folder.name == bad.id:
            raise RuntimeError("an accident")
        return real(folder, *more)

    monkeypatch.setattr(queue, moment, odd)
    assert "could not manage it: an accident" in turn_until(site, bad, *ENDED).error
    for each in good:
        assert turn_until(site, each, *ENDED).status == DONE


def test_a_database_that_fails_is_no_fault_of_a_job(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: nothing is lost, and the job starts when there is space again."""
    job, update, full = job_of(site, QUICK), site.store.update, [True]

    def no_space(*values: Any, **more: Any) -> Job:
        if full:
            raise sqlite3.OperationalError("database or disk is full")
        return update(*values, **more)

    monkeypatch.setattr(site.store, "update", no_space)
    with pytest.raises(sqlite3.OperationalError):
        site.queue.turn()
    full.clear()
    assert turn_until(site, job, *ENDED).status == DONE


def test_the_queue_outlives_a_turn_that_fails(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    turn, failed = site.queue.turn, []

    def fail_once() -> None:
        if not failed:
            failed.append(True)
            raise RuntimeError("disk I/O error")
        turn()

    monkeypatch.setattr(site.queue, "turn", fail_once)
    job = job_of(site, QUICK)
    site.queue.start()
    wait_for(lambda: site.store.get(job.id).status == DONE, "the job's end")
    site.queue.close()


def test_a_job_with_several_gpus_has_each_of_them(site: Site) -> None:
    def slots(device: str) -> set[str]:
        return _slots(job_of(site, SLOW, settings={"device": device}))

    assert slots("cuda:0,2") & slots("cuda:2")
    assert not slots("cuda:0,2") & slots("cuda:1")
    assert slots("cuda:all") & slots("cuda:7")
    assert not slots("cuda:all") & slots("cpu")
