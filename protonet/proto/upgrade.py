"""Upgrades from old dialects of Caffe: each is a function from definition to definition.

The order is Caffe's (upgrade_proto.cpp): V0 layers, data transformations, V1 layers, net inputs,
BatchNorm parameters; for solvers, the enum ``solver_type``.
"""

from __future__ import annotations

from collections.abc import Sequence

from protonet.errors import NetworkError
from protonet.proto.caffe_pb2 import (
    LayerParameter,
    NetParameter,
    SolverParameter,
    V1LayerParameter,
)
from protonet.proto.dilation import upgrade_dilation
from protonet.proto.intel import upgrade_scale_fillers
from protonet.proto.naming import name_layers
from protonet.proto.normalize_layer import upgrade_directions
from protonet.proto.source import NetDefinition, Source, Where
from protonet.proto.synopsys import upgrade_sides

_V1_TYPES = {
    "ABSVAL": "AbsVal",
    "ACCURACY": "Accuracy",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DECONVOLUTION": "Deconvolution",
    "DROPOUT": "Dropout",
    "DUMMY_DATA": "DummyData",
    "EUCLIDEAN_LOSS": "EuclideanLoss",
    "ELTWISE": "Eltwise",
    "EXP": "Exp",
    "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "HINGE_LOSS": "HingeLoss",
    "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "MVN": "MVN",
    "POOLING": "Pooling",
    "POWER": "Power",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
    "TANH": "TanH",
    "THRESHOLD": "Threshold",
    "WINDOW_DATA": "WindowData",
    "BN": "BN",
    "CONVOLUTION3D": "Convolution3D",
    "CROP": "Crop",
    "DECONVOLUTION3D": "Deconvolution3D",
    "POOLING3D": "Pooling3D",
    "UNPOOLING": "Unpooling",
    "UPSAMPLE": "Upsample",
    "VIDEO_DATA": "VideoData",
    "IMAGE_SEG_DATA": "ImageSegData",
    "WINDOW_SEG_DATA": "WindowSegData",
    "INTERP": "Interp",
    "SEG_ACCURACY": "SegAccuracy",
    "ELTWISE_ACCURACY": "Accuracy",
    "MULTI_STAGE_MEANFIELD": "MultiStageMeanfield",
}
_SOLVER_TYPES = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
}
_TRANSFORMED = {"DATA": "data_param", "IMAGE_DATA": "image_data_param",
                "VIDEO_DATA": "image_data_param", "IMAGE_SEG_DATA": "image_data_param",
                "WINDOW_SEG_DATA": "image_data_param",
                "WINDOW_DATA": "window_data_param"}  # fmt: skip
_TRANSFORM_FIELDS = ("scale", "mean_file", "crop_size", "mirror")
_V1_PARAM_FIELDS = {
    "param": "name",
    "blob_share_mode": "share_mode",
    "blobs_lr": "lr_mult",
    "weight_decay": "decay_mult",
}

_V1_RENAMED = {"eltwise_accuracy_param": "accuracy_param"}
"""DeconvNet's accuracy of pixels, which is today's of any axes."""


def upgrade(definition: NetDefinition) -> NetDefinition:
    """The definition in the current dialect; unchanged if it already is.

    Raises:
        NetworkError: for old settings that have no current equivalent.
    """
    for step in (
        _upgrade_old_layers,
        _upgrade_inputs,
        _upgrade_batch_norm,
        upgrade_dilation,
        upgrade_sides,
        upgrade_scale_fillers,
        upgrade_directions,
        name_layers,
    ):
        definition = step(definition)
    return definition


def upgrade_message(net: NetParameter) -> NetParameter:
    """``upgrade`` for a net without a text, such as that of a .caffemodel."""
    return upgrade(NetDefinition.of(net, Source("model", ""))).net


def upgrade_solver(solver: SolverParameter) -> SolverParameter:
    """The solver with ``type`` instead of the old enum ``solver_type``.

    Raises:
        NetworkError: when both are given and disagree.
    """
    if not solver.HasField("solver_type"):
        return solver
    name = _SOLVER_TYPES[SolverParameter.SolverType.Name(solver.solver_type)]
    if solver.HasField("type") and solver.type != name:
        raise NetworkError(f"solver: type '{solver.type}' and solver_type {name.upper()} disagree")
    upgraded = SolverParameter()
    upgraded.CopyFrom(solver)
    upgraded.ClearField("solver_type")
    upgraded.type = name
    return upgraded


