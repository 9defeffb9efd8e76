"""The layers: the contract, the table of types, and one module a chapter.

Importing this package registers every type.
"""

from protonet.errors import LayerError
from protonet.layers import (  # noqa: F401  (imported so that they register their types)
    accuracy,
    activations,
    annotated_data,
    arrange,
    batch_norm,
    bn,
    class_losses,
    combine,
    common,
    convolution,
    detection,
    detectnet,
    evaluation,
    hdf5_data,
    hdf5_output,
    image_data,
    inputs,
    lookup,
    losses,
    lrn,
    memory_data,
    mining,
    multibox,
    normalization,
    pair_data,
    pooling,
    powers,
    priors,
    pyramid,
    python_layer,
    rectifiers,
    recurrent,
    reduction,
    regions,
    reorder,
    reshaping,
    scaling,
    selection,
    sliding,
    softmax,
    unpooling,
    upsampling,
    utility,
    video_data,
    volumes,
    window_data,
)
from protonet.layers.base import Layer
from protonet.layers.registry import layer_class, layer_types, register

__all__ = ["Layer", "LayerError", "layer_class", "layer_types", "register"]
