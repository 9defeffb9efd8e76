"""Whether a net has an objective: without a loss it trains all its epochs at loss 0 and learns
nothing.
"""

from __future__ import annotations

from protonet.errors import LayerError, NetworkError
from protonet.graph.plan import Plan
from protonet.layers import layer_class
from protonet.proto.text import NetDefinition


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
