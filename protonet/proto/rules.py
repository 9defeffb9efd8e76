"""Which layers a net keeps in a state: phase, level and stages."""

from __future__ import annotations

from collections.abc import Sequence

from protonet.errors import Mistake, NetworkError
from protonet.proto.caffe_pb2 import TRAIN, NetParameter, NetState, NetStateRule
from protonet.proto.source import NetDefinition


def state(phase: int, level: int = 0, stages: Sequence[str] = ()) -> NetState:
    """A NetState message."""
    return NetState(phase=phase, level=level, stage=stages)  # type: ignore[arg-type]  # an enum


def matches(rule: NetStateRule, state: NetState) -> bool:
    """Whether every condition of the rule holds in ``state``."""
    if rule.HasField("phase") and rule.phase != state.phase:
        return False
    if rule.HasField("min_level") and state.level < rule.min_level:
        return False
    if rule.HasField("max_level") and state.level > rule.max_level:
        return False
    stages = set(state.stage)
    return stages.issuperset(rule.stage) and stages.isdisjoint(rule.not_stage)


def filter_layers(definition: NetDefinition, state: NetState) -> NetDefinition:
    """The definition with only the layers that ``state`` keeps, and with that state.

    A layer stays when it has no rules, when any include rule matches, or when no exclude rule
    does.

    Raises:
        NetworkError: for layers that have both include and exclude rules.
    """
    mistakes = [
        definition.source.mistake(
            (*origin, "exclude"),
            f'layer "{layer.name}" ({layer.type}): has both include and exclude rules',
            "give it one kind only",
        )
        for layer, origin in zip(definition.net.layer, definition.origins, strict=True)
        if layer.include and layer.exclude
    ]
    if mistakes:
        raise NetworkError(mistakes)
    kept = [
        index
        for index, layer in enumerate(definition.net.layer)
        if _stays(layer.include, layer.exclude, state)
    ]
    found = definition.with_layers(
        (definition.net.layer[index] for index in kept),
        (definition.origins[index] for index in kept),
    )
    found.net.state.CopyFrom(state)
    return found


def state_of(net: NetParameter, phase: int, level: int, stages: Sequence[str]) -> NetState:
    """The state that a net is built in: the stages of its text and those given, and the level
    given. Caffe's ``Net(file, phase, level, stages)`` does the same.
    """
    return state(phase, level, list(dict.fromkeys([*net.state.stage, *stages])))


def keep_layers(definition: NetDefinition, state: NetState) -> NetDefinition:
    """``filter_layers`` for a net that is to be built or shown.

    Raises:
        NetworkError: also where the state keeps no layer.
    """
    kept = filter_layers(definition, state)
    if not kept.net.layer:
        phase = "TRAIN" if state.phase == TRAIN else "TEST"
        stages = "".join(f", stage {stage}" for stage in state.stage)
        level = f", level {state.level}" if state.level else ""
        count = len(definition.net.layer)
        raise NetworkError(
            [
                Mistake(
                    f"no layer is left in phase {phase}{stages}{level}",
                    definition.source.name,
                    hint=f"include and exclude rules leave out each of the {count} layer(s)",
                )
            ]
        )
    return kept


def _stays(
    include: Sequence[NetStateRule], exclude: Sequence[NetStateRule], state: NetState
) -> bool:
    if include:
        return any(matches(rule, state) for rule in include)
    return not any(matches(rule, state) for rule in exclude)


def in_state(
    definition: NetDefinition, phase: int, level: int = 0, stages: Sequence[str] = ()
) -> NetDefinition:
    """The definition as it is built in this phase, level and stages, with those of its own text.

    Raises:
        NetworkError: as ``keep_layers``.
    """
    return keep_layers(definition, state_of(definition.net, phase, level, stages))
