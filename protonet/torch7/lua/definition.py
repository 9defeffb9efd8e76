"""What a definition is given and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from protonet.blob import Shape
from protonet.torch7.lua.tracing import Hook
from protonet.torch7.objects import TorchObject


@dataclass(frozen=True)
class Params:
    """The argument of a definition's function, as DIGITS gives it.

    Attributes:
        input_shape: channels, height and width; None when the net is only drawn.
        classes: the number of classes, if there are any.
        gpus: how many there are; 0 for the processor.
        seed: that of ``torch.manualSeed``.
    """

    input_shape: Shape | None = None
    classes: int | None = None
    gpus: int = 0
    seed: int = 42


@dataclass(frozen=True)
class Options:
    """The settings in a definition's table; None where it has none."""

    crop_length: int | None = None
    train_batch_size: int | None = None
    validation_batch_size: int | None = None
    disable_auto_data_parallelism: bool = False


@dataclass(frozen=True)
class Definition:
    """What a definition returned.

    Attributes:
        model: None if it has only a loss.
        loss: by default ``nn.ClassNLLCriterion``.
        label_hook: None if it has none.
        fine_tunes: whether it has a ``fineTuneHook``; ``running.fine_tune`` calls it.
        log: the lines that it printed.
    """

    model: TorchObject | None
    loss: TorchObject
    options: Options = field(default_factory=Options)
    label_hook: Hook | None = None
    fine_tunes: bool = False
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limits:
    """Limits of the process of a definition: seconds, bytes of Lua, and bytes of tensors."""

    seconds: float = 10.0
    memory: int = 2**30
    tensors: int = 4 * 2**30