def _upgrade_old_layers(definition: NetDefinition) -> NetDefinition:
    """``layers`` (V0 and V1) to ``layer``."""
    old = definition.net.layers
    if not old:
        return definition
    from protonet.proto.upgrade_v0 import fold_padding, v0_to_v1  # for old texts only

    places: list[Where] = [("layers", i) for i in range(len(old))]
    mistakes = []
    v1: list[V1LayerParameter] = []
    for index, (layer, place) in enumerate(fold_padding(old, places)):
        places[index] = place
        try:
            v1.append(v0_to_v1(layer) if layer.HasField("layer") else layer)
        except ValueError as error:
            mistakes.append(definition.source.mistake(place, str(error)))
    places = places[: len(v1) + len(mistakes)]
    if mistakes:
        raise NetworkError(mistakes)
    upgraded = definition.with_layers(
        [*definition.net.layer, *(_v1_to_v2(_move_transform(layer)) for layer in v1)],
        [*definition.origins, *places],
    )
    upgraded.net.ClearField("layers")
    return upgraded


def _move_transform(layer: V1LayerParameter) -> V1LayerParameter:
    """Move scale, mean, crop and mirror from the data message into ``transform_param``."""
    field = _TRANSFORMED.get(V1LayerParameter.LayerType.Name(layer.type))
    if field is None or not layer.HasField(field):
        return layer
    moved = V1LayerParameter()
    moved.CopyFrom(layer)
    data = getattr(moved, field)
    for name in _TRANSFORM_FIELDS:
        if data.HasField(name):
            setattr(moved.transform_param, name, getattr(data, name))
            data.ClearField(name)
    return moved


def _v1_to_v2(old: V1LayerParameter) -> LayerParameter:
    """Convert a V1 layer: most fields keep their names."""
    new = LayerParameter()
    kind = V1LayerParameter.LayerType.Name(old.type)
    new.type = _V1_TYPES.get(kind, kind)
    for descriptor, value in old.ListFields():
        name = descriptor.name
        if name == "type":
            continue
        if name in _V1_PARAM_FIELDS:
            _spread(new, _V1_PARAM_FIELDS[name], value)
        elif descriptor.is_repeated:
            getattr(new, name).extend(value)
        elif descriptor.message_type is not None:
            getattr(new, _V1_RENAMED.get(name, name)).CopyFrom(value)
        else:
            setattr(new, name, value)
    return new


def _spread(layer: LayerParameter, field: str, values: Sequence[object]) -> None:
    """Set one value for each parameter as a field of the ``param`` messages."""
    while len(layer.param) < len(values):
        layer.param.add()
    for param, value in zip(layer.param, values, strict=False):
        setattr(param, field, value)


def _upgrade_inputs(definition: NetDefinition) -> NetDefinition:
    """Convert ``input`` with ``input_shape`` or ``input_dim`` into an Input layer, placed first."""
    net, source = definition.net, definition.source
    if not net.input:
        return definition
    count = len(net.input)
    if not net.input_shape and not net.input_dim and _inputs_are_made(net):
        return _without_inputs(definition)
    if net.input_shape and len(net.input_shape) != count:
        raise NetworkError(
            [
                source.mistake(
                    ("input_shape", 0),
                    f"{count} input(s), but {len(net.input_shape)} input_shape",
                )
            ]
        )
    if not net.input_shape and len(net.input_dim) != 4 * count:
        raise NetworkError(
            [
                source.mistake(
                    ("input_dim", 0) if net.input_dim else ("input", 0),
                    f"{count} input(s) need {4 * count} input_dim, got {len(net.input_dim)}",
                    "or give each an input_shape { dim: ... }",
                )
            ]
        )
    layer = LayerParameter(name="input", type="Input", top=net.input)
    for i in range(count):
        dims = net.input_shape[i].dim if net.input_shape else net.input_dim[4 * i : 4 * i + 4]
        layer.input_param.shape.add(dim=dims)
    upgraded = _without_inputs(definition).net
    del upgraded.layer[:]
    upgraded.layer.append(layer)
    upgraded.layer.extend(net.layer)
    return NetDefinition(upgraded, source, (("input", 0), *definition.origins))


def _inputs_are_made(net: NetParameter) -> bool:
    """Whether layers write every ``input``: Caffe then ignores the field, which has no shape."""
    return {top for layer in net.layer for top in layer.top}.issuperset(net.input)


def _without_inputs(definition: NetDefinition) -> NetDefinition:
    upgraded = definition.copy()
    for name in ("input", "input_shape", "input_dim"):
        upgraded.net.ClearField(name)
    return upgraded


def _upgrade_batch_norm(definition: NetDefinition) -> NetDefinition:
    """Set lr_mult 0 for the three ``param`` entries of BatchNorm, which are statistics."""
    if not any(layer.type == "BatchNorm" and layer.param for layer in definition.net.layer):
        return definition
    upgraded = definition.copy()
    for layer in upgraded.net.layer:
        if layer.type == "BatchNorm":
            for param in layer.param[:3]:
                param.lr_mult = 0
                param.decay_mult = 0
    return upgraded
