"""The layers: the contract, the table of types, and one module a chapter.

Importing this package registers every type.
"""

from protonet.errors import LayerError
from protonet.layers import (  # noqa: F401  (imported so that they register their types)
    activations,
    arrange,
    batch_norm,
    combine,
    common,
    convolution,
    hdf5_data,
    hdf5_output,
    image_data,
    inputs,
    lookup,
    losses,
    lrn,
    memory_data,
    pooling,
    pyramid,
    recurrent,
    reduction,
    reorder,
    reshaping,
    scaling,
    sliding,
    softmax,
    utility,
    window_data,
)
from protonet.layers.base import Layer
from protonet.layers.registry import layer_class, layer_types, register

__all__ = ["Layer", "LayerError", "layer_class", "layer_types", "register"]
