"""From a pasted network to the nets that are trained and deployed: messages only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from protonet.errors import NetworkError
from protonet.jobs.settings import DEFAULT_BATCH
from protonet.proto import rules
from protonet.proto.caffe_pb2 import (
    TEST,
    TRAIN,
    DataParameter,
    LayerParameter,
    NetParameter,
    NetState,
)
from protonet.proto.text import NetDefinition, Where

TRAIN_STATE = rules.state(TRAIN, stages=["train"])
VAL_STATE = rules.state(TEST, stages=["val"])
DEPLOY_STATE = rules.state(TEST, stages=["deploy"])
_SOURCES = ("Data", "Input")


@dataclass(frozen=True)
class Databases:
    """The databases of one phase: absolute paths, and how many classes the labels have where
    that is known.
    """

    images: str
    labels: str | None = None


def make_train_val(
    pasted: NetDefinition,
    train: Databases,
    val: Databases | None,
    *,
    batch_size: int | None = None,
    mean_file: str | None = None,
    replace_mean: bool = False,
    classes: int | None = None,
) -> NetDefinition:
    """The pasted network with data layers for training and validation.

    Data layers that the network brings keep what they say, but for source and backend; without
    any, they are made: ``data``, and ``label`` where a layer reads it. ``mean_file`` goes to data
    layers of images that have no mean of their own, or to all with ``replace_mean``.

    Raises:
        NetworkError: when the network's own data layers cannot be filled in.
    """
    net = NetParameter()
    net.CopyFrom(pasted.net)
    del net.layer[:]
    made: list[tuple[LayerParameter, Where]] = []
    own = {id(layer) for layer in pasted.net.layer if layer.type == "Data"}
    phases = [(TRAIN_STATE, train)] + ([(VAL_STATE, val)] if val is not None else [])
    for state, databases in phases:
        brought = [
            (layer, origin)
            for layer, origin in zip(pasted.net.layer, pasted.origins, strict=True)
            if layer.type == "Data" and _matches(layer, state)
        ]
        if not own:
            made += [(layer, ()) for layer in _data_layers(pasted.net, state, databases)]
        for layer, origin in brought:
            shared = val is not None and all(_matches(layer, each) for each, _ in phases)
            made.append((_filled(pasted, layer, origin, state, databases, shared), origin))
    for layer, _ in made:
        _finish(layer, batch_size, mean_file, replace_mean)
    kept = [
        (layer, origin)
        for layer, origin in zip(pasted.net.layer, pasted.origins, strict=True)
        if layer.type not in _SOURCES
    ]
    for layer, _ in made + kept:
        net.layer.append(layer)
    if classes is not None:
        _fill_outputs(net, classes)
    return NetDefinition(net, pasted.source, tuple(origin for _, origin in made + kept))


def lacks_outputs(net: NetParameter) -> bool:
    """Whether an InnerProduct leaves its num_output to the number of classes."""
    return any(_is_open(layer) for layer in net.layer)


def brings_images(layer: LayerParameter) -> bool:
    """Whether it is a Data layer of images, not of label vectors."""
    return layer.type == "Data" and list(layer.top) != ["label"]


def _is_open(layer: LayerParameter) -> bool:
    return layer.type == "InnerProduct" and not layer.inner_product_param.num_output


def _fill_outputs(net: NetParameter, classes: int) -> None:
    for layer in net.layer:
        if _is_open(layer):
            layer.inner_product_param.num_output = classes


def _matches(layer: LayerParameter, state: NetState) -> bool:
    """Whether the rules of the layer keep it in ``state``."""
    if layer.include:
        return any(rules.matches(rule, state) for rule in layer.include)
    return not any(rules.matches(rule, state) for rule in layer.exclude)


def _reads(net: NetParameter, blob: str, state: NetState) -> bool:
    return any(blob in layer.bottom for layer in net.layer if _matches(layer, state))


def _data_layers(
    net: NetParameter, state: NetState, databases: Databases
) -> Iterable[LayerParameter]:
    """New data layers for a network that brings none."""
    wants_label = _reads(net, "label", state)
    images = LayerParameter(name="data", type="Data", top=["data"])
    images.data_param.source = databases.images
    layers = [images]
    if wants_label and databases.labels is not None:
        labels = LayerParameter(name="label", type="Data", top=["label"])
        labels.data_param.source = databases.labels
        layers.append(labels)
    elif wants_label:
        images.top.append("label")
    for layer in layers:
        layer.include.add().phase = state.phase
    return layers


def _filled(
    pasted: NetDefinition,
    brought: LayerParameter,
    origin: Where,
    state: NetState,
    databases: Databases,
    shared: bool,
) -> LayerParameter:
    """A data layer of the network with its source; one that serves both phases gets a rule."""
    layer = LayerParameter()
    layer.CopyFrom(brought)
    carries_label = list(brought.top) == ["label"]
    if carries_label and databases.labels is None:
        raise NetworkError(
            [
                pasted.source.mistake(
                    origin,
                    f'layer "{brought.name}" (Data): its only top is "label", but no database of '
                    "labels is given",
                    "give --labels (and --val-labels)",
                )
            ]
        )
    if len(brought.top) > 1 and databases.labels is not None:
        raise NetworkError(
            [
                pasted.source.mistake(
                    (*origin, "top", 1),
                    f'layer "{brought.name}" (Data): takes labels from the images\' records, but '
                    "a database of labels is given",
                    "leave --labels out, or give the label a Data layer of its own",
                )
            ]
        )
    source = databases.labels if carries_label else databases.images
    assert source is not None
    layer.data_param.source = source
    if shared:
        del layer.include[:], layer.exclude[:]
        layer.include.add().phase = state.phase
    return layer


def _finish(
    layer: LayerParameter, batch_size: int | None, mean_file: str | None, replace_mean: bool
) -> None:
    """Backend, batch size and mean of a data layer."""
    layer.data_param.backend = DataParameter.LMDB
    if batch_size is not None:
        layer.data_param.batch_size = batch_size
    elif not layer.data_param.batch_size:
        layer.data_param.batch_size = DEFAULT_BATCH
    if list(layer.top) == ["label"]:
        return
    transform = layer.transform_param
    has_mean = bool(transform.mean_file or transform.mean_value)
    if replace_mean and has_mean:
        transform.ClearField("mean_file")
        transform.ClearField("mean_value")
        has_mean = False
    if mean_file is not None and not has_mean:
        transform.mean_file = mean_file


@dataclass(frozen=True)
class Deploy:
    """The net that answers questions, and the layers that were left out of it."""

    definition: NetDefinition
    pruned: tuple[str, ...]


def make_deploy(train_val: NetDefinition, shape: tuple[int, int, int]) -> Deploy:
    """The net at phase TEST, stage "deploy", on one image of ``shape`` (channels, height, width).

    Data layers give way to an Input layer ``data``; what cannot be computed from it alone, such
    as a loss that reads labels, is left out.

    Raises:
        NetworkError: when nothing is left.
    """
    kept = rules.filter_layers(train_val, DEPLOY_STATE)
    images = next((layer.top[0] for layer in train_val.net.layer if brings_images(layer)), "data")
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
