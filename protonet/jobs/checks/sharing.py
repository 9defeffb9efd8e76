"""Whether a test net can share the parameters of the train net, and ranks its batches."""

from __future__ import annotations

from protonet.errors import LayerError, NetworkError
from protonet.graph.operations import part_of
from protonet.graph.plan import Plan
from protonet.graph.shapes import at_batch
from protonet.jobs.definitions.inputs import ImageLayer
from protonet.layers.base import Stateful
from protonet.layers.batches import StreamLayer
from protonet.layers.hdf5_output import HDF5Output
from protonet.layers.memory_data import MemoryData
from protonet.layers.streams import Skipping
from protonet.ranks.communicator import Communicator

_SHARED = (
    "Data, AnnotatedData, ImageData, ImageSegData, DenseImageData, ImageLabelmapData, HDF5Data, "
    "VideoData and WindowData layers"
)


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


def refuse_whole_batches(train: Plan) -> None:
    """Refuse data layers that cannot deliver a rank's part of a batch, parts of other batches, and
    nets without either.

    Raises:
        NetworkError: naming the layer.
    """
    first: StreamLayer | None = None
    for step in train.steps:
        layer = step.layer
        if step.bottoms or not isinstance(layer, Stateful):
            continue
        if isinstance(layer, MemoryData):
            raise NetworkError(
                f'layer "{step.name}" ({step.type}): a script gives its arrays to one process, so '
                f"several ranks have no parts of them; {_SHARED} read theirs themselves"
            )
        if not isinstance(layer, StreamLayer) or layer.part is None:
            raise NetworkError(
                f'layer "{step.name}" ({step.type}): its batches cannot be shared out over several '
                f"ranks; those of {_SHARED} can"
            )
        first = first or layer
        if layer.part != first.part:
            raise NetworkError(
                f'layer "{step.name}" ({step.type}): its batch is {layer.whole_batch}, that of '
                f'"{first.name}" {first.whole_batch}; ranks share out batches of one size'
            )
    if first is None:
        raise NetworkError(
            "the train net has no layer whose batches several ranks can share out; those of "
            f"{_SHARED} can be"
        )


def refuse_regrouped(train: Plan) -> None:
    """Refuse Reshape layers that make another axis of the batch, such as steps x sequences: those
    of a rank's part would be other sequences than those of the whole batch.

    Raises:
        NetworkError: naming the layer.
    """
    part = part_of(train)
    assert part is not None, "of several ranks"
    try:
        whole = at_batch(train, part.whole)
    except LayerError:
        return  # shapes do not follow from the batch
    for mine, all_ in zip(train.steps, whole.steps, strict=True):
        if mine.type != "Reshape" or not mine.bottoms[0].shape:
            continue
        bottom_varies, top_varies = (
            ours.shape[:1] != theirs.shape[:1]
            for ours, theirs in ((mine.bottoms[0], all_.bottoms[0]), (mine.tops[0], all_.tops[0]))
        )
        if bottom_varies and not top_varies:
            raise NetworkError(
                f'layer "{mine.name}" ({mine.type}): its first axis, {mine.tops[0].shape[0]}, is '
                "not the batch, which several ranks share out; train on one rank"
            )


def refuse_files(plan: Plan) -> None:
    """Refuse layers that write a file: of several ranks, each would write the same one.

    Raises:
        NetworkError: naming the layer.
    """
    for step in plan.steps:
        if isinstance(step.layer, HDF5Output):
            raise NetworkError(
                f'layer "{step.name}" ({step.type}): several ranks would write its file; remove it '
                "from the net, or train on one rank"
            )


def refuse_uneven_shards(test: Plan, passes: int, ranks: Communicator) -> None:
    """Refuse tests of shards that are not shared out evenly: where one rank's test ends, those of
    the others must, so that a run resumes exactly.

    Raises:
        NetworkError: naming the layer.
    """
    for step in test.steps:
        layer = step.layer
        if isinstance(layer, StreamLayer) and layer.tests_shard and passes % ranks.size:
            raise NetworkError(
                f'layer "{step.name}" ({step.type}): each rank tests batches of its shard, so the '
                f"{passes} batches of a test (test_iter) must be a multiple of the {ranks.size} "
                "ranks"
            )
    layers = [step.layer for step in test.steps if isinstance(step.layer, Stateful)]
    fixed = [each for each in layers if not (isinstance(each, Skipping) and each.can_skip)]
    if fixed and any(isinstance(each, StreamLayer) and each.tests_shard for each in layers):
        raise NetworkError(
            f'layer "{fixed[0].name}" ({fixed[0].type}): each rank makes the whole test because of '
            "it, so the databases of the test cannot be shards"
        )


def shard_notes(plan: Plan) -> list[str]:
    """What an epoch is where data layers read shards."""
    layers = [step.layer for step in plan.steps if isinstance(step.layer, StreamLayer)]
    notes = [f'layer "{each.name}": {each.shard.text}' for each in layers if each.shard is not None]
    return notes[:1]


def refuse_moments(train: Plan) -> None:
    """Refuse moments of the batch of all ranks where a rank may have nothing to add to them.

    Raises:
        NetworkError: naming the layer.
    """
    for step in train.steps:
        if step.dynamic and step.bottoms:
            raise NetworkError(
                f'layer "{step.name}" ({step.type}): its tops differ in size from rank to rank, so '
                "sync_batch_norm cannot count on all; train without it, or on one rank"
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
