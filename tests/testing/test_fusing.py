"""Layers that are computed together: what is right passes, what is lost is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from protonet.blob import Shape
from protonet.layers import Layer
from protonet.layers.base import Kind, Traits
from protonet.layers.registry import LAYERS
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.testing import check_fused

CONVOLUTION = 'type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 }'
RELU = 'type: "ReLU"'
POWER = 'type: "Power" power_param { scale: 3 shift: -2 }'
HALVE = 'type: "Halve"'


class Halve(Layer):
    """y = x / 2 + 1, as somebody outside would write it."""

    traits = Traits(backward_reads=frozenset(), in_place=True, kind=Kind.LINEAR)
    numbers: tuple[float | None, float | None] = (0.5, 1.0)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [shapes[0]]

    def affine(self) -> tuple[float | None, float | None]:
        return self.numbers

    def forward(self, bottoms: Sequence[Any], tops: Sequence[Any]) -> None:
        self.xp.multiply(bottoms[0], 0.5, out=tops[0])
        self.xp.add(tops[0], 1.0, out=tops[0])

    def backward(
        self,
        dtops: Sequence[Any],
        bottoms: Sequence[Any],
        tops: Sequence[Any],
        dbottoms: Sequence[Any],
    ) -> None:
        if dbottoms[0] is not None:
            self.xp.multiply(dtops[0], 0.5, out=dbottoms[0])


@pytest.fixture(autouse=True)
def halve(monkeypatch: pytest.MonkeyPatch) -> type[Halve]:
    fresh = type("Fresh", (Halve,), {"type": "Halve"})
    monkeypatch.setitem(LAYERS, "Halve", fresh)
    return fresh


@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_what_is_fused_to_the_same_numbers_passes(phase: int) -> None:
    check_fused([CONVOLUTION, RELU], (2, 3, 5, 7), phase=phase)
    check_fused([POWER, POWER, RELU], (2, 3, 5), phase=phase)


def test_a_layer_of_ones_own_is_computed_by_a_convolution() -> None:
    check_fused([CONVOLUTION, HALVE, RELU], (2, 3, 5, 7))


@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_a_layer_of_ones_own_is_computed_by_power(phase: int) -> None:
    check_fused([POWER, HALVE, RELU], (2, 3, 5), phase=phase)


@pytest.mark.parametrize("numbers", [(None, 1.0), (2.0, None)])
def test_numbers_of_one_and_zero_may_be_none(
    halve: type[Halve], numbers: tuple[float | None, float | None]
) -> None:
    halve.numbers = numbers
    with pytest.raises(AssertionError, match="array 0, fused"):
        check_fused([POWER, HALVE], (2, 3, 5))


def test_nothing_is_put_behind_a_layer_that_computes_itself_alone(halve: type[Halve]) -> None:
    with pytest.raises(AssertionError, match=r"expected \[.*\] to be fused, found \[\]"):
        check_fused([HALVE, RELU], (2, 3, 5))
    halve.traits = replace(Halve.traits, absorbs=True)
    with pytest.raises(AssertionError, match="array 0, fused"):
        check_fused([HALVE, RELU], (2, 3, 5))


def test_a_layer_that_does_not_say_its_numbers_computes_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(Halve, "affine")
    with pytest.raises(AssertionError, match=r"found \[\]"):
        check_fused([CONVOLUTION, HALVE], (2, 3, 5, 7))
