"""What this machine, or the container that the process is in, has to give: memory and cores."""

from __future__ import annotations

import os
from pathlib import Path

_CONTAINER = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""Where Linux says what a container may take, and what it has taken."""

_MOST_THREADS = 16


def host_memory() -> tuple[int, int]:
    """Available and total memory in bytes: caches that would give way count as available."""
    page = os.sysconf("SC_PAGE_SIZE")
    free, total = os.sysconf("SC_AVPHYS_PAGES") * page, os.sysconf("SC_PHYS_PAGES") * page
    free = _meminfo("MemAvailable", free)
    for limit, used in _CONTAINER:
        try:
            most = int(Path(limit).read_text(encoding="ascii"))
            taken = int(Path(used).read_text(encoding="ascii"))
        except (OSError, ValueError):  # none, or "max"
            continue
        free, total = min(free, max(0, most - taken)), min(total, most)
    return free, total


def swap_space() -> int:
    """The bytes that memory may be swapped out to; 0 where Linux does not say."""
    return _meminfo("SwapTotal", 0)


def default_threads() -> int:
    """As many worker threads as this process may use cores, within reason."""
    granted = getattr(os, "sched_getaffinity", None)  # of Linux
    cores = len(granted(0)) if granted is not None else os.cpu_count() or 1
    return min(cores, _MOST_THREADS)


def _meminfo(name: str, otherwise: int) -> int:
    """The bytes of a line of /proc/meminfo."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found = dict(line.split(":", 1) for line in lines)
        return int(found[name].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return otherwise
