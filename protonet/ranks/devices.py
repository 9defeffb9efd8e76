"""The device of each rank: a GPU of its host."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from protonet.device import load_cupy, load_nccl
from protonet.errors import DeviceError, UsageError
from protonet.gpus import gpu_addresses
from protonet.ranks.communicator import Communicator
from protonet.ranks.nccl import MISSING

DEVICES = r"(cpu|cuda|cuda:(all|\d{1,2}(,\d{1,2})*))"
"""The names of devices: one, or on every host one for each of its ranks."""


@dataclass(frozen=True)
class _Place:
    """What a rank sees on its host: the GPUs that are meant, as number and address."""

    host: str
    gpus: tuple[tuple[int, str], ...]


def count_devices(name: str) -> int:
    """The devices of a name on this machine.

    Raises:
        UsageError, DeviceError: for a malformed name; of ``cuda:all`` without a GPU.
    """
    return max(1, len(_numbers(name)))


def first_device(name: str, ranks: Communicator) -> str:
    """The name of the device of rank 0.

    Raises:
        UsageError: for several devices and one rank.
        DeviceError: for a malformed name; without a GPU, or NCCL between several.
    """
    numbers = _numbers(name)
    if ranks.alone and len(numbers) > 1:
        raise UsageError(
            f"device '{name}' has {len(numbers)} GPUs, and this training one rank; a rank uses "
            f"one GPU: --ranks {len(numbers)}"
        )
    if numbers and not ranks.alone:
        load_cupy(name)
        if load_nccl() is None:
            raise DeviceError(f"device '{name}': {MISSING}")
    return f"cuda:{numbers[0]}" if numbers else "cpu"


def device_of(name: str, ranks: Communicator) -> str:
    """The name of this rank's device: ranks that see the same GPUs of a host take one each, in the
    order of ranks. Every rank calls this.

    Raises:
        DeviceError: for fewer GPUs than ranks of a host, or a GPU that does not exist.
    """
    if name == "cpu":
        return name
    places = ranks.gather(_Place(ranks.host, _gpus(name)))
    return f"cuda:{_choice(name, ranks.rank, places)}"


def _choice(name: str, rank: int, places: Sequence[_Place]) -> int:
    """The number of the GPU of a rank."""
    mine = places[rank]
    together = [other for other, each in enumerate(places) if each == mine]
    if len(mine.gpus) < len(together):
        count = len(mine.gpus)
        raise DeviceError(
            f"device '{name}': {len(together)} ranks of {mine.host} have {count} "
            f"GPU{'s' if count != 1 else ''}; NCCL needs one for each rank: fewer ranks, or "
            f"{'cuda:all for all GPUs of a host' if name != 'cuda:all' else 'more hosts'}"
        )
    return mine.gpus[together.index(rank)][0]


def _gpus(name: str) -> tuple[tuple[int, str], ...]:
    """The GPUs of a name that this process sees."""
    there = gpu_addresses(name)
    numbers = _numbers(name)
    for number in numbers:
        if number >= len(there):
            raise DeviceError(
                f"device 'cuda:{number}' of '{name}' is not there; this process sees "
                f"{len(there)} GPU(s)"
            )
    return tuple((number, there[number]) for number in numbers)


def _numbers(name: str) -> tuple[int, ...]:
    """The numbers of the GPUs of a name; none of a CPU."""
    if re.fullmatch(DEVICES, name) is None:
        raise DeviceError(
            f"unknown device '{name}'; expected 'cpu', 'cuda:N', 'cuda:N,N' or 'cuda:all'"
        )
    if name == "cpu":
        return ()
    if name == "cuda:all":
        return tuple(range(max(1, len(gpu_addresses(name)))))
    numbers = tuple(int(each) for each in name.partition(":")[2].split(",") if each) or (0,)
    if len(set(numbers)) < len(numbers):
        raise DeviceError(f"device '{name}' names a GPU twice; a rank needs one of its own")
    return numbers
