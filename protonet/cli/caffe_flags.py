"""Options that are spelt as Caffe's: one dash, and a comma between several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.options import gathered, with_options

if TYPE_CHECKING:
    from protonet.jobs.inference.open_net import NetOptions

_PATH = click.Path(path_type=Path)


CAFFE_BATCHES = 50
"""Caffe's default of ``-iterations``."""


@dataclass(frozen=True, kw_only=True)
class ModelFlags:
    """What Caffe's tools are told of a net: which it is, its weights, its state, how many batches,
    and where.
    """

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
        """The network that they name."""
        return chosen_model(self.network, self.model)

    def net_options(self, phase: int) -> NetOptions:
        """The net as they ask for it, in a phase."""
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
    click.option("--model", "-model", type=_PATH, help="The network, as NETWORK is."),
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
        type=click.IntRange(1),
        default=CAFFE_BATCHES,
        show_default=True,
        help="How many batches.",
    ),
    click.option(
        "--level", "-level", type=int, default=0, show_default=True, help="Level of the net."
    ),
    click.option(
        "--stage", "-stage", metavar="NAME[,NAME...]", default="", help="Stages of the net."
    ),
    click.option("--gpu", "-gpu", metavar="N", help="The GPU to use, as --device cuda:N does."),
    click.option("--device", metavar="NAME", help="cpu or cuda:N. Default: cpu."),
)


def model_options(command: Callable[..., None]) -> Any:
    """``-model``, ``-weights``, ``-iterations``, ``-level``, ``-stage``, ``-gpu``, ``--device``:
    the argument ``flags``.
    """
    names = [each.name for each in fields(ModelFlags)]
    return with_options(gathered(command, "flags", ModelFlags, names), _MODEL)


def chosen_model(network: Path | None, model: Path | None) -> Path:
    """The network that the options name.

    Raises:
        click.UsageError: for none or two.
    """
    if (network is None) == (model is None):
        raise click.UsageError("give one network: NETWORK, or -model NETWORK")
    found = network if network is not None else model
    assert found is not None
    return found


def chosen_device(gpu: str | None, device: str | None) -> str:
    """The device that the options name.

    Raises:
        click.UsageError: for two, or anything but the number of one GPU; ``all`` is good where
            there is one.
        DeviceError: for ``all`` where there is none.
    """
    if not gpu:  # as -gpu="" says it to Caffe
        return "cpu" if device is None else device
    if device is not None:
        raise click.UsageError("-gpu and --device both name a processor; use one of them")
    numbers = _all_gpus() if gpu == "all" else gpu.split(",")
    if not all(number.isdecimal() for number in numbers):
        raise click.UsageError(f"-gpu {gpu}: expected the number of a GPU, or all")
    if len(numbers) > 1:
        raise click.UsageError(
            f"-gpu {gpu}: expected one GPU, got {len(numbers)}; protonet trains on one so far. "
            "With one, a batch or iter_size times as large makes the same updates"
        )
    return f"cuda:{numbers[0]}"


def _all_gpus() -> list[str]:
    from protonet.gpus import gpu_properties

    return [str(number) for number in gpu_properties()]


def chosen_stages(stage: str) -> tuple[str, ...]:
    """The stages of a comma list."""
    return tuple(each.strip() for each in stage.split(",") if each.strip())
