"""The shapes that follow from other bottoms than a net was built for."""

from __future__ import annotations

from collections.abc import Mapping

from protonet.blob import Shape
from protonet.errors import LayerError
from protonet.graph.names import Value
from protonet.graph.plan import Plan, Step
from protonet.layers.base import shape_text
from protonet.layers.limits import check_limits


def infer_tops(step: Step) -> list[Shape]:
    """The shapes of a step's tops for its bottoms of now, which must suit its parameters.

    Raises:
        LayerError: naming the layer, where they do not.
    """
    try:
        tops, weights = step.layer.infer(step.shapes), step.layer.declare(step.shapes)
        check_limits(tops, weights)
        for weight, param in zip(weights, step.layer.params, strict=True):
            if weight.shape != param.shape:
                raise LayerError(
                    f"bottoms of shape {', '.join(map(shape_text, step.shapes))} need a "
                    f"parameter of shape {shape_text(weight.shape)}, but '{param.name}' is "
                    f"{shape_text(param.shape)}"
                )
    except LayerError as error:
        raise _of_layer(step, error) from None
    return [tuple(shape) for shape in tops]


def infer_all(plan: Plan, inputs: Mapping[Value, Shape]) -> None:
    """Give the inputs these shapes, and all that follows from them its own.

    Raises:
        LayerError: naming the layer that cannot take its new bottoms; the shapes are as before.
    """
    before = [(value, value.shape) for value in plan.values]
    try:
        for step in plan.steps:
            given = step.type == "Input"
            tops = _given_tops(step, inputs) if given else infer_tops(step)
            for value, shape in zip(step.tops, tops, strict=True):
                value.shape = tuple(shape)
    except LayerError:
        for value, old in before:
            value.shape = old
        raise


def _given_tops(step: Step, inputs: Mapping[Value, Shape]) -> list[Shape]:
    tops = [inputs[value] for value in step.tops]
    try:
        check_limits(tops, ())
    except LayerError as error:
        raise _of_layer(step, error) from None
    return tops


def _of_layer(step: Step, error: LayerError) -> LayerError:
    return LayerError(f'layer "{step.name}" ({step.type}): {error}', error.path, error.hint)
