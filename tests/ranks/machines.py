"""Machines on this one: network namespaces, each with an address, and the links between them."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.ranks.started import MPIEXEC, environment

_LAUNCHER = """#!/bin/sh
# mpiexec calls it as it calls ssh: -x HOST COMMAND
host=$2
shift 2
case $host in
{cases}
esac
"""
_CONNECT = """
import errno, socket, sys, time
end = time.monotonic() + 10
while time.monotonic() < end:
    if socket.socket().connect_ex((sys.argv[1], 9)) == errno.ECONNREFUSED:
        break
    time.sleep(0.05)
"""
"""Waits until a machine answers that nothing listens there."""
_LETTERS = "abcdefgh"
_LINK = "veth0"
"""The name of the link on either machine."""
_REFUSED = ("not permitted", "Permission denied", "not supported", "Unknown device type")
"""What ``ip`` says without the rights, or on a kernel without namespaces or veth."""


class Machines:
    """Namespaces ``a``, ``b`` and so on with the addresses 10.77.0.1, 10.77.0.2 and so on. Two have
    a link; more are linked to a switch, in a namespace of its own.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.names = tuple(f"protonet{os.getpid()}{letter}" for letter in _LETTERS[:count])
        self.addresses = [f"10.77.0.{number}" for number in range(1, count + 1)]
        self._switch = f"protonet{os.getpid()}switch"
        self._launcher = folder / "launcher"
        cases = (
            f'{address}) exec {shlex.join(self._inside(number))} sh -c "$*" ;;'
            for number, address in enumerate(self.addresses)
        )
        self._launcher.write_text(_LAUNCHER.format(cases="\n".join(cases)))
        self._launcher.chmod(0o755)

    def connect(self) -> None:
        """Make the namespaces and the links."""
        for name in self.names:
            _ip("netns", "add", name)
        ends = [["name", _LINK, "netns", name] for name in self.names]
        if len(ends) == 2:
            _ip("link", "add", *ends[0], "type", "veth", "peer", *ends[1])
        else:
            self._connect_by_switch(ends)
        for address, name in zip(self.addresses, self.names, strict=True):
            _ip("-n", name, "address", "add", f"{address}/24", "dev", _LINK)
            for device in ("lo", _LINK):
                _ip("-n", name, "link", "set", device, "up")
        self._wait_for_link()

    def _connect_by_switch(self, ends: Sequence[Sequence[str]]) -> None:
        _ip("netns", "add", self._switch)
        _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "bridge", "up")
        for number, end in enumerate(ends):
            port = f"port{number}"
            _ip("link", "add", *end, "type", "veth", "peer", "name", port, "netns", self._switch)
            _ip("-n", self._switch, "link", "set", port, "master", "bridge", "up")

    def separate(self, one: int, other: int) -> None:
        """Let two machines reach each other no more; they reach the others."""
        for here, there in ((one, other), (other, one)):
            _ip("-n", self.names[here], "route", "add", "blackhole", f"{self.addresses[there]}/32")

    def cut(self) -> None:
        """Take the link down."""
        _ip("-n", self.names[0], "link", "set", _LINK, "down")

    def mend(self) -> None:
        """Take the link up again."""
        _ip("-n", self.names[0], "link", "set", _LINK, "up")
        self._wait_for_link()
        for name, address in zip(self.names, reversed(self.addresses), strict=True):
            _ip("-n", name, "neighbour", "flush", "dev", _LINK)  # tries that have failed meanwhile
            _run("ip", "netns", "exec", name, sys.executable, "-c", _CONNECT, address)

    def sent(self) -> int:
        """Bytes that have left ``a`` over the link."""
        command = ["cat", f"/sys/class/net/{_LINK}/statistics/tx_bytes"]
        done = _run("ip", "netns", "exec", self.names[0], *command)
        return int(done.stdout)

    def start(
        self, arguments: Sequence[object], folder: Path, **more: str
    ) -> subprocess.Popen[str]:
        """``protonet`` on as many ranks, one on each machine."""
        hosts = ["-hosts", ",".join(self.addresses), "-n", str(len(self.addresses)), "-ppn", "1"]
        command = [MPIEXEC, "-launcher-exec", self._launcher, *hosts, sys.executable]
        return subprocess.Popen(
            [*self._inside(0), *map(str, [*command, "-m", "protonet", *arguments])],
            cwd=folder,
            # Processes of one machine would share memory instead.
            env={**environment(), "UCX_TLS": "tcp", **more},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def processes(self, number: int) -> list[int]:
        """The processes on a machine that are ranks."""
        pids = [int(pid) for pid in _run("ip", "netns", "pids", self.names[number]).stdout.split()]
        found = [
            pid for pid in pids if "protonet\0train" in _read(pid) and "-hosts" not in _read(pid)
        ]
        parents = set(map(_parent, found))
        return [pid for pid in found if pid not in parents]

    def remove(self) -> None:
        """End what runs there, and remove the namespaces."""
        for name in (*self.names, self._switch):
            for pid in _run("ip", "netns", "pids", name).stdout.split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            _run("ip", "netns", "delete", name)

    def _wait_for_link(self) -> None:
        """The kernel tells the ends a moment later; MPI chooses devices when it starts."""
        end = time.monotonic() + 10
        while any(
            " UP " not in _ip("-n", name, "-br", "link", "show", _LINK) for name in self.names
        ):
            assert time.monotonic() < end
            time.sleep(0.02)

    def _inside(self, number: int) -> list[str]:
        """The beginning of a command on a machine, which has a name of its own there."""
        name = self.names[number]
        named = ["sh", "-c", 'hostname "$0" && exec "$@"', _LETTERS[number]]
        return ["ip", "netns", "exec", name, "unshare", "--uts", *named]


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _ip(*arguments: str) -> str:
    done = _run("ip", *arguments)
    told = f"ip {shlex.join(arguments)}: {done.stderr.strip()}"
    if done.returncode and any(each in told for each in _REFUSED):
        raise PermissionError(told)
    assert done.returncode == 0, told
    return done.stdout


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def _read(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


@contextmanager
def machines_on(folder: Path, count: int = 2) -> Iterator[Machines]:
    """Machines; the test is skipped where this machine does not allow them."""
    missing = [name for name in ("ip", "unshare", "hostname") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"machines need the command {missing[0]}")
    made = Machines(folder, count)
    try:
        try:
            made.connect()
        except PermissionError as error:
            pytest.skip(f"network namespaces are not allowed here: {error}")
        yield made
    finally:
        made.remove()
