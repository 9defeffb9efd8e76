"""Layer fusion: layers computed by the passes of the layer before them, such as bias and ReLU with
a convolution, or Scale and ReLU with BatchNorm.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

from protonet.graph.names import Value
from protonet.graph.plan import Plan, Step
from protonet.layers.affine import ChannelAffine
from protonet.layers.base import Kind, Reads

_ANY = "".join(
    kind.value
    for kind in (
        Kind.FIXED_NORMALIZATION,
        Kind.FIXED_SCALED_NORMALIZATION,
        Kind.SCALE,
        Kind.SCALE_AND_SHIFT,
        Kind.SHIFT,
        Kind.LINEAR,
    )
)
"""The affine kinds."""


class _Chains(NamedTuple):
    """Regular expressions over the letters of kinds: which chains of layers can be fused into a
    layer.
    """

    training: str
    inference: str


_ABSORBS = {
    Kind.CONVOLUTION: _Chains("R?", f"[{_ANY}]*R?"),
    Kind.RECTIFIABLE: _Chains("R?", "R?"),
    Kind.NORMALIZATION: _Chains("[ST]?R?", "[ST]?R?"),
    Kind.FIXED_NORMALIZATION: _Chains("[ST]?R?", "[ST]?R?"),
    Kind.SCALED_NORMALIZATION: _Chains("R?", "R?"),
    Kind.FIXED_SCALED_NORMALIZATION: _Chains("R?", "R?"),
    # Scale's backward pass computes the gradient of a following shift, too
    Kind.SCALE: _Chains("B?R?", f"[{_ANY}]*R?"),
    Kind.SCALE_AND_SHIFT: _Chains("R?", f"[{_ANY}]*R?"),
    Kind.SHIFT: _Chains("R?", f"[{_ANY}]*R?"),
    Kind.LINEAR: _Chains("L*[PR]?", "L*[PR]?"),
}

_NORMALIZATIONS = frozenset(
    {
        Kind.NORMALIZATION,
        Kind.FIXED_NORMALIZATION,
        Kind.SCALED_NORMALIZATION,
        Kind.FIXED_SCALED_NORMALIZATION,
    }
)


_LONGEST = 64
"""How many layers one absorbs at most: matching a chain takes time that grows with its length."""


def fuse(plan: Plan, *, gradients: bool) -> Plan:
    """The plan with layers fused into those before them, where no other layer reads the values in
    between. ``gradients`` tells whether backward passes will run.
    """
    steps, outputs = list(plan.steps), plan.kept.union(plan.outputs)
    for index, step in enumerate(plan.steps):
        if steps[index].absorbed_by is not None or not step.layer.traits.absorbs:
            continue
        chain: list[int] = []
        while (
            len(chain) < _LONGEST and (at := _next(plan, (index, *chain)[-1], outputs)) is not None
        ):
            if gradients and not _same_gradients(step, plan.steps[at]):
                break
            if not _can_absorb(step, [plan.steps[i] for i in (*chain, at)], gradients):
                break
            chain.append(at)
        if not chain:
            continue
        behind = [plan.steps[at] for at in chain]
        steps[index] = replace(step, absorbed=tuple(chain), reads=_reads(step, behind))
        for at in chain:
            steps[at] = replace(plan.steps[at], absorbed_by=index, reads=frozenset())
    return replace(plan, steps=tuple(steps))


def fusions(plan: Plan) -> list[tuple[str, list[str]]]:
    """The names of layers with fused layers, and the names of these."""
    return [
        (step.name, [plan.steps[at].name for at in step.absorbed])
        for step in plan.steps
        if step.absorbed
    ]


def _can_absorb(step: Step, chain: list[Step], gradients: bool) -> bool:
    """Whether the table allows this chain after this layer."""
    kinds = [each.layer.traits.kind for each in chain]
    if step.layer.traits.kind not in _ABSORBS or None in kinds:
        return False
    chains = _ABSORBS[step.layer.traits.kind]
    letters = "".join(kind.value for kind in kinds if kind is not None)
    return bool(re.fullmatch(chains.training if gradients else chains.inference, letters))


def _reads(step: Step, chain: list[Step]) -> frozenset[Reads]:
    """What the backward pass of a fused layer reads: the last top if that is rectified; for a
    normalization the bottom, since its own top is not stored.
    """
    last = chain[-1].layer.traits
    if step.layer.traits.kind in _NORMALIZATIONS:
        return frozenset({Reads.BOTTOMS})
    if last.kind is Kind.POWER:
        return last.backward_reads
    rectified = {Reads.TOPS} if last.kind is Kind.RECTIFIER else set[Reads]()
    return step.layer.traits.backward_reads | rectified


def _next(plan: Plan, index: int, outputs: Collection[Value]) -> int | None:
    """The only reader of a step's only top, if it has no other bottom or top; else None."""
    step = plan.steps[index]
    if len(step.tops) != 1 or step.dynamic:
        return None
    value = step.tops[0]
    if len(value.consumers) != 1 or value in outputs or value.loss_weight:
        return None
    at = value.consumers[0][0]
    reader = plan.steps[at]
    if len(reader.bottoms) != 1 or len(reader.tops) != 1 or reader.dynamic:
        return None
    if reader.bottoms[0].shape != reader.tops[0].shape:
        return None
    return at if _can_be_asked(reader) else None


def _can_be_asked(step: Step) -> bool:
    """Whether a layer of an affine kind says which numbers it has, as such kinds promise."""
    kind = step.layer.traits.kind
    return kind is not None and (kind.value not in _ANY or isinstance(step.layer, ChannelAffine))


def _same_gradients(step: Step, follower: Step) -> bool:
    """Whether both steps run backward (the follower with a gradient of its bottom), or neither."""
    if not follower.runs_backward:
        return not step.runs_backward
    return step.runs_backward and follower.wanted[0]
