"""Reads mutants of one kind, within limits: ``python -m tests.fuzz.worker KIND FIRST LAST``.

Standard output has a line for each failure: its number, and what came out. The file PROGRESS in
the working directory holds the number that is at work, for whoever finds this process dead.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

from protonet.errors import ProtonetError
from tests.fuzz.mutate import mutant
from tests.fuzz.targets import TARGETS

SECONDS = 5
_MEMORY = 1 << 30
"""Bytes of address space beside what the process has when it begins."""


class TooSlow(BaseException):
    """Not an Exception: what is tested must not catch it."""


def main(kind: str, first: int, last: int) -> None:
    target, folder = TARGETS[kind], Path.cwd()
    warnings.simplefilter("ignore")
    sound = target.seeds(folder / "seeds")
    for seed in sound[:4]:
        target.read(seed, folder)  # what is loaded late counts as the process's own
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (taken + _MEMORY,) * 2)
    signal.signal(signal.SIGALRM, _late)
    progress = os.open("PROGRESS", os.O_CREAT | os.O_WRONLY)
    for number in range(first, last):
        os.pwrite(progress, b"%12d" % number, 0)
        # Code that never comes back to Python is ended by the processor time that it takes.
        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(used) + 2 * SECONDS, hard))
        _read(kind, number, mutant(sound, number, text=target.text), folder)


def _read(kind: str, number: int, data: bytes, folder: Path) -> None:
    signal.setitimer(signal.ITIMER_REAL, 2 * SECONDS)
    start = time.process_time()
    try:
        TARGETS[kind].read(data, folder)
    except ProtonetError:
        pass
    except BaseException as error:
        places = traceback.extract_tb(error.__traceback__)
        place = next((p for p in reversed(places) if "protonet/" in p.filename), places[-1])
        told = f"{type(error).__name__}: {error}"[:200].replace("\n", " ")
        _tell(number, f"{told} at {place.filename}:{place.lineno}")
        gc.collect()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if time.process_time() - start > SECONDS:
        _tell(number, f"took {time.process_time() - start:.1f} s")


def _tell(number: int, what: str) -> None:
    sys.stdout.write(f"{number} {what}\n")
    sys.stdout.flush()


def _late(*_: object) -> None:
    raise TooSlow


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
