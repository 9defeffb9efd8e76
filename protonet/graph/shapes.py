"""The shapes that follow from other bottoms than a net was built for."""

from __future__ import annotations

from protonet.blob import Shape
from protonet.errors import LayerError
from protonet.graph.plan import Step
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
