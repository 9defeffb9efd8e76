"""Whether a test net can share the parameters of the train net."""

from __future__ import annotations

from protonet.errors import NetworkError
from protonet.graph.plan import Plan
from protonet.jobs.definitions.inputs import ImageLayer


def refuse_other_shapes(train: Plan, test: Plan) -> None:
    """Refuse layers of the same name with parameters of other shapes: the test net would use the
    values of its fillers. Caffe's ShareTrainedLayersWith refuses them too.

    Raises:
        NetworkError: naming the layer, and the images if they are the cause.
    """
    learned = {step.name: [each.weight.shape for each in step.params] for step in train.steps}
    for step in test.steps:
        theirs = learned.get(step.name)
        ours = [each.weight.shape for each in step.params]
        if theirs is None or not ours or ours == theirs:
            continue
        found, expected = (_shown(shapes) for shapes in (ours, theirs))
        raise NetworkError(
            f'layer "{step.name}" ({step.layer.spec.type}): its parameters are {found} in the test '
            f"net, but {expected} in the train net, so it cannot be tested{_why(train, test)}"
        )


def _shown(shapes: list[tuple[int, ...]]) -> str:
    return " and ".join("x".join(map(str, shape)) for shape in shapes)


def _why(train: Plan, test: Plan) -> str:
    """The image sizes, if those of the nets differ."""
    sizes = [
        [step.tops[0].shape[1:] for step in plan.steps
         if isinstance(step.layer, ImageLayer) and step.tops[0].shape is not None]
        for plan in (train, test)
    ]  # fmt: skip
    for ours, theirs in zip(*sizes, strict=False):
        if ours != theirs:
            learned, tested = ("x".join(map(str, each)) for each in (ours, theirs))
            return f": the images are {learned} in training and {tested} in validation"
    return ""
