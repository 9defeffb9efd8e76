"""Trees of modules, made by the classes themselves: without Lua."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.torch7.modules.base import Session, create, module_class
from protonet.torch7.objects import Tensor, TorchObject


class Draws:
    """Random numbers that are not Torch7's."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(1)
        self.asked: list[tuple[str, float, float]] = []

    def draw(self, tensor: Tensor, distribution: str, a: float, b: float) -> None:
        self.asked.append((distribution, a, b))
        tensor.array[...] = getattr(self.random, distribution)(a, b, tensor.shape)


SESSION = Session(Draws())


def nn(name: str, *arguments: Any, line: int = 0) -> TorchObject:
    """``nn.<name>(...)``; nil arguments are None."""
    return create(f"nn.{name}", list(arguments), SESSION, line)


def call(made: TorchObject, method: str, *arguments: Any) -> Any:
    """``made:method(...)``"""
    return getattr(module_class(made.typename)(made, SESSION), method)(*arguments)


def sequential(*modules: TorchObject) -> TorchObject:
    """``nn.Sequential():add(...):add(...)``"""
    net = nn("Sequential")
    for each in modules:
        call(net, "add", each)
    return net


def seed_net() -> TorchObject:
    """The net of the seed document, for images of 3x5x4."""
    view = call(nn("View", -1), "setNumInputDims", 3)
    return sequential(nn("MulConstant", 0.004), view, nn("Linear", 60, 2))
