"""Layers of ``type: "Python"``: users' code with the API of Caffe's Python module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import DataError, LayerError, UsageError
from protonet.layers.base import Owner, Traits, Weight
from protonet.layers.builtin_python import BuiltinLayer, builtin_class
from protonet.layers.extensions import RAISES_AS_IS, describe_exception, import_module
from protonet.layers.python_api import Blob
from protonet.layers.registry import register


@register("Python")
class Python(Owner):
    """A layer computed by a user's class with setup, reshape, forward, backward, as in Caffe.

    Bottom:
        any number, as the class requires.
    Top:
        any number, of the shapes set by its ``reshape``.
    Params:
        those that ``setup`` adds by ``self.blobs.add_blob(...)``, with the values it writes.
    Spec:
        python_param: module, layer (the class in it), param_str (""); share_in_parallel is accepted
        and ignored.

    Raises:
        LayerError: when the module or the class is not found, Python layers are not allowed
        here, or the user's code raises, with the exception and its line. In nets of
        ``protonet.pycaffe`` exceptions pass unchanged, as in Caffe.
    Differs:
        Modules of public networks that are not installed are built in
        (``builtin_python``). The class's ``setup`` is called in the first ``infer``, its
        ``reshape`` in each, with bottoms of zeros: ``infer`` is as pure as that code. On a GPU
        the arrays are copied to the host and back.

    A top with the name of the bottom of its index is that bottom: one ``Blob``, which keeps what
    ``forward`` does not write, in both passes.
    """

    bottoms = (0, None)
    tops = (0, None)
    traits = Traits(dynamic=True, reshapes_tops=True)

    def setup(self) -> None:
        spec = self.spec.python_param
        if not spec.module or not spec.layer:
            raise LayerError(
                "module and layer are required",
                (),
                'such as python_param { module: "my_layers" layer: "MyLayer" }',
            )
        kind = self._find()
        self._bottoms = [Blob() for _ in self.spec.bottom]
        self._in_place = frozenset(
            place
            for place, (top, bottom) in enumerate(
                zip(self.spec.top, self.spec.bottom, strict=False)
            )
            if top == bottom
        )
        self._tops = [
            self._bottoms[place] if place in self._in_place else Blob()
            for place in range(len(self.spec.top))
        ]
        if self._in_place:
            self.traits = replace(self.traits, in_place=True)
        self._surprises: dict[int, np.ndarray] = {}
        self._ready = False
        self._raises_as_is = RAISES_AS_IS.get()
        self._is_ours = isinstance(kind, type) and issubclass(kind, BuiltinLayer)
        self._user = self._call("__init__", lambda: kind(self.spec))
        self._user.param_str, self._user.phase = spec.param_str, self.phase
        if self._is_ours:
            self._user.find, self._user.seed = self.context.find, self.context.seed

    def _find(self) -> Any:
        """The class: the user's, or a built-in one if there is no such module."""
        spec = self.spec.python_param
        ours = builtin_class(spec.module, spec.layer)
        if not self.context.python_layers and ours is not None:
            return ours
        if not self.context.python_layers:
            raise LayerError(
                "Python layers run code, which is not allowed here",
                ("type",),
                "where the network can be trusted: --allow-python-layers",
            )
        try:
            module = import_module(spec.module, self.context.folder)
        except UsageError as error:
            if ours is not None and _is_missing(spec.module, error.__cause__):
                return ours
            raise LayerError(str(error), ("python_param", "module")) from error
        kind = getattr(module, spec.layer, None)
        if kind is None:
            raise LayerError(
                f"module '{spec.module}' ({module.__file__}) has no class '{spec.layer}'",
                ("python_param", "layer"),
            )
        return kind

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        for blob, shape in zip(self._bottoms, shapes, strict=True):
            blob.bind(None, None)
            blob.reshape(*shape)
        if not self._ready:
            self._call("setup", lambda: self._user.setup(self._bottoms, self._tops))
            self._ready = True
        return self._reshape()

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        return [Weight(blob.shape, values=blob.data.copy()) for blob in self._user.blobs]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._unwanted = [np.zeros(shape, self.dtype) for shape in shapes]
        for blob, param in zip(self._user.blobs, self.params, strict=True):
            blob.bind(self._host(param.data), self._host(param.diff))

    def measure(self, bottoms: Sequence[Array]) -> list[Shape]:
        """The shapes that the user's ``reshape`` sets for these bottoms."""
        for blob, array in zip(self._bottoms, bottoms, strict=True):
            blob.bind(self._host(array), None)
        return self._reshape()

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        # `measure` has bound the bottoms of this pass.
        for place, (blob, array) in enumerate(zip(self._tops, tops, strict=True)):
            if place in self._in_place and array is not bottoms[place]:
                self.xp.copyto(array, bottoms[place])
            blob.bind(self._host(array), None)
        self._fetch_params()
        if self._is_ours:
            self._user.random = self.random.host()
            self._user.iteration = self.random.clock.iteration
        self._call("forward", lambda: self._user.forward(self._bottoms, self._tops))
        self._surprises = {
            place: blob.data
            for place, (blob, array) in enumerate(zip(self._tops, tops, strict=True))
            if blob.shape != array.shape
        }
        for place, (blob, array) in enumerate(zip(self._tops, tops, strict=True)):
            if place not in self._surprises:
                self._return(blob.data, array)
        for blob, param in zip(self._user.blobs, self.params, strict=True):
            self._return(blob.data, param.data)

    def reshaped_tops(self) -> dict[int, np.ndarray]:
        """Tops that the user's ``forward`` reshaped."""
        return self._surprises

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        wanted = [dx is not None for dx in dbottoms]
        for place, (blob, data) in enumerate(zip(self._bottoms, bottoms, strict=True)):
            diff = dbottoms[place]
            blob.bind(self._host(data), self._unwanted[place] if diff is None else self._host(diff))
        for place, (blob, data, diff) in enumerate(zip(self._tops, tops, dtops, strict=True)):
            if place not in self._in_place:
                blob.bind(self._host(data), self._host(diff))
                continue
            # the gradient of the bottom is initially that of the top
            blob.bind(self._host(data), blob.diff)
            if dbottoms[place] is not diff:
                blob.diff[...] = self._host(diff)
        self._fetch_params()
        self._call("backward", lambda: self._user.backward(self._tops, wanted, self._bottoms))
        for blob, dx in zip(self._bottoms, dbottoms, strict=True):
            if dx is not None:
                self._return(blob.diff, dx)
        for blob, param in zip(self._user.blobs, self.params, strict=True):
            if param.diff is not None:
                self._return(blob.diff, param.diff)

    @property
    def user(self) -> Any:
        """The user's object."""
        return self._user

    def _reshape(self) -> list[Shape]:
        self._call("reshape", lambda: self._user.reshape(self._bottoms, self._tops))
        return [blob.shape for blob in self._tops]

    def _call(self, method: str, function: Any) -> Any:
        """Run the user's code; what it raises is describe_exception of with class and place."""
        try:
            return function()
        except Exception as error:
            name = self.spec.python_param.layer
            if isinstance(error, LayerError | DataError) and self._is_ours:
                raise
            if self._raises_as_is:
                error.add_note(f'in {name}.{method}, of layer "{self.name}" (Python)')
                raise
            raise LayerError(f"{name}.{method} raised {describe_exception(error)}") from error

    def _host(self, array: Any) -> Any:
        """The array passed to the user: itself on the CPU, else a copy."""
        if array is None or self.device.is_cpu:
            return array
        return np.array(self.device.get(array))

    def _return(self, host: np.ndarray, array: Array) -> None:
        """Copy what the user wrote back to the device, if it was written to a copy."""
        if host is not array:
            self.device.put(np.asarray(host), array)

    def _fetch_params(self) -> None:
        """Update the user's copies of parameters, on a GPU."""
        if not self.device.is_cpu:
            for blob, param in zip(self._user.blobs, self.params, strict=True):
                blob.bind(self._host(param.data), self._host(param.diff))


def _is_missing(module: str, error: BaseException | None) -> bool:
    """Whether there is no such module, as opposed to one that cannot be imported."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return False
    return module == error.name or module.startswith(f"{error.name}.")
