"""Which steps and values of a net take part in the backward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protonet.graph.names import Wiring
from protonet.layers import Layer


@dataclass(frozen=True)
class Gradients:
    """``wanted[step]`` are the bottoms that get a gradient, ``runs[step]`` whether a step runs
    backward, ``reached[value]`` whether a gradient reaches a value.
    """

    wanted: tuple[tuple[bool, ...], ...]
    runs: tuple[bool, ...]
    reached: tuple[bool, ...]


def find_gradients(
    layers: Sequence[Layer],
    wiring: Wiring,
    learns: Sequence[bool],
    loss_weights: Sequence[float],
    force: bool,
) -> Gradients:
    """Find which bottoms get gradients and which steps run backward, by Caffe's rules.

    ``learns[step]`` tells whether a step has trainable parameters; ``force`` is force_backward.

    Forward: a value can use a gradient if its producer has trainable parameters or a bottom that
    can. Backward: a gradient exists where a loss is reachable.
    """
    useful: set[int | None] = set()
    wishes: list[tuple[bool, ...]] = []
    for index, layer in enumerate(layers):
        down = layer.spec.propagate_down
        wish = tuple(
            (down[i] if i < len(down) else number in useful or force) and i not in layer.no_gradient
            for i, number in enumerate(wiring.bottoms[index])
        )
        wishes.append(wish)
        if any(wish) or learns[index]:
            useful.update(wiring.tops[index])
    reached = [force or weight != 0 for weight in loss_weights]
    wanted = [(False,) * len(wish) for wish in wishes]
    runs = [False] * len(layers)
    for index in range(len(layers) - 1, -1, -1):
        wish, tops = wishes[index], wiring.tops[index]
        runs[index] = any(reached[n] for n in tops) and (any(wish) or learns[index])
        if runs[index] or (force and not tops):
            wanted[index], runs[index] = wish, True
            for number, wants in zip(wiring.bottoms[index], wish, strict=True):
                if number is not None and wants:
                    reached[number] = True
    return Gradients(tuple(wanted), tuple(runs), tuple(reached))
