"""The layers: the contract, the registry of types, and one module for each family of layers.

A module is imported when a net has a layer of it (``registry``).
"""

from protonet.errors import LayerError
from protonet.layers.base import Layer
from protonet.layers.registry import layer_class, layer_types, register

__all__ = ["Layer", "LayerError", "layer_class", "layer_types", "register"]
