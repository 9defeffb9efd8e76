"""Which rank takes which GPU, on machines that are made up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from protonet.errors import DeviceError, UsageError
from protonet.ranks import devices
from protonet.ranks.communicator import ALONE, Communicator
from protonet.ranks.devices import _Place, count_devices, device_of, first_device

FOUR = ("00:01", "00:02", "00:03", "00:04")


class Rank(Communicator):
    """One of several, which knows the places of the others."""

    def __init__(self, rank: int, places: Sequence[Any]) -> None:
        self.rank, self.size, self.host = rank, len(places), places[rank].host
        self.places = list(places)

    def gather(self, value: Any) -> Sequence[Any]:
        assert value == self.places[self.rank]
        return self.places


def taken(monkeypatch: pytest.MonkeyPatch, name: str, seen: Sequence[Any]) -> list[str]:
    """What ranks take, of each a host and the addresses of the GPUs that it sees."""
    places = []
    for host, addresses in seen:
        monkeypatch.setattr(devices, "gpu_addresses", lambda _, there=addresses: there)
        places.append(_Place(host, devices._gpus(name)))
    found = []
    for rank, (_, addresses) in enumerate(seen):
        monkeypatch.setattr(devices, "gpu_addresses", lambda _, there=addresses: there)
        found.append(device_of(name, Rank(rank, places)))
    return found


@pytest.mark.parametrize(
    ("name", "seen", "expected"),
    [
        ("cuda:all", [("a", FOUR)] * 4, [0, 1, 2, 3]),
        ("cuda:all", [("a", FOUR)] * 2, [0, 1]),
        ("cuda:2,0", [("a", FOUR)] * 2, [2, 0]),
        # ranks of two hosts, dealt out in turn
        ("cuda:all", [("a", FOUR), ("b", FOUR)] * 2, [0, 0, 1, 1]),
        # Slurm has given each task a GPU of its own, or two
        ("cuda:all", [("a", FOUR[:1]), ("a", FOUR[1:2])], [0, 0]),
        ("cuda:0", [("a", FOUR[:1]), ("a", FOUR[1:2])], [0, 0]),
        ("cuda:all", [("a", FOUR[:2]), ("a", FOUR[2:])], [0, 0]),
    ],
)
def test_each_rank_takes_a_gpu_of_its_own(
    monkeypatch: pytest.MonkeyPatch, name: str, seen: Sequence[Any], expected: list[int]
) -> None:
    assert taken(monkeypatch, name, seen) == [f"cuda:{number}" for number in expected]


@pytest.mark.parametrize(
    ("name", "seen", "told"),
    [
        ("cuda:all", [("a", FOUR[:2])] * 3, "3 ranks of a have 2 GPUs; NCCL needs one for each"),
        ("cuda:1", [("b", FOUR)] * 2, "2 ranks of b have 1 GPU; .* cuda:all for all GPUs"),
        ("cuda:0,4", [("a", FOUR)] * 2, "device 'cuda:4' of 'cuda:0,4' is not there"),
    ],
)
def test_fewer_gpus_than_ranks_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, seen: Sequence[Any], told: str
) -> None:
    with pytest.raises(DeviceError, match=told):
        taken(monkeypatch, name, seen)


def test_ranks_on_cpus_ask_nobody() -> None:
    assert device_of("cpu", Rank(0, [_Place("a", ())] * 2)) == "cpu"


def test_the_first_device_is_that_of_rank_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "gpu_addresses", lambda _: FOUR)
    monkeypatch.setattr(devices, "load_cupy", lambda name: (None, 4))
    monkeypatch.setattr(devices, "load_nccl", lambda: True)
    two = Rank(0, [_Place("a", ())] * 2)
    names = ("cpu", "cuda", "cuda:3", "cuda:2,0", "cuda:all")
    first = ["cpu", "cuda:0", "cuda:3", "cuda:2", "cuda:0"]
    assert [first_device(name, two) for name in names] == first
    assert [count_devices(name) for name in names] == [1, 1, 1, 2, 4]
    assert first_device("cuda:3", ALONE) == "cuda:3"
    with pytest.raises(UsageError, match=r"'cuda:2,0' has 2 GPUs, and .* one rank.*: --ranks 2"):
        first_device("cuda:2,0", ALONE)
    monkeypatch.setattr(devices, "gpu_addresses", lambda _: FOUR[:1])
    assert first_device("cuda:all", ALONE) == "cuda:0"
    monkeypatch.setattr(devices, "load_nccl", lambda: None)
    assert first_device("cuda:3", ALONE) == "cuda:3"
    assert first_device("cpu", two) == "cpu"
    with pytest.raises(DeviceError, match="'cuda:0': several GPUs need NCCL, which is not inst"):
        first_device("cuda:0", two)


@pytest.mark.parametrize("name", ["tpu", "cuda:", "cuda:0,", "cuda:0,x", "cuda:all,1", "cpu,cpu"])
def test_malformed_names_are_refused(name: str) -> None:
    with pytest.raises(DeviceError, match="expected 'cpu', 'cuda:N', 'cuda:N,N' or 'cuda:all'"):
        first_device(name, ALONE)


def test_a_gpu_named_twice_is_refused() -> None:
    with pytest.raises(DeviceError, match="names a GPU twice"):
        count_devices("cuda:1,1")
