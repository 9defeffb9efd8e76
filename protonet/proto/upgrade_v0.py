"""V0 layers, Caffe's first dialect: one flat message for every type of layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from protonet.proto.caffe_pb2 import V0LayerParameter, V1LayerParameter

_TYPES = {
    "accuracy": "ACCURACY",
    "bnll": "BNLL",
    "concat": "CONCAT",
    "conv": "CONVOLUTION",
    "data": "DATA",
    "dropout": "DROPOUT",
    "euclidean_loss": "EUCLIDEAN_LOSS",
    "flatten": "FLATTEN",
    "hdf5_data": "HDF5_DATA",
    "hdf5_output": "HDF5_OUTPUT",
    "im2col": "IM2COL",
    "images": "IMAGE_DATA",
    "infogain_loss": "INFOGAIN_LOSS",
    "innerproduct": "INNER_PRODUCT",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MULTINOMIAL_LOGISTIC_LOSS",
    "pool": "POOLING",
    "relu": "RELU",
    "sigmoid": "SIGMOID",
    "softmax": "SOFTMAX",
    "softmax_loss": "SOFTMAX_LOSS",
    "split": "SPLIT",
    "tanh": "TANH",
    "window_data": "WINDOW_DATA",
}

_CONV, _POOL, _IP = "convolution_param", "pooling_param", "inner_product_param"
_DATA, _IMAGES, _WINDOW = "data_param", "image_data_param", "window_data_param"
_HDF5 = "hdf5_data_param"

_MESSAGES = {
    "conv": _CONV,
    "pool": _POOL,
    "innerproduct": _IP,
    "dropout": "dropout_param",
    "lrn": "lrn_param",
    "data": _DATA,
    "images": _IMAGES,
    "window_data": _WINDOW,
    "hdf5_data": _HDF5,
    "infogain_loss": "infogain_loss_param",
    "concat": "concat_param",
    "hdf5_output": "hdf5_output_param",
}
"""The V1 message that takes the fields of each V0 type."""

_FIELDS: dict[str, tuple[str, frozenset[str]]] = {
    "num_output": ("num_output", frozenset({"conv", "innerproduct"})),
    "biasterm": ("bias_term", frozenset({"conv", "innerproduct"})),
    "weight_filler": ("weight_filler", frozenset({"conv", "innerproduct"})),
    "bias_filler": ("bias_filler", frozenset({"conv", "innerproduct"})),
    "pad": ("pad", frozenset({"conv", "pool"})),
    "kernelsize": ("kernel_size", frozenset({"conv", "pool"})),
    "group": ("group", frozenset({"conv"})),
    "stride": ("stride", frozenset({"conv", "pool"})),
    "pool": ("pool", frozenset({"pool"})),
    "dropout_ratio": ("dropout_ratio", frozenset({"dropout"})),
    "local_size": ("local_size", frozenset({"lrn"})),
    "alpha": ("alpha", frozenset({"lrn"})),
    "beta": ("beta", frozenset({"lrn"})),
    "k": ("k", frozenset({"lrn"})),
    "source": (
        "source",
        frozenset({"data", "hdf5_data", "images", "window_data", "infogain_loss"}),
    ),
    "batchsize": ("batch_size", frozenset({"data", "hdf5_data", "images", "window_data"})),
    "rand_skip": ("rand_skip", frozenset({"data", "images"})),
    "shuffle_images": ("shuffle", frozenset({"images"})),
    "new_height": ("new_height", frozenset({"images"})),
    "new_width": ("new_width", frozenset({"images"})),
    "concat_dim": ("concat_dim", frozenset({"concat"})),
    "det_fg_threshold": ("fg_threshold", frozenset({"window_data"})),
    "det_bg_threshold": ("bg_threshold", frozenset({"window_data"})),
    "det_fg_fraction": ("fg_fraction", frozenset({"window_data"})),
    "det_context_pad": ("context_pad", frozenset({"window_data"})),
    "det_crop_mode": ("crop_mode", frozenset({"window_data"})),
}
"""Each V0 field: its name in the V1 message, and the types that have it."""

_TRANSFORM = {
    "scale": "scale",
    "meanfile": "mean_file",
    "cropsize": "crop_size",
    "mirror": "mirror",
}
_SOURCES = frozenset({"data", "images", "hdf5_data"})
_SAME = ("name", "blobs", "blobs_lr", "weight_decay")


def v0_to_v1(outer: V1LayerParameter) -> V1LayerParameter:
    """A V0 connection (``layers { layer { ... } bottom top }``) as a V1 layer.

    Raises:
        ValueError: for an unknown type, or a field that its type does not have.
    """
    old = outer.layer
    if old.type not in _TYPES:
        raise ValueError(f"unknown layer type '{old.type}' of the V0 dialect")
    new = V1LayerParameter(bottom=outer.bottom, top=outer.top)
    new.type = V1LayerParameter.LayerType.Value(_TYPES[old.type])
    for descriptor, value in old.ListFields():
        name = descriptor.name
        if name == "type":
            continue
        if name in _SAME:
            _put(new, name, value)
        elif name in _TRANSFORM:
            _put(new.transform_param, _TRANSFORM[name], value)
        elif name == "hdf5_output_param" and old.type == "hdf5_output":
            new.hdf5_output_param.CopyFrom(value)
        else:
            _move(old, new, name, value)
    return new


def _move(old: V0LayerParameter, new: V1LayerParameter, name: str, value: Any) -> None:
    target, types = _FIELDS.get(name, ("", frozenset()))
    if old.type not in types:
        if name.startswith("det_") and old.type in _SOURCES:
            return  # settings of window_data with another source of data: Caffe drops them, too
        raise ValueError(f"layer \"{old.name}\" ({old.type}): has no field '{name}'")
    _put(getattr(new, _MESSAGES[old.type]), target, value)


def _put(message: Any, name: str, value: Any) -> None:
    """Set a field of any type: a singular V0 field may be repeated in V1."""
    descriptor = message.DESCRIPTOR.fields_by_name[name]
    if descriptor.is_repeated:
        many = hasattr(value, "__len__") and not isinstance(value, str)
        getattr(message, name).extend(value if many else [value])
    elif descriptor.message_type is not None:
        getattr(message, name).CopyFrom(value)
    else:
        setattr(message, name, value)


def fold_padding(
    layers: Sequence[V1LayerParameter], places: Sequence[tuple[str | int, ...]]
) -> Iterator[tuple[V1LayerParameter, tuple[str | int, ...]]]:
    """Remove V0 padding layers; their ``pad`` moves to the layer that reads them."""
    padding: dict[str, V1LayerParameter] = {}
    for layer, place in zip(layers, places, strict=True):
        if layer.HasField("layer") and layer.layer.type == "padding":
            padding[layer.top[0]] = layer
            continue
        padded = [name for name in layer.bottom if name in padding]
        if padded and layer.HasField("layer"):
            copy = V1LayerParameter()
            copy.CopyFrom(layer)
            source = padding[padded[0]]
            copy.bottom[:] = [source.bottom[0] if b == padded[0] else b for b in layer.bottom]
            copy.layer.pad = source.layer.pad
            yield copy, place
        else:
            yield layer, place
