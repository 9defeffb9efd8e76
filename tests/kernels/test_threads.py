"""The threads of the compiled kernels: what becomes of them in a child of fork."""

from __future__ import annotations

import subprocess
import sys

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
