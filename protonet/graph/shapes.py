"""The shapes that follow from other bottoms than a net was built for."""

from __future__ import annotations

from collections.abc import Mapping

from protonet.blob import Shape
from protonet.errors import LayerError
from protonet.graph.names import Value
from protonet.graph.plan import Plan, Step
from protonet.layers.base import shape_text


def infer_tops(step: Step) -> list[Shape]:
    """The shapes of a step's tops for its bottoms of now, which must suit its parameters.

    Raises:
        LayerError: naming the layer, where they do not.
    """
    try:
        tops = step.layer.infer(step.shapes)
        for weight, param in zip(step.layer.declare(step.shapes), step.layer.params, strict=True):
            if weight.shape != param.shape:
                raise LayerError(
                    f"bottoms of shape {', '.join(map(shape_text, step.shapes))} need a "
                    f"parameter of shape {shape_text(weight.shape)}, but '{param.name}' is "
                    f"{shape_text(param.shape)}"
                )
    except LayerError as error:
        where = f'layer "{step.name}" ({step.type}): '
        raise LayerError(where + str(error), error.path, error.hint) from None
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
            tops = [inputs[value] for value in step.tops] if given else infer_tops(step)
            for value, shape in zip(step.tops, tops, strict=True):
                value.shape = tuple(shape)
    except LayerError:
        for value, old in before:
            value.shape = old
        raise
