"""Layer fusion: layers computed by the passes of the layer before them, such as bias and ReLU with
a convolution, or Scale and ReLU with BatchNorm.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
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
    Kind.CONVOLUTION: _Chains("R?", f"[{_ANY}]*A?R?"),
    Kind.RECTIFIABLE: _Chains("R?", "R?"),
    Kind.SUM: _Chains("R?", "R?"),
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


def fuse(plan: Plan, *, gradients: bool, sums: bool = True) -> Plan:
    """The plan with layers fused into those before them, where no other layer reads the values in
    between. ``gradients`` tells whether backward passes will run; without ``sums``, sums of two
    bottoms remain layers.
    """
    steps, outputs = list(plan.steps), plan.kept.union(plan.outputs)
    for index, step in enumerate(plan.steps):
        if steps[index].absorbed_by is not None or not step.layer.traits.absorbs:
            continue
        chain: list[int] = []
        while len(chain) < _LONGEST and (at := _next(steps, (index, *chain), outputs)) is not None:
            if gradients and not _same_gradients(step, plan.steps[at]):
                break
            if plan.steps[at].layer.traits.kind is Kind.SUM and not sums:
                break
            if not _can_absorb(step, [plan.steps[i] for i in (*chain, at)], gradients):
                break
            chain.append(at)
        if not chain:
            continue
        _absorb(steps, index, chain)
    return replace(plan, steps=tuple(steps))


def _absorb(steps: list[Step], index: int, chain: list[int]) -> None:
    """Fuse a chain of steps into step ``index``."""
    behind, added = [steps[at] for at in chain], list[Value]()
    for at, before in zip(chain, (index, *chain), strict=False):
        carried = steps[at].bottoms.index(steps[before].tops[0])
        added += (value for place, value in enumerate(steps[at].bottoms) if place != carried)
        steps[at] = replace(steps[at], absorbed_by=index, reads=frozenset(), carried=carried)
    steps[index] = replace(
        steps[index],
        absorbed=tuple(chain),
        added=tuple(added),
        reads=_reads(steps[index], behind),
    )


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


def _next(steps: Sequence[Step], chain: Sequence[int], outputs: Collection[Value]) -> int | None:
    """The only reader of the only top of the last step of a chain, if it has no other top, and no
    other bottom but one to add, computed before the chain; else None.
    """
    step = steps[chain[-1]]
    if len(step.tops) != 1 or step.dynamic:
        return None
    value = step.tops[0]
    if len(value.consumers) != 1 or value in outputs or value.loss_weight:
        return None
    at = value.consumers[0][0]
    reader = steps[at]
    if len(reader.tops) != 1 or reader.dynamic or value.shape != reader.tops[0].shape:
        return None
    others = [bottom for bottom in reader.bottoms if bottom != value]
    if others and reader.layer.traits.kind is not Kind.SUM:
        return None
    if any(_computed_at(steps, other) >= chain[0] for other in others):
        return None
    return at if _can_be_asked(reader) else None


def _computed_at(steps: Sequence[Step], value: Value) -> int:
    """The step that computes a value."""
    by = steps[value.producer].absorbed_by
    return value.producer if by is None else by


def _can_be_asked(step: Step) -> bool:
    """Whether a layer of an affine kind says which numbers it has, as such kinds promise."""
    kind = step.layer.traits.kind
    return kind is not None and (kind.value not in _ANY or isinstance(step.layer, ChannelAffine))


def _same_gradients(step: Step, follower: Step) -> bool:
    """Whether both steps run backward (the follower with a gradient of its bottom), or neither."""
    if not follower.runs_backward:
        return not step.runs_backward
    return step.runs_backward and follower.wanted[0]
