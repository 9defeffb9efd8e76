"""Options in Caffe's form: one dash, and comma-separated values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.options import Count, Int32, gathered, with_options
from protonet.errors import DeviceError

if TYPE_CHECKING:
    from protonet.jobs.inference.open_net import NetOptions

_PATH = click.Path(path_type=Path)


CAFFE_BATCHES = 50
"""Caffe's default of ``-iterations``."""


@dataclass(frozen=True, kw_only=True)
class ModelFlags:
    """Options of Caffe's tools for a net: model, weights, state, number of batches, device."""

    network: Path | None
    model: Path | None
    weights: str
    iterations: int
    level: int
    stage: str
    gpu: str | None
    device: str | None

    @property
    def path(self) -> Path:
        """The network file."""
        return chosen_model(self.network, self.model)

    def net_options(self, phase: int) -> NetOptions:
        """The options of ``open_net``, in a phase."""
        from protonet.jobs.inference.open_net import NetOptions

        return NetOptions(
            phase=phase,
            level=self.level,
            stages=chosen_stages(self.stage),
            weights=self.weights,
            device=chosen_device(self.gpu, self.device),
        )


_MODEL = (
    click.argument("network", metavar="[NETWORK]", required=False, type=_PATH),
    click.option("--model", "-model", type=_PATH, help="The network, instead of NETWORK."),
    click.option(
        "--weights",
        "-weights",
        metavar="FILE[,FILE...]",
        default="",
        help="Weights to load: .caffemodel or .h5.",
    ),
    click.option(
        "--iterations",
        "-iterations",
        type=Count(1),
        default=CAFFE_BATCHES,
        show_default=True,
        help="Number of batches.",
    ),
    click.option(
        "--level", "-level", type=Int32(), default=0, show_default=True, help="Level of the net."
    ),
    click.option(
        "--stage", "-stage", metavar="NAME[,NAME...]", default="", help="Stages of the net."
    ),
    click.option("--gpu", "-gpu", metavar="N", help="The GPU to use, like --device cuda:N."),
    click.option("--device", metavar="NAME", help="cpu or cuda:N. Default: cpu."),
)


def model_options(command: Callable[..., None]) -> Any:
    """``-model``, ``-weights``, ``-iterations``, ``-level``, ``-stage``, ``-gpu``, ``--device``:
    the argument ``flags``.
    """
    names = [each.name for each in fields(ModelFlags)]
    return with_options(gathered(command, "flags", ModelFlags, names), _MODEL)


def chosen_model(network: Path | None, model: Path | None) -> Path:
    """The network of the options.

    Raises:
        click.UsageError: for none or two.
    """
    if (network is None) == (model is None):
        raise click.UsageError("give one network: NETWORK, or -model NETWORK")
    found = network if network is not None else model
    assert found is not None
    return found


def chosen_device(gpu: str | None, device: str | None) -> str:
    """The device of the options.

    Raises:
        click.UsageError: for two, or anything but the number of one GPU; ``all`` is valid with
        exactly one.
        DeviceError: for ``all`` without a GPU.
    """
    if not gpu:  # -gpu="", as for Caffe
        return "cpu" if device is None else device
    numbers = _numbers(gpu, device)
    if len(numbers) > 1:
        raise click.UsageError(
            f"-gpu {gpu}: expected one GPU, got {len(numbers)}; only train uses several"
        )
    return f"cuda:{numbers[0]}"


def training_device(gpu: str | None, device: str | None, started: int) -> tuple[str | None, int]:
    """The device of the options of a training, None where there are none, and the ranks for it: one
    for each GPU. ``started`` is the number of ranks that a launcher has started already, whose
    hosts have GPUs of their own.

    Raises:
        click.UsageError: for two devices, or anything but numbers of GPUs.
        DeviceError: for more GPUs than there are.
    """
    if not gpu:
        return device, 1 if device is None or started > 1 else _count(device)
    if started > 1:
        numbers = [""] if gpu == "all" else _numbers(gpu, device)
        return "cuda:all" if gpu == "all" else f"cuda:{','.join(numbers)}", started
    with _offering_others(gpu):
        numbers = _numbers(gpu, device)
        if len(numbers) > 1:
            there = _all_gpus()
            missing = [each for each in numbers if each not in there]
            if missing:
                raise DeviceError(
                    f"-gpu {gpu}: this machine has {len(there)} GPU(s), no {', '.join(missing)}"
                )
    return f"cuda:{','.join(numbers)}", len(numbers)


@contextmanager
def _offering_others(gpu: str) -> Iterator[None]:
    """In the block, errors of missing GPUs say what works without them."""
    try:
        yield
    except DeviceError as error:
        count = gpu.count(",") + 1
        if count > 1:
            error.add_note(
                f"on the CPU, --ranks {count} --batch-per-rank does the same; on one GPU, "
                f"iter_size times {count}"
            )
        raise


def _numbers(gpu: str, device: str | None) -> list[str]:
    """The numbers of the GPUs of ``-gpu``."""
    if device is not None:
        raise click.UsageError("-gpu and --device both choose a device; use one of them")
    numbers = _all_gpus() if gpu == "all" else gpu.split(",")
    if not all(number.isdecimal() for number in numbers):
        raise click.UsageError(f"-gpu {gpu}: expected the number of a GPU, or all")
    if len(set(numbers)) < len(numbers):
        raise click.UsageError(f"-gpu {gpu} names a GPU twice; a rank needs one of its own")
    return numbers


def _count(device: str) -> int:
    from protonet.ranks.devices import count_devices

    return count_devices(device)


def _all_gpus() -> list[str]:
    from protonet.gpus import gpu_properties

    return [str(number) for number in gpu_properties()]


def chosen_stages(stage: str) -> tuple[str, ...]:
    """The stages of a comma-separated list."""
    return tuple(each.strip() for each in stage.split(",") if each.strip())
