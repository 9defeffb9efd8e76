"""From a pasted network to the train_val and deploy nets: messages only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from protonet.errors import NetworkError
from protonet.jobs.definitions.boxes import BoxFiles, annotated_layer, put_files, reads_boxes
from protonet.jobs.definitions.images import UNCHANGED, ImageOptions
from protonet.jobs.run.settings import DEFAULT_BATCH
from protonet.proto import rules
from protonet.proto.caffe_pb2 import (
    TEST,
    TRAIN,
    DataParameter,
    LayerParameter,
    NetParameter,
    NetState,
    ResizeParameter,
    TransformationParameter,
)
from protonet.proto.text import NetDefinition, Where

TRAIN_STATE = rules.state(TRAIN, stages=["train"])
VAL_STATE = rules.state(TEST, stages=["val"])
DEPLOY_STATE = rules.state(TEST, stages=["deploy"])
DATA = ("AnnotatedData", "Data")
"""Types of layers that read databases of images or labels."""
_SOURCES = (*DATA, "Input")


@dataclass(frozen=True)
class Databases:
    """The databases of one phase: absolute paths."""

    images: str
    labels: str | None = None


@dataclass
class _Made:
    """A data layer of the train_val net: of the images or the labels."""

    layer: LayerParameter
    origin: Where
    images: bool
    trains: bool = False


def make_train_val(
    pasted: NetDefinition,
    train: Databases,
    val: Databases | None,
    *,
    batch_size: int | None = None,
    images: ImageOptions = UNCHANGED,
    classes: int | None = None,
    files: BoxFiles | None = None,
) -> NetDefinition:
    """The pasted network with data layers for training and validation.

    The network's own data layers keep their fields, except source and backend. Missing ones are
    added: ``data``, and ``label`` if a layer reads it. ``classes`` fills every missing num_output.
    ``files`` are those of a data set with boxes.

    Raises:
        NetworkError: when the network's own data layers cannot be filled in.
    """
    phases = [(TRAIN_STATE, train)] + ([(VAL_STATE, val)] if val is not None else [])
    made: list[_Made] = []
    for state, databases in phases:
        others = [each for each, _ in phases if each is not state]
        layers = _own_layers(pasted, state, databases, others)
        model = next((each.layer for each in made if each.images), None)
        layers += _missing_layers(pasted.net, state, databases, layers, model)
        _set_batch_sizes([each.layer for each in layers], batch_size)
        for each in layers:
            each.trains = state is TRAIN_STATE
        made += layers
    for each in made:
        each.layer.data_param.backend = DataParameter.LMDB
        if each.images:
            images.put(each.layer, trains=each.trains)
    assembled = _assembled(pasted, made, classes)
    if files is not None:
        put_files(assembled.net.layer, files)
    return assembled


def lacks_outputs(net: NetParameter) -> bool:
    """Whether an InnerProduct has no num_output, to be filled with the number of classes."""
    return any(_is_open(layer) for layer in net.layer)


def only_validates(net: NetParameter) -> list[str]:
    """The names of data layers that are only for validation."""
    return [
        layer.name
        for layer in net.layer
        if layer.type in DATA and _matches(layer, VAL_STATE) and not _matches(layer, TRAIN_STATE)
    ]


def brings_mean(net: NetParameter) -> bool:
    """Whether a training data layer of the net already subtracts a mean, or a layer that needs
    images from 0 to 255 reads them.
    """
    return any(
        layer.type == "DetectNetTransformation"
        or layer.transform_param.mean_file
        or layer.transform_param.mean_value
        for layer in net.layer
        if layer.type in (*DATA, "DetectNetTransformation") and _matches(layer, TRAIN_STATE)
    )


def val_batch_size(net: NetParameter) -> int:
    """The batch size of the validation images."""
    layers = [layer for layer in net.layer if layer.type in DATA and _matches(layer, VAL_STATE)]
    return int(layers[image_positions(layers)[0]].data_param.batch_size)


def image_positions(layers: Sequence[LayerParameter]) -> list[int]:
    """The indices of the data layers of images, not label vectors.

    A top ``data``, or a second top, means images, a single top ``label`` means labels. Of layers
    with other tops the first one has the images, unless another layer has.
    """
    named = [i for i, layer in enumerate(layers) if "data" in layer.top or len(layer.top) > 1]
    unnamed = [i for i, layer in enumerate(layers) if list(layer.top) != ["label"]]
    return named or unnamed[:1]


def _is_open(layer: LayerParameter) -> bool:
    return layer.type == "InnerProduct" and not layer.inner_product_param.HasField("num_output")


def _matches(layer: LayerParameter, state: NetState) -> bool:
    """Whether the rules of the layer include it in ``state``."""
    if layer.include:
        return any(rules.matches(rule, state) for rule in layer.include)
    return not any(rules.matches(rule, state) for rule in layer.exclude)


def _own_layers(
    pasted: NetDefinition, state: NetState, databases: Databases, others: Sequence[NetState]
) -> list[_Made]:
    """The network's data layers of a state, with their sources.

    A layer of both phases gets an include rule, since each phase has its own databases.
    """
    brought = [
        (layer, origin)
        for layer, origin in zip(pasted.net.layer, pasted.origins, strict=True)
        if layer.type in DATA and _matches(layer, state)
    ]
    images = image_positions([layer for layer, _ in brought])
    made = []
    for index, (theirs, origin) in enumerate(brought):
        layer = LayerParameter()
        layer.CopyFrom(theirs)
        _check_labels(pasted, layer, origin, databases, index in images)
        source = databases.images if index in images else databases.labels
        assert source is not None, "_check_labels refuses this"
        layer.data_param.source = source
        if any(_matches(layer, other) for other in others):
            del layer.include[:], layer.exclude[:]
            layer.include.add().phase = state.phase
        made.append(_Made(layer, origin, index in images))
    return made


def _check_labels(
    pasted: NetDefinition, layer: LayerParameter, origin: Where, databases: Databases, images: bool
) -> None:
    """Check that the layer's source of labels matches the user's databases."""
    if not images and databases.labels is None:
        path, message, hint = (
            origin,
            f'brings labels ("{layer.top[0]}") from a separate database, but none is given',
            "give --labels (and --val-labels)",
        )
    elif images and len(layer.top) > 1 and databases.labels is not None:
        path, message, hint = (
            (*origin, "top", 1),
            "reads labels from the images' records, but a database of labels is given",
            "omit --labels, or add a separate Data layer for the label",
        )
    else:
        return
    text = f'layer "{layer.name}" ({layer.type}): {message}'
    raise NetworkError([pasted.source.mistake(path, text, hint)])


def _missing_layers(
    net: NetParameter,
    state: NetState,
    databases: Databases,
    own: Sequence[_Made],
    model: LayerParameter | None,
) -> list[_Made]:
    """New data layers for blobs that the network reads but does not produce in this state.

    ``model`` is the image layer of the other phase, which gives batch size and crop.
    """
    given = {top for each in own for top in each.layer.top}
    # an in-place layer produces no new blob
    given |= {t for layer in _body(net, state) for t in layer.top if t not in layer.bottom}
    made: list[_Made] = []
    images = next((each.layer for each in own if each.images), None)
    if images is None and "data" not in given:
        images = _image_layer(net, model)
        images.data_param.source = databases.images
        given.update(images.top)
        made.append(_Made(images, (), images=True))
    if "label" not in given and any("label" in layer.bottom for layer in _body(net, state)):
        if databases.labels is not None:
            labels = LayerParameter(name="label", type="Data", top=["label"])
            labels.data_param.source = databases.labels
            made.append(_Made(labels, (), images=False))
        elif made:
            made[0].layer.top.append("label")
    for each in made:
        each.layer.include.add().phase = state.phase
    return made


def _image_layer(net: NetParameter, model: LayerParameter | None) -> LayerParameter:
    """A data layer of images: that of the other phase without its augmentation, or a new one."""
    layer = LayerParameter(name="data", type="Data", top=["data"])
    if reads_boxes(net):
        layer = annotated_layer(net)
    if model is None:
        return layer
    if model.type == layer.type == "AnnotatedData":
        layer.top[:] = model.top
    layer.transform_param.CopyFrom(model.transform_param)
    plain_transform(layer.transform_param)
    layer.data_param.batch_size = model.data_param.batch_size
    return layer


def plain_transform(param: TransformationParameter) -> None:
    """Clear what augments images in training."""
    for field in ("mirror", "distort_param", "expand_param", "emit_constraint"):
        param.ClearField(field)
    if len(param.resize_param.interp_mode) > 1:
        param.resize_param.interp_mode[:] = [ResizeParameter.LINEAR]


def _body(net: NetParameter, state: NetState) -> Iterator[LayerParameter]:
    """The layers of a state except data layers."""
    return (layer for layer in net.layer if layer.type not in _SOURCES and _matches(layer, state))


def _set_batch_sizes(layers: Sequence[LayerParameter], given: int | None) -> None:
    """The given batch size, else the layer's own, else that of another layer, else DIGITS'."""
    own = [layer.data_param.batch_size for layer in layers if layer.data_param.batch_size]
    for layer in layers:
        if given is not None:
            layer.data_param.batch_size = given
        elif not layer.data_param.batch_size:
            layer.data_param.batch_size = own[0] if own else DEFAULT_BATCH


def _assembled(pasted: NetDefinition, made: Sequence[_Made], classes: int | None) -> NetDefinition:
    """The data layers, then the other layers of the network."""
    kept = [
        (layer, origin)
        for layer, origin in zip(pasted.net.layer, pasted.origins, strict=True)
        if layer.type not in _SOURCES
    ]
    rows = [(each.layer, each.origin) for each in made] + kept
    assembled = pasted.with_layers((layer for layer, _ in rows), (origin for _, origin in rows))
    for layer in assembled.net.layer:
        if classes is not None and _is_open(layer):
            layer.inner_product_param.num_output = classes
    return assembled


@dataclass(frozen=True)
class Deploy:
    """The deploy net, and the names of removed layers."""

    definition: NetDefinition
    pruned: tuple[str, ...]


def make_deploy(train_val: NetDefinition, shape: tuple[int, int, int]) -> Deploy:
    """The net at phase TEST, stage "deploy", on one image of ``shape`` (channels, height, width).

    Data layers are replaced by an Input layer ``data``; layers that cannot be computed from it
    alone, such as a loss that reads labels, are removed.

    Raises:
        NetworkError: when no layer remains.
    """
    kept = rules.filter_layers(train_val, DEPLOY_STATE)
    sources = [layer for layer in train_val.net.layer if layer.type in DATA]
    images = sources[image_positions(sources)[0]].top[0] if sources else "data"
    layer = LayerParameter(name="data", type="Input", top=[images])
    layer.input_param.shape.add().dim.extend((1, *shape))
    layers: list[LayerParameter] = [layer]
    origins: list[Where] = [()]
    known = {images}
    pruned = []
    for each, origin in zip(kept.net.layer, kept.origins, strict=True):
        if each.type in _SOURCES:
            continue
        if not known.issuperset(each.bottom):
            pruned.append(each.name)
            continue
        copy = LayerParameter()
        copy.CopyFrom(each)
        del copy.include[:], copy.exclude[:]
        layers.append(copy)
        origins.append(origin)
        known.update(each.top)
    if len(layers) == 1:
        raise NetworkError(
            f"{train_val.source.name}: no layer of the network can be computed from "
            f"'{images}' alone at stage \"deploy\""
        )
    net = NetParameter(name=train_val.net.name)
    net.layer.extend(layers)
    return Deploy(NetDefinition(net, train_val.source, tuple(origins)), tuple(pruned))
