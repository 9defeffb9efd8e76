"""Whether a net has an objective: without a loss it trains all its epochs at loss 0 and learns
nothing.
"""

from __future__ import annotations

from protonet.errors import LayerError, NetworkError
from protonet.graph.plan import Plan
from protonet.layers import layer_class
from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.text import NetDefinition

NO_VECTORS = (
    "without --labels, the label is the class number of each image; give a database of label "
    "vectors with --labels, or on the page a data set that has them"
)

_OF_VECTORS = {"EuclideanLoss", "L1Loss", "SmoothL1Loss", "SigmoidCrossEntropyLoss"}
"""Losses with vectors as targets."""


def has_objective(plan: Plan) -> bool:
    """Whether any top has a loss weight."""
    return any(value.loss_weight for value in plan.values)


def check_objective(plan: Plan, pasted: NetDefinition) -> None:
    """Refuse to train a net without loss; ``pasted`` is its definition before filtering.

    Raises:
        NetworkError: at the loss layers that are excluded by rules, if any.
    """
    if has_objective(plan):
        return
    kept = {layer.name for layer in plan.definition.net.layer}
    left_out = [
        (index, layer)
        for index, layer in enumerate(pasted.net.layer)
        if layer.name not in kept and _is_loss(layer.type)
    ]
    message = "nothing to learn: the train net has no loss layer"
    if not left_out:
        hint = "add one, such as SoftmaxWithLoss or EuclideanLoss, or give a top a loss_weight"
        raise NetworkError(f"{pasted.source.name}: {message}; {hint}")
    hint = 'exclude it from the deploy net only: exclude { stage: "deploy" }'
    raise NetworkError(
        [
            pasted.source.mistake(
                pasted.origins[index],
                f'{message}; layer "{layer.name}" ({layer.type}) is excluded by its rules',
                hint,
            )
            for index, layer in left_out
        ]
    )


def _is_loss(name: str) -> bool:
    try:
        return layer_class(name).is_loss
    except LayerError:
        return False


def wants_vectors(net: NetParameter) -> bool:
    """Whether the net has a loss with vectors as targets."""
    return any(layer.type in _OF_VECTORS for layer in net.layer)
