"""Random numbers, one at a time and into tensors."""

from __future__ import annotations

from typing import Any

from protonet.errors import LayerError
from protonet.torch7.objects import Tensor
from protonet.torch7.tensors.base import (
    Torch,
    empty,
    function,
    method,
    of_array,
    real,
    sizes_of,
    whole,
)


@function("rand")
def _rand(torch: Torch, *sizes: Any) -> Tensor:
    made = empty(torch.kind, sizes_of(sizes))
    torch.random.draw(made, "uniform", 0, 1)
    return made


@function("randn")
def _randn(torch: Torch, *sizes: Any) -> Tensor:
    made = empty(torch.kind, sizes_of(sizes))
    torch.random.draw(made, "normal", 0, 1)
    return made


@function("randperm")
def _randperm(torch: Torch, count: Any) -> Tensor:
    return of_array(torch.random.permutation(whole(count, "the length")), torch.kind)


@function("uniform")
def _uniform(torch: Torch, a: Any = 0, b: Any = 1) -> float:
    return torch.random.scalar("uniform", real(a), real(b))


@function("normal")
def _normal(torch: Torch, mean: Any = 0, std: Any = 1) -> float:
    return torch.random.scalar("normal", real(mean), positive(std))


_OTHERS = {"exponential": (1.0, 0.0), "cauchy": (0.0, 1.0), "logNormal": (1.0, 2.0)}
"""Further distributions, with their defaults."""


def _other(name: str) -> None:
    first, second = _OTHERS[name]

    def number(torch: Torch, a: Any = first, b: Any = second) -> float:
        return torch.random.scalar(name, *_checked(name, a, b))

    def fill(torch: Torch, tensor: Tensor, a: Any = first, b: Any = second) -> Tensor:
        torch.random.draw(tensor, name, *_checked(name, a, b))
        return tensor

    function(name)(number)
    method(name)(fill)


def _checked(name: str, a: Any, b: Any) -> tuple[float, float]:
    if name == "exponential" and real(a) <= 0:
        raise LayerError(f"the rate must be positive, got {real(a):g}")
    return real(a), positive(b) if name == "logNormal" else real(b)


for _name in _OTHERS:
    _other(_name)


def _chance(p: Any) -> float:
    chance = real(p, "the probability")
    if not 0 < chance < 1:
        raise LayerError(f"the probability must be between 0 and 1, got {chance:g}")
    return chance


@function("geometric")
def _geometric(torch: Torch, p: Any) -> int:
    return int(torch.random.scalar("geometric", _chance(p), 0))


@method("geometric")
def _fill_geometric(torch: Torch, tensor: Tensor, p: Any) -> Tensor:
    torch.random.draw(tensor, "geometric", _chance(p))
    return tensor


@function("bernoulli")
def _bernoulli(torch: Torch, p: Any = 0.5) -> int:
    return int(torch.random.scalar("bernoulli", real(p), 0))


@function("random")
def _random(torch: Torch, a: Any = None, b: Any = None) -> int:
    if a is None:
        return int(torch.random.scalar("random", 0, 2**32 - 1))
    low, high = (1, whole(a, "the bound")) if b is None else (whole(a, "a"), whole(b, "b"))
    return int(torch.random.scalar("random", low, ordered(low, high)))


@function("manualSeed")
def _manual_seed(torch: Torch, seed: Any) -> None:
    torch.random.manual_seed(whole(seed, "the seed"))


@function("initialSeed", "seed")
def _initial_seed(torch: Torch) -> int:
    return torch.random.numbers.seed


@method("uniform")
def _fill_uniform(torch: Torch, tensor: Tensor, a: Any = 0, b: Any = 1) -> Tensor:
    torch.random.draw(tensor, "uniform", real(a), real(b))
    return tensor


@method("normal")
def _fill_normal(torch: Torch, tensor: Tensor, mean: Any = 0, std: Any = 1) -> Tensor:
    torch.random.draw(tensor, "normal", real(mean), positive(std))
    return tensor


@method("bernoulli")
def _fill_bernoulli(torch: Torch, tensor: Tensor, p: Any = 0.5) -> Tensor:
    torch.random.draw(tensor, "bernoulli", real(p))
    return tensor


@method("random")
def _fill_random(torch: Torch, tensor: Tensor, a: Any = None, b: Any = None) -> Tensor:
    if a is None:
        torch.random.draw(tensor, "bits")
        return tensor
    low, high = (1, whole(a, "the bound")) if b is None else (whole(a, "a"), whole(b, "b"))
    torch.random.draw(tensor, "random", low, ordered(low, high))
    return tensor


def positive(std: Any) -> float:
    """A standard deviation."""
    number = real(std, "the standard deviation")
    if number <= 0:
        raise LayerError(f"the standard deviation must be positive, got {number:g}")
    return number


def ordered(low: int, high: int) -> int:
    """The upper bound of a range."""
    if high < low:
        raise LayerError(f"from {low} to {high}")
    return high
