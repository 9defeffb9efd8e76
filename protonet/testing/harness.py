"""One layer with its arrays, outside of any net."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from google.protobuf import text_format

from protonet.blob import Array, Param, Shape
from protonet.device import Device
from protonet.kernels.random_stream import Clock, RandomStream
from protonet.layers import Layer, layer_class
from protonet.layers.base import LayerContext, Weight
from protonet.layers.fillers import fill
from protonet.layers.instantiation import check_arity, instantiate
from protonet.precision import real_of
from protonet.proto.caffe_pb2 import TRAIN, LayerParameter, ParamSpec
from protonet.ranks.communicator import Part


def parse_layer(text: str, bottoms: int) -> LayerParameter:
    """The layer that ``text`` (the fields inside ``layer { }``) describes.

    A name, and bottoms and tops in the usual number, are made up where the text has none.
    """
    spec = LayerParameter()
    text_format.Parse(text, spec)
    if not spec.name:
        spec.name = "l"
    if not spec.bottom:
        spec.bottom.extend(f"x{place}" for place in range(bottoms))
    if not spec.top:
        cls = layer_class(spec.type)
        least = max(cls.tops[0], int(cls.is_loss))
        spec.top.extend(f"y{place}" for place in range(bottoms if cls.traits.one_to_one else least))
    return spec


class LayerHarness:
    """One layer with its arrays, outside of any net.

    Args:
        layer: a ``LayerParameter``, or a text for ``parse_layer``.
        bottoms: the values of the bottoms, copied to the device before each ``forward``.
        dtype: of the arrays; beside one of 16 bits, parameters are float32.
        in_place: let the first top be the first bottom, and their gradients one array too.
        context: what the layer knows of its run.
        part: of the batch that the bottoms are, for a layer on one of several ranks; None for all.

    ``forward`` and ``backward`` return arrays of the host; ``tops``, ``dtops``, ``dbottoms``
    and ``layer.params`` are those of the device.

    Raises:
        LayerError: what the layer refuses.
    """

    def __init__(
        self,
        layer: str | LayerParameter,
        bottoms: Sequence[Any],
        *,
        phase: int = TRAIN,
        device: Device | None = None,
        dtype: Any = np.float32,
        seed: int = 0,
        in_place: bool = False,
        context: LayerContext | None = None,
        part: Part | None = None,
    ) -> None:
        self.device = Device() if device is None else device
        self.dtype, self.real = np.dtype(dtype), real_of(dtype)
        self.inputs = [np.array(bottom, self.dtype) for bottom in bottoms]
        self.clock = Clock(self.device)
        spec = parse_layer(layer, len(bottoms)) if isinstance(layer, str) else layer
        described = layer_class(spec.type)(spec, phase, context)
        check_arity(described)
        described.setup()
        shapes = [bottom.shape for bottom in self.inputs]
        top_shapes = described.infer(shapes)
        weights = described.declare(shapes)
        random = RandomStream(self.device, seed, spec.name, self.clock, part)
        self.layer: Layer = instantiate(described, self.device, self.dtype, random)
        self.layer.params = self._make_params(weights, seed)
        self.layer.build(shapes)
        self._make_arrays(shapes, top_shapes, in_place)

    def _make_params(self, weights: Sequence[Weight], seed: int) -> list[Param]:
        generator = np.random.default_rng(seed)
        given = self.layer.spec.param
        params = []
        for place, weight in enumerate(weights):
            spec = given[place] if place < len(given) else ParamSpec()
            host = weight.values
            if host is None:
                host = fill(weight.filler, weight.shape, generator, self.real)
            params.append(
                Param(
                    f"{self.layer.name}/{place}",
                    self._put(host),
                    self.device.zeros(weight.shape, self.real),
                    spec.lr_mult if weight.lr_mult is None else weight.lr_mult,
                )
            )
        return params

    def _make_arrays(
        self, shapes: Sequence[Shape], top_shapes: Sequence[Shape], in_place: bool
    ) -> None:
        zeros = self.device.zeros
        self.bottoms = [zeros(shape, self.dtype) for shape in shapes]
        self.tops = [zeros(shape, self.dtype) for shape in top_shapes]
        self.dtops = [zeros(shape, self.dtype) for shape in top_shapes]
        self.dbottoms: list[Array | None] = [
            None if place in self.layer.no_gradient else zeros(shape, self.dtype)
            for place, shape in enumerate(shapes)
        ]
        if in_place:
            self.tops[0] = self.bottoms[0]
            if self.dbottoms[0] is not None:
                self.dbottoms[0] = self.dtops[0]

    def _put(self, host: np.ndarray) -> Array:
        array = self.device.empty(host.shape, self.real)
        self.device.put(np.asarray(host, self.real), array)
        return array

    def forward(self) -> list[np.ndarray]:
        """Run forward on ``inputs``; copies of the tops."""
        for array, host in zip(self.bottoms, self.inputs, strict=True):
            self.device.put(host, array)
        if self.layer.traits.dynamic:
            self._fit(self.layer.measure(self.bottoms))
        self.layer.forward(self.bottoms, self.tops)
        return [np.array(self.device.get(top)) for top in self.tops]

    def _fit(self, shapes: Sequence[Shape]) -> None:
        """Give the tops these shapes."""
        for place, shape in enumerate(shapes):
            if self.tops[place].shape != shape:
                self.tops[place] = self.device.zeros(shape, self.dtype)
                self.dtops[place] = self.device.zeros(shape, self.dtype)

    def backward(self, dtops: Sequence[Any]) -> list[np.ndarray | None]:
        """Run backward after ``forward``; copies of the bottoms' gradients.

        They are filled with NaN first, so that what the layer does not write shows.
        """
        for dbottom in self.dbottoms:
            if dbottom is not None:
                dbottom.fill(float("nan"))
        for array, host in zip(self.dtops, dtops, strict=True):
            self.device.put(np.asarray(host, self.dtype), array)
        self.layer.backward(self.dtops, self.bottoms, self.tops, self.dbottoms)
        return [None if d is None else np.array(self.device.get(d)) for d in self.dbottoms]

    @property
    def param_diffs(self) -> list[Array]:
        """The gradient of each parameter."""
        return [param.diff for param in self.layer.params if param.diff is not None]

    def set_params(self, values: Sequence[np.ndarray]) -> None:
        """Replace the values of all parameters."""
        for param, value in zip(self.layer.params, values, strict=True):
            self.device.put(np.asarray(value, self.real), param.data)

    def objective_weights(self, generator: np.random.Generator) -> list[np.ndarray]:
        """Gradients for the tops: a weight that is not 1 for a loss, else random."""
        shapes = [top.shape for top in self.tops]
        if self.layer.is_loss:
            return [np.full(shape, 0.0 if place else 1.7) for place, shape in enumerate(shapes)]
        return [generator.standard_normal(shape) for shape in shapes]
