"""The threads of the compiled kernels: what becomes of them in a child of fork, and where other
programs have their processors.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, signal
import numpy as np
from protonet.kernels import native

module = native.load()
module.set_threads(3)
big = np.linspace(-1, 1, 1 << 20).astype(np.float32)


def rectified():
    y = np.empty_like(big)
    module.rectify(big, y, 0.0)
    return y


before = rectified()
child = os.fork()
if child == 0:
    signal.alarm(20)  # ends a child that waits for threads which it has not
    np.testing.assert_array_equal(rectified(), before)
    os._exit(7)
_, status = os.waitpid(child, 0)
np.testing.assert_array_equal(rectified(), before)
print(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_child_makes_threads_of_its_own() -> None:
    """A data loader or a pool of processes forks after the first pass: the threads stay behind."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("7\n", "")


CROWDED = """
import os, resource, signal, time
import numpy as np
from protonet.kernels import native

first, second = sorted(os.sched_getaffinity(0))[:2]
module = native.load()
module.set_threads(2)
x, y = (np.ones(1 << 16, np.float32) for _ in range(2))
others = set(os.listdir("/proc/self/task"))
module.rectify(x, y, 0.0)
(helper,) = map(int, set(os.listdir("/proc/self/task")) - others)
os.sched_setaffinity(os.getpid(), {first})
os.sched_setaffinity(helper, {second})
os.sched_setscheduler(helper, os.SCHED_IDLE, os.sched_param(0))
busy = os.fork()
if busy == 0:
    os.sched_setaffinity(0, {second})
    signal.alarm(100)
    while True:
        pass
time.sleep(0.1)
switches = []
while len(switches) < 3 and min(switches, default=LIMIT) >= LIMIT:
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(1000):
        module.rectify(x, y, 0.0)
    after = resource.getrusage(resource.RUSAGE_SELF)
    switches.append(after.ru_nvcsw + after.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw)
os.kill(busy, signal.SIGKILL)
print(min(switches))
"""
LIMIT = 500


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors")
def test_a_thread_that_gets_no_processor_is_not_waited_for() -> None:
    """Two trainings on a machine: a loop goes on without threads that another program keeps from
    their part of it. If loops waited, the scheduler would switch at each of the thousand. Other
    tests may make it switch too: the least of three turns counts.
    """
    program = CROWDED.replace("LIMIT", str(LIMIT))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=90
    )
    assert done.stderr == ""
    assert int(done.stdout) < LIMIT
