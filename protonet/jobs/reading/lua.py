"""Lua definitions of Torch7 as networks: run with the shapes of the data, and translated."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from protonet.blob import Shape
from protonet.errors import NetworkError, UsageError
from protonet.graph.planning import plan_net
from protonet.jobs.definitions.inputs import count_classes
from protonet.jobs.reading.beginning import begun
from protonet.jobs.reading.data_shapes import DataShapes
from protonet.jobs.run.settings import DEFAULT_BATCH
from protonet.proto.caffe_pb2 import TEST, TRAIN, DataParameter, LayerParameter, NetParameter
from protonet.proto.source import NetDefinition, Source, Where
from protonet.torch7 import serial
from protonet.torch7.builder import Blob
from protonet.torch7.guess import input_shape
from protonet.torch7.hooks import hooked
from protonet.torch7.lua.definition import Definition, Limits, Options, Params
from protonet.torch7.lua.running import run
from protonet.torch7.network import TorchNet, builder, translate
from protonet.torch7.objects import TorchObject


def read_lua(source: Source, told: DataShapes) -> NetDefinition:
    """Run a definition with the shapes of the data, and translate what it returns.

    Raises:
        As ``network.read_definition``.
    """
    image = _image_shape(told)
    params = Params(image, _classes(told), told.gpus, told.seed)
    definition = run(source, params, Limits(seconds=told.seconds))
    if definition.model is None:
        raise NetworkError(f"{source.name}: the definition has a loss, but no model")
    image = image or _guessed(source, definition.model)
    layers = _data_layers(told, definition.options)
    blobs = _blob_shapes(layers, told, definition.options, image)
    model, taken = begun(source, definition, told.weights, params, blobs["data"][1:])
    definition = replace(definition, model=model)
    if "label" in blobs:
        made, inputs = _network(source, definition, blobs["data"], blobs["label"])
    else:
        made, inputs = _with_any_label(source, definition, blobs["data"])
    layers = layers or [_input_layer(blob) for blob in inputs]
    read = {name for layer in made.definition.net.layer for name in layer.bottom}
    layers = [layer for layer in map(_only(read), layers) if layer.top]
    origins: list[Where] = [("line", 0)] * len(layers)
    whole = made.definition.with_layers(
        [*layers, *made.definition.net.layer], [*origins, *made.definition.origins]
    )
    return replace(
        whole,
        weights=made.weights,
        printed=(*definition.log, *(f"the initial weights are those of {name}" for name in taken)),
        model=lambda: serial.write(model),
        taken=taken,
    )


def _network(
    source: Source, definition: Definition, data: Shape, label: Shape
) -> tuple[TorchNet, tuple[Blob, Blob]]:
    """The network on blobs of these shapes, and the blobs. A label of one axis has class numbers
    from 0.
    """
    assert definition.model is not None
    net = builder(source)
    x = net.input("data", data)
    target = net.input("label", label, base=0 if len(label) == 1 else None)
    made = translate(
        definition.model,
        x,
        net,
        loss=definition.loss,
        target=hooked(net, definition.label_hook, x, target),
    )
    return made, (x, target)


def _with_any_label(
    source: Source, definition: Definition, data: Shape
) -> tuple[TorchNet, tuple[Blob, Blob]]:
    """The network with class numbers as labels, or else with labels of the shape of its output."""
    try:
        return _network(source, definition, data, data[:1])
    except NetworkError as mistakes:
        assert definition.model is not None
        net = builder(source)
        made = translate(definition.model, net.input("data", data), net)
        if not isinstance(made.outputs, Blob):
            raise
        try:
            return _network(source, definition, data, made.outputs.shape)
        except NetworkError:
            raise mistakes from None


def _image_shape(told: DataShapes) -> Shape | None:
    """Channels, height and width of the images before they are cropped; None if unknown."""
    if "data" in told.inputs:
        return told.inputs["data"][1:]
    if told.data is None:
        return None
    return _planned([_data_layer("data", told.data, 1)])["data"][1:]


def _classes(told: DataShapes) -> int | None:
    """The number of classes, for images with class numbers."""
    if told.classes is not None or told.data is None or told.gives_vectors:
        return told.classes
    return count_classes(told.data)


def _guessed(source: Source, model: TorchObject) -> Shape:
    """The images that the modules tell."""
    found = input_shape(model)
    if found is None:
        raise UsageError(
            f"{source.name}: its modules do not tell the shape of the images; give --data, or "
            "--input data=SHAPE such as data=16x1x50x50"
        )
    return found


def _data_layers(told: DataShapes, options: Options) -> list[LayerParameter]:
    """The data layers that the definition asks for: of the images, and of label vectors; those of
    validation behind.
    """
    if told.data is None:
        return []
    layers = []
    for phase, own in (
        (TRAIN, options.train_batch_size),
        (TEST, options.validation_batch_size),
    ):
        batch = told.batch_size or own or options.train_batch_size or DEFAULT_BATCH
        made = [_data_layer("data", told.data, batch)]
        if options.crop_length:
            made[0].transform_param.crop_size = options.crop_length
        if told.labels is not None:
            made.append(_data_layer("label", told.labels, batch))
        else:
            made[0].top.append("label")
        for layer in made:
            layer.include.add().phase = phase
        if phase == TRAIN or told.validates:
            layers += made
    return layers


def _input_layer(blob: Blob) -> LayerParameter:
    layer = LayerParameter(name=blob.name, type="Input", top=[blob.name])
    layer.input_param.shape.add().dim.extend(blob.shape)
    if blob.name == "label":
        layer.exclude.add().stage.append("deploy")
    return layer


def _data_layer(top: str, database: Path, batch: int) -> LayerParameter:
    layer = LayerParameter(name=top, type="Data", top=[top])
    layer.data_param.source = str(database)
    layer.data_param.batch_size = batch
    layer.data_param.backend = DataParameter.LMDB
    layer.data_param.partial_batches = True
    return layer


def _blob_shapes(
    layers: Sequence[LayerParameter],
    told: DataShapes,
    options: Options,
    image: Shape,
) -> dict[str, Shape]:
    """The shapes of ``data`` and, if it is known, ``label`` in training."""
    if layers:
        return _planned(layers)
    batch = told.batch_size or options.train_batch_size or DEFAULT_BATCH
    size = options.crop_length
    cropped = (image[0], size, size) if size and len(image) == 3 else image
    data = (batch, *cropped)
    return {"data": data, **told.inputs}


def _planned(layers: Sequence[LayerParameter]) -> dict[str, Shape]:
    """The shapes of the tops of data layers in training."""
    net = NetParameter(layer=layers)
    definition = NetDefinition(net, Source("", ""), ((),) * len(layers))
    plan = plan_net(definition, phase=TRAIN, stages=("train",))
    plan.close()
    return {value.name: value.shape for step in plan.steps for value in step.tops}


def _only(read: Collection[str]) -> Callable[[LayerParameter], LayerParameter]:
    """A data layer without tops that nothing reads."""

    def reduced(layer: LayerParameter) -> LayerParameter:
        kept = [top for top in layer.top if top in read]
        del layer.top[:]
        layer.top.extend(kept)
        return layer

    return reduced
