"""Whether there is anything to learn: a net whose layers have no loss trains all its epochs at
loss 0, and learns nothing.
"""

from __future__ import annotations

from protonet.errors import LayerError, NetworkError
from protonet.graph.plan import Plan
from protonet.layers import layer_class
from protonet.proto.text import NetDefinition


def has_objective(plan: Plan) -> bool:
    """Whether any top weighs in the objective."""
    return any(value.loss_weight for value in plan.values)


def check_objective(plan: Plan, pasted: NetDefinition) -> None:
    """Refuse a net that is to be trained and has no loss; ``pasted`` is its text before the rules.

    Raises:
        NetworkError: at the loss layers that the rules leave out, where there are any.
    """
    if has_objective(plan):
        return
    kept = {layer.name for layer in plan.definition.net.layer}
    left_out = [
        (index, layer)
        for index, layer in enumerate(pasted.net.layer)
        if layer.name not in kept and _is_loss(layer.type)
    ]
    message = "nothing can be learned: no layer of the net in training is a loss"
    if not left_out:
        hint = "give it one, such as SoftmaxWithLoss or EuclideanLoss, or a top a loss_weight"
        raise NetworkError(f"{pasted.source.name}: {message}; {hint}")
    hint = 'leave it out of the deployed net only: exclude { stage: "deploy" }'
    raise NetworkError(
        [
            pasted.source.mistake(
                pasted.origins[index],
                f'{message}; layer "{layer.name}" ({layer.type}) is left out by its rules',
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
