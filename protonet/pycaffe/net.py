"""``caffe.Net``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from protonet.errors import UsageError
from protonet.formats.caffemodel import write_model
from protonet.graph import net as graph
from protonet.graph.planning import plan_net
from protonet.graph.reading import read_prototxt
from protonet.jobs.inference.weights import load_weights
from protonet.layers.extensions import raising_as_is
from protonet.layers.python_api import BlobVec
from protonet.layers.python_layer import Python
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.text import Source
from protonet.pycaffe import mode
from protonet.pycaffe.batches import batches_of, trimmed
from protonet.pycaffe.blobs import NetBlob, NetLayer
from protonet.pycaffe.hooked import Hook, Hooked
from protonet.pycaffe.numbered import Numbered
from protonet.pycaffe.shaped import Shaped


class Net(Numbered, Hooked, Shaped):
    """A net with its blobs and parameters as writable arrays.

    ``Net(network, phase, level, stages, weights)``, of which the last three may be left out or
    named, or ``Net(network, weights, phase)``, with ``network`` the path of a prototxt.

    Raises:
        NetworkError: with every mistake of the text.
        UsageError, FormatError: for files that cannot be read, or weights of another net.
    """

    def __init__(
        self,
        network_file: str | PathLike[str],
        *arguments: Any,
        phase: int | None = None,
        weights: str | PathLike[str] | None = None,
        level: int = 0,
        stages: Sequence[str] | None = None,
    ) -> None:
        given, most = list(arguments), 4
        if given and not isinstance(given[0], int):
            weights, most = given.pop(0), 1
        named = [phase, level, stages, weights]
        phase, level, stages, weights = [*given, *named[len(given) :]][:4]
        if phase not in (TRAIN, TEST) or len(given) > most:
            raise TypeError("expected Net(network, phase) or Net(network, weights, phase)")
        definition = read_prototxt(Source.read(fspath(network_file)))
        with raising_as_is():
            plan = plan_net(definition, phase=phase, level=level, stages=stages or (), splits=True)
        device = mode.device()
        on_gpu = not device.is_cpu and phase == TEST
        gradients = None if on_gpu else True
        self._adopt(graph.Net(plan, device, seed=mode.seed(), gradients=gradients))
        if weights is not None:
            self.copy_from(weights)

    @classmethod
    def of(cls, net: graph.Net) -> Net:
        """Wrap an existing net."""
        made = cls.__new__(cls)
        made._adopt(net)
        return made

    def _adopt(self, net: graph.Net) -> None:
        self._net = net
        steps = net.plan.steps
        self.inputs = [value.name for value in net.plan.inputs]
        self.outputs = [value.name for value in net.plan.outputs]
        self.blobs: OrderedDict[str, NetBlob] = OrderedDict(
            (name, NetBlob(blob, net.device)) for name, blob in net.blobs.items()
        )
        own = [
            BlobVec([NetBlob(param, net.device) for param in layer.params]) for layer in net.layers
        ]
        self.params: OrderedDict[str, BlobVec] = OrderedDict(
            (step.name, blobs) for step, blobs in zip(steps, own, strict=True) if len(blobs)
        )
        self.layers = [
            layer.user if isinstance(layer, Python) else NetLayer(layer, blobs)
            for layer, blobs in zip(net.layers, own, strict=True)
        ]
        self._layer_names = [step.name for step in steps]
        self.layer_dict = OrderedDict(zip(self._layer_names, self.layers, strict=True))
        self.top_names = OrderedDict((s.name, [v.name for v in s.tops]) for s in steps)
        self.bottom_names = OrderedDict((s.name, [v.name for v in s.bottoms]) for s in steps)
        self._hooks: dict[str, list[Hook]] = {}
        self._shaped = len(self.layers) - 1

    # Passes.

    def forward(
        self,
        blobs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **kwargs: Any,
    ) -> dict[str, np.ndarray]:
        """Run from layer ``start`` to layer ``end``, both included; inputs may be given by name.

        Returns the outputs, or the tops of ``end``, and ``blobs``: the arrays of the net, which
        the next pass overwrites.
        """
        if kwargs:
            if set(kwargs) != set(self.inputs):
                raise ValueError(
                    f"expected the inputs {self.inputs}, got {sorted(kwargs)}: input blob "
                    "arguments do not match net inputs"
                )
            for name, values in kwargs.items():
                self._fill(name, np.asarray(values))
        first = 0 if start is None else self._index(start)
        last = len(self.layers) - 1 if end is None else self._index(end)
        self._run_forward(first, last)
        names = self.outputs if end is None else self.top_names[end]
        return {name: self.blobs[name].data for name in dict.fromkeys([*names, *(blobs or ())])}

    def backward(
        self,
        diffs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **kwargs: Any,
    ) -> dict[str, np.ndarray]:
        """Run backward from layer ``start`` down to layer ``end``, both included.

        Gradients of outputs may be given by name. Returns the gradients of the inputs, or of the
        bottoms of ``end``, and of ``diffs``.
        """
        if kwargs:
            if set(kwargs) != set(self.outputs):
                raise ValueError(
                    f"expected the outputs {self.outputs}, got {sorted(kwargs)}: top diff "
                    "arguments do not match net outputs"
                )
            for name, values in kwargs.items():
                diff = np.asarray(values)
                if diff.shape[:1] != self.blobs[name].shape[:1]:
                    raise ValueError(f"diff of '{name}' is not batch sized")
                self.blobs[name].diff[...] = diff
        first = len(self.layers) - 1 if start is None else self._index(start)
        last = 0 if end is None else self._index(end)
        self._run_backward(first, last, losses=start is None)
        names = self.inputs if end is None else self.bottom_names[end]
        return {name: self.blobs[name].diff for name in dict.fromkeys([*names, *(diffs or ())])}

    def forward_all(
        self, blobs: Sequence[str] | None = None, **kwargs: Any
    ) -> dict[str, np.ndarray]:
        """Run as many batches as the inputs need; returns copies of the outputs of all items."""
        names = dict.fromkeys([*self.outputs, *(blobs or ())])
        found: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for batch in self._batch(kwargs):
            for name, values in self.forward(blobs, None, None, **batch).items():
                found[name].extend(np.atleast_1d(values.copy()))
        return trimmed(found, kwargs)

    def forward_backward_all(
        self,
        blobs: Sequence[str] | None = None,
        diffs: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Run batches forward and backward; ``kwargs`` are inputs and gradients of outputs."""
        given = {name: values for name, values in kwargs.items() if name in self.inputs}
        slopes = {name: values for name, values in kwargs.items() if name in self.outputs}
        tops: dict[str, list[np.ndarray]] = {}
        bottoms: dict[str, list[np.ndarray]] = {}
        slope_batches = self._batch(slopes) if slopes else None
        for batch in self._batch(given):
            for name, values in self.forward(blobs, None, None, **batch).items():
                tops.setdefault(name, []).extend(np.atleast_1d(values.copy()))
            slope = next(slope_batches) if slope_batches is not None else {}
            for name, values in self.backward(diffs, None, None, **slope).items():
                bottoms.setdefault(name, []).extend(np.atleast_1d(values.copy()))
        return trimmed(tops, given), trimmed(bottoms, given)

    def _forward(self, start: int, end: int) -> float:
        """Run the layers of these numbers, both included; what of the objective they found."""
        self._run_forward(start, end)
        plan = self._net.plan
        return sum(
            value.loss_weight * float(np.sum(self._net.device.get(self._net.data_of(value))))
            for step in plan.steps[start : end + 1]
            for value in step.tops
            if value.loss_weight
        )

    def _backward(self, start: int, end: int) -> None:
        """Run the layers of these numbers backward, from ``start`` down to ``end``."""
        self._run_backward(start, end, losses=start == len(self.layers) - 1)

    # Parameters.

    def copy_from(self, weights: str | PathLike[str]) -> None:
        """Load weights (.caffemodel or .h5) by layer name; layers that the file lacks stay.

        Weights that fit no layer, and layers without weights, are reported on standard error.

        Raises:
            FormatError: for weights of another net.
        """
        path = Path(fspath(weights))
        self._flush()
        load_weights(self._net, [path], mode.log)

    def load_hdf5(self, weights: str | PathLike[str]) -> None:
        """Load a .caffemodel.h5."""
        self.copy_from(weights)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the net with its weights as a .caffemodel; HDF5 where the name ends in .h5."""
        if Path(fspath(path)).suffix == ".h5":
            self.save_hdf5(path)
            return
        self._flush()
        write_model(fspath(path), self._net.message())

    def save_hdf5(self, path: str | PathLike[str]) -> None:
        """Write the weights as HDF5, whatever the name ends in."""
        from protonet.formats.caffemodel import write_hdf5

        self._flush()
        write_hdf5(Path(fspath(path)), self._net.stored_params())

    def share_with(self, other: Net) -> None:
        """Use the parameters of another net for layers of the same name.

        Raises:
            UsageError: where the shapes of such parameters differ.
        """
        self._net.share_with(other._net)

    def clear_param_diffs(self) -> None:
        """Set the gradients of all parameters to 0."""
        self._flush()
        self._net.store.diff.fill(0)

    def set_input_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Give the net's MemoryData layer its images and labels.

        Raises:
            UsageError: when the first layer is no MemoryData.
        """
        layer: Any = self._net.layers[0]
        if layer.type != "MemoryData":
            raise UsageError(
                f"set_input_arrays needs a MemoryData layer first, got '{layer.name}' "
                f"({layer.type})"
            )
        layer.set_arrays(data, labels)

    _set_input_arrays = set_input_arrays

    # What the passes share.

    def _batch(self, blobs: Mapping[str, Any]) -> Iterator[dict[str, np.ndarray]]:
        """Batches of as many items as the first blob has."""
        return batches_of(blobs, next(iter(self.blobs.values())).shape[0])

    def _index(self, layer: str) -> int:
        if layer not in self._layer_names:
            raise ValueError(f"no layer '{layer}' in this net; there are {self._layer_names}")
        return self._layer_names.index(layer)

    def _fill(self, name: str, values: np.ndarray) -> None:
        blob = self.blobs[name]
        if values.shape[:1] != blob.shape[:1]:
            raise ValueError(
                f"input '{name}' is not batch sized: expected {blob.shape[0]} items, got "
                f"{values.shape[0] if values.ndim else 'a scalar'}"
            )
        blob.data[...] = values.reshape(blob.shape)

    def _run_forward(self, first: int, last: int) -> None:
        self.settle(last)
        net, steps = self._net, len(self.layers)
        if (first, last) == (0, steps - 1) and not self._hooks:
            net.forward()
            return
        for index in range(first, last + 1):
            self._call("before_forward", index)
            net.forward_step(index)
            self._call("after_forward", index)
        if last == steps - 1:
            net.clock.iteration += 1

    def _run_backward(self, first: int, last: int, *, losses: bool) -> None:
        net = self._net
        self._flush()
        if losses:
            net.backward_step(len(self.layers))
        for index in range(first, last - 1, -1):
            self._call("before_backward", index)
            net.backward_step(index)
            self._call("after_backward", index)

    def _flush(self) -> None:
        """Copy back modified host copies: a no-op on the CPU."""
        if not self._net.device.is_cpu:
            for blob in self._all_blobs():
                blob.flush()

    def _all_blobs(self) -> Iterator[Any]:
        yield from self.blobs.values()
        for blobs in self.params.values():
            yield from blobs
