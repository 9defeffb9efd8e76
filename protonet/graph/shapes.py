"""Reshaping: the shapes of a net for new shapes of its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from protonet.blob import Param, Shape
from protonet.errors import LayerError
from protonet.graph.names import Value
from protonet.graph.plan import Plan, Step
from protonet.layers import Layer
from protonet.layers.base import shape_text
from protonet.layers.limits import check_limits
from protonet.layers.streams import Varying


def infer_tops(
    step: Step, layer: Layer, shapes: Sequence[Shape], params: Sequence[Param] | None = None
) -> list[Shape]:
    """The shapes of a step's tops for bottoms of these shapes, which must fit its parameters.

    Raises:
        LayerError: naming the layer, if they do not.
    """
    try:
        tops, weights = layer.infer(shapes), layer.declare(shapes)
        check_limits(tops, weights)
        for weight, param in zip(weights, params or (), strict=params is not None):
            if weight.shape != param.shape:
                raise LayerError(
                    f"bottoms of shape {', '.join(map(shape_text, shapes))} need a "
                    f"parameter of shape {shape_text(weight.shape)}, but '{param.name}' is "
                    f"{shape_text(param.shape)}"
                )
    except LayerError as error:
        raise _of_layer(step, error) from None
    return [tuple(shape) for shape in tops]


def reshaped(
    plan: Plan, layers: Sequence[Layer], inputs: Mapping[Value, Shape], last: int | None = None
) -> Plan:
    """The plan with these input shapes and all shapes that follow from them, up to step ``last`` if
    it is given: those behind it stay.

    ``layers`` are those of a net, whose parameters keep their shapes.

    Raises:
        LayerError: naming the layer that refuses its new bottoms.
    """
    shapes: dict[Value, Shape] = {}
    steps = plan.steps if last is None else plan.steps[: last + 1]
    for step, layer in zip(steps, layers, strict=False):
        if step.type == "Input":
            tops = _input_tops(step, inputs)
        else:
            tops = infer_tops(step, layer, [shapes[v] for v in step.bottoms], layer.params)
        shapes.update(zip(step.tops, tops, strict=True))
    return plan.with_shapes(shapes)


def in_batches(plan: Plan, layers: Sequence[Layer], tops: Mapping[int, Sequence[Shape]]) -> Plan:
    """The plan with tops of these shapes of some steps without bottoms, and all shapes that follow.

    Raises:
        LayerError: naming the layer that refuses its new bottoms.
    """
    shapes: dict[Value, Shape] = {}
    for index, (step, layer) in enumerate(zip(plan.steps, layers, strict=True)):
        if step.bottoms:
            made = infer_tops(step, layer, [shapes[v] for v in step.bottoms], layer.params)
        else:
            made = list(tops.get(index, [value.shape for value in step.tops]))
        shapes.update(zip(step.tops, made, strict=True))
    return plan.with_shapes(shapes)


def check_batches(plan: Plan, layers: Sequence[Layer]) -> None:
    """Refuse a net whose layers do not take the smaller batches of its data layers.

    Raises:
        LayerError: naming the layer.
    """
    varying = plan.varying
    sources = [layer for layer in (layers[at] for at in varying) if isinstance(layer, Varying)]
    for made in zip(*(source.variants() for source in sources), strict=True):
        count = made[0][0][0]
        try:
            in_batches(plan, layers, dict(zip(varying, made, strict=True)))
        except LayerError as error:
            first = plan.steps[varying[0]].name
            text = f'{error} (with the batch of {count} that layer "{first}" gives, too)'
            raise LayerError(text, error.path, error.hint) from None


def following(
    plan: Plan, layers: Sequence[Layer], index: int, tops: Sequence[Shape]
) -> dict[Value, Shape]:
    """The values whose shapes change when the tops of step ``index`` get the shapes ``tops``; the
    ``layers`` of the net are built for them.
    """
    shapes: dict[Value, Shape] = {}

    def note(step: Step, tops: Sequence[Shape]) -> None:
        for value, shape in zip(step.tops, tops, strict=True):
            if value.shape != tuple(shape):
                shapes[value] = tuple(shape)

    note(plan.steps[index], tops)
    for later in range(index + 1, len(layers) if shapes else 0):
        step, layer = plan.steps[later], layers[later]
        if shapes.keys() & set(step.bottoms):
            bottoms = [shapes.get(value, value.shape) for value in step.bottoms]
            note(step, infer_tops(step, layer, bottoms, layer.params))
            layer.build(bottoms)
    return shapes


def at_batch(plan: Plan, batch: int) -> Plan:
    """The plan with another batch size of the data layers.

    Raises:
        LayerError: where the layers refuse it.
    """
    shapes: dict[Value, Shape] = {}
    for step in plan.steps:
        if step.bottoms:
            tops = infer_tops(step, step.layer, [shapes[value] for value in step.bottoms])
        else:
            tops = [(batch, *value.shape[1:]) if value.shape else () for value in step.tops]
        shapes.update(zip(step.tops, tops, strict=True))
    return plan.with_shapes(shapes)


def _input_tops(step: Step, inputs: Mapping[Value, Shape]) -> list[Shape]:
    tops = [tuple(inputs[value]) for value in step.tops]
    try:
        check_limits(tops, ())
    except LayerError as error:
        raise _of_layer(step, error) from None
    return tops


def _of_layer(step: Step, error: LayerError) -> LayerError:
    return LayerError(f'layer "{step.name}" ({step.type}): {error}', error.path, error.hint)
