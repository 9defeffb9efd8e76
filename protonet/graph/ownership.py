"""The parameters of a net, and which layers share them: ``param { name }``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from protonet.graph.names import Complain
from protonet.layers.base import Weight, shape_text
from protonet.proto.caffe_pb2 import LayerParameter, ParamSpec


@dataclass(frozen=True)
class PlannedParam:
    """A parameter of a step: the layer's declaration and the settings of the text.

    ``owner`` is the (step, index) of the layer that owns the parameter, where layers share one by
    ``param { name }``; None for a parameter that is not borrowed.
    """

    weight: Weight
    name: str
    lr_mult: float
    decay_mult: float
    owner: tuple[int, int] | None = None


def plan_params(
    layers: Sequence[LayerParameter], declared: Sequence[list[Weight] | None], complain: Complain
) -> list[tuple[PlannedParam, ...]]:
    """Plan the parameters of every layer; layers share those of one name."""
    owners: dict[str, tuple[int, int]] = {}
    plans: list[list[PlannedParam]] = []
    for index, weights in enumerate(declared):
        specs = layers[index].param
        if weights is not None and len(specs) > len(weights):
            complain(
                index,
                ("param", len(weights)),
                f"{len(specs)} param entries for a layer that has {len(weights)} parameter(s)",
                "",
            )
        row: list[PlannedParam] = []
        for place, weight in enumerate(weights if weights is not None else ()):
            spec = specs[place] if place < len(specs) else ParamSpec()
            row.append(
                PlannedParam(
                    weight,
                    spec.name,
                    spec.lr_mult if weight.lr_mult is None else weight.lr_mult,
                    spec.decay_mult if weight.decay_mult is None else weight.decay_mult,
                    owners.get(spec.name) if spec.name else None,
                )
            )
            if spec.name:
                owners.setdefault(spec.name, (index, place))
        plans.append(row)
        for place, param in enumerate(row):
            if param.owner is not None:
                _check_shared(layers, plans, (index, place), param.owner, complain)
    return [tuple(row) for row in plans]


def _check_shared(
    layers: Sequence[LayerParameter],
    plans: list[list[PlannedParam]],
    at: tuple[int, int],
    owner: tuple[int, int],
    complain: Complain,
) -> None:
    """Check that shape and multipliers of a shared parameter agree with its owner's; multipliers
    may be given in one place only.
    """
    (index, place), owner_layer = at, layers[owner[0]]
    spec, owner_spec = layers[index].param[place], owner_layer.param[owner[1]]
    ours, theirs = plans[index][place].weight, plans[owner[0]][owner[1]].weight
    permissive = spec.share_mode == ParamSpec.PERMISSIVE
    agrees = ours.count == theirs.count if permissive else ours.shape == theirs.shape
    if not agrees:
        complain(
            index,
            ("param", place),
            f"parameter '{spec.name}' is {shape_text(ours.shape)} here, but "
            f"{shape_text(theirs.shape)} in layer '{owner_layer.name}', which owns it",
            "" if permissive else "share_mode: PERMISSIVE requires equal counts only",
        )
    for field in ("lr_mult", "decay_mult"):
        here, there = (getattr(plans[i][p], field) for i, p in (at, owner))
        if not spec.HasField(field):
            plans[index][place] = replace(plans[index][place], **{field: there})
        elif not owner_spec.HasField(field):
            plans[owner[0]][owner[1]] = replace(plans[owner[0]][owner[1]], **{field: here})
        elif getattr(spec, field) != getattr(owner_spec, field):
            complain(
                index,
                ("param", place, field),
                f"parameter '{spec.name}' has {field} {getattr(spec, field):g} here, but "
                f"{getattr(owner_spec, field):g} in layer '{owner_layer.name}', which owns it",
                "",
            )
