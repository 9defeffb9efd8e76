"""What the machine has to give."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from protonet import host


def test_as_many_threads_as_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= host.default_threads() <= 16
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(3)), raising=False)
    assert host.default_threads() == 3
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(99)), raising=False)
    assert host.default_threads() == 16


def test_a_container_has_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    most, taken = tmp_path / "most", tmp_path / "taken"
    most.write_text("3000\n")
    taken.write_text("1000\n")
    monkeypatch.setattr(host, "_CONTAINER", ((str(most), str(taken)),))
    assert host.host_memory() == (2000, 3000)


def test_no_limit_is_the_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    most = tmp_path / "most"
    most.write_text("max\n")
    monkeypatch.setattr(host, "_CONTAINER", ((str(most), str(tmp_path / "taken")),))
    free, total = host.host_memory()
    assert 0 < free <= total
    assert total == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_swap_is_bytes() -> None:
    assert host.swap_space() >= 0


def test_addresses_are_those_of_the_interfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """With interfaces that are made up: one without an address, and the loopback."""
    known = {"lo": "127.0.0.1", "eth0": "192.0.2.7"}
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo"), (2, "eth0"), (3, "down")])

    def ioctl(_: int, request: int, given: bytes) -> bytes:
        name = given.rstrip(b"\0").decode()
        if name not in known:
            raise OSError(99, "Cannot assign requested address")
        return bytes(20) + socket.inet_aton(known[name]) + bytes(8)

    monkeypatch.setattr(host.fcntl, "ioctl", ioctl)
    assert host.network_addresses() == {"eth0": "192.0.2.7"}
