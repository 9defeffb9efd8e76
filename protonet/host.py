"""The memory and cores of this machine, or of the container of the process."""

from __future__ import annotations

import fcntl
import os
import resource
import struct
from pathlib import Path

_CONTAINER = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""The memory limit and usage of a container on Linux."""

_MOST_THREADS = 16
_SIOCGIFADDR = 0x8915
"""Linux's request for the address of an interface."""


def host_memory() -> tuple[int, int]:
    """Available and total memory in bytes; reclaimable caches count as available."""
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
    """The size of the swap space in bytes; 0 if unknown."""
    return _meminfo("SwapTotal", 0)


def default_threads() -> int:
    """The default number of worker threads: the cores available to this process, limited."""
    granted = getattr(os, "sched_getaffinity", None)  # Linux only
    cores = len(granted(0)) if granted is not None else os.cpu_count() or 1
    return min(cores, _MOST_THREADS)


def resident_memory() -> int | None:
    """The physical memory of this process in bytes; None if unknown."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def limit_memory(memory: int) -> None:
    """Limit the private memory of this process to what it has now and so many bytes more; no dump
    of its memory is written when it fails.

    Private memory (RLIMIT_DATA), not the address space: databases are memory-mapped.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    granted = resource.getrlimit(resource.RLIMIT_DATA)[1]
    most = memory + _private_memory()
    if granted != resource.RLIM_INFINITY:
        most = min(most, granted)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _private_memory() -> int:
    """Private memory of this process in bytes, as RLIMIT_DATA counts it."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * resource.getpagesize()


def _meminfo(name: str, default: int) -> int:
    """The bytes of a line of /proc/meminfo."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return int(fields[name].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return default


def network_addresses() -> dict[str, str]:
    """The IPv4 addresses of this machine by the names of their interfaces, without the loopback;
    empty where the system does not tell.
    """
    found = {}
    import socket  # for several machines only

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(asking.fileno(), _SIOCGIFADDR, request)
            except OSError:  # it has none; no Linux
                continue
            address = socket.inet_ntoa(answer[20:24])
            if not address.startswith("127."):
                found[name] = address
    return found
