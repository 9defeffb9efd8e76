"""The deploy net of a definition, phase TEST, stage "deploy"; and the nets of a prediction, one for
each size of batch, over the same weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from protonet.blob import Shape
from protonet.device import Device
from protonet.errors import DeviceError, FormatError, NetworkError, UsageError
from protonet.formats.caffemodel import Weights
from protonet.formats.kind import is_torch7
from protonet.formats.stored_weights import StoredParams, int8_params_in
from protonet.graph.capture import ForwardPass
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.graph.reading import read_prototxt
from protonet.layers.base import LayerContext
from protonet.precision import type_of
from protonet.proto import rules
from protonet.proto.caffe_pb2 import TEST, Int8Parameter, LayerParameter
from protonet.proto.language import is_lua
from protonet.proto.text import NetDefinition, Source, write_text

STAGES = ("deploy",)
_BATCH = 16
"""Images of the largest batch."""
_TRANSLATED = 2
"""Of the translation: with one item, Torch7's View would take the batch for a part of it."""


def read_deploy(path: Path, shape: Shape | None = None) -> Source:
    """The text of a deploy net; of a Lua definition, its translation.

    ``shape`` are channels, height and width of the images of a Lua definition; None for what it
    tells.

    Raises:
        NetworkError: for mistakes in a Lua definition.
        UsageError: for a file that cannot be read, or a shape that is not needed, or needed.
    """
    if path.is_dir():
        raise UsageError(
            f"{path}: is a folder, and a run or model has its own weights; to use others, name its "
            "deploy.prototxt"
        )
    source = Source.read(path)
    if not is_lua(source.text):
        if shape is not None:
            raise UsageError(
                f"{path}: has the shape of its input; --input-shape is for .t7 files and Lua"
            )
        return source
    # For Lua only: it would be a part of the start of ``infer``.
    from protonet.jobs.definitions.network import make_deploy
    from protonet.jobs.reading.data_shapes import DataShapes
    from protonet.jobs.reading.network import read_definition

    inputs = {} if shape is None else {"data": (_TRANSLATED, *shape)}
    definition = read_definition(source, DataShapes(inputs=inputs))
    _, channels, height, width = definition.net.layer[0].input_param.shape[0].dim
    deploy = make_deploy(definition, (channels, height, width))
    return Source(source.name, write_text(deploy.definition.net))


def deploy_weights(path: Path, weights: Path, source: Source) -> Path | Weights:
    """The weights of a deploy net ``source`` that was read from ``path``: a file, or what a .t7
    file has for it. One vector of all weights needs a Lua definition, which has their order.

    Raises:
        UsageError, FormatError, NetworkError: for a file that cannot be read or does not fit.
    """
    if not weights.is_file() or not is_torch7(weights):
        return weights
    from protonet.jobs.reading.data_shapes import DataShapes
    from protonet.jobs.reading.network import read_definition
    from protonet.torch7.conversion import layer_weights

    _, layer = deploy_net(source)
    shape = tuple(layer.input_param.shape[0].dim)[1:]
    text = Source.read(path)
    if is_lua(text.text):
        told = DataShapes(inputs={"data": (_TRANSLATED, *shape)}, weights=(str(weights),))
        definition = read_definition(text, told)
        if definition.taken and definition.weights is not None:
            return definition.weights()
    return layer_weights(weights, shape)


def deploy_net(source: Source) -> tuple[NetDefinition, LayerParameter]:
    """The net of a definition in phase TEST, stage "deploy", and the layer of its one input.

    Raises:
        NetworkError: for mistakes in the definition.
        UsageError: for a net without exactly one input of four axes.
    """
    definition = rules.in_state(read_prototxt(source), TEST, stages=STAGES)
    inputs = [layer for layer in definition.net.layer if layer.type == "Input"]
    names = [top for layer in inputs for top in layer.top]
    if len(names) != 1:
        found = f"has the inputs {', '.join(names)}" if names else "has no input"
        raise UsageError(
            f"{source.name}: {found}; prediction on images needs exactly one, as a deploy.prototxt "
            "has"
        )
    shape = list(inputs[0].input_param.shape[0].dim) if inputs[0].input_param.shape else []
    if len(shape) != 4:
        raise UsageError(
            f"{source.name}: input '{names[0]}' has {len(shape)} axes; images need four: batch, "
            "channels, height, width"
        )
    return definition, inputs[0]


class DeployNets:
    """Nets of one definition, planned and built when they are needed, once. Close them.

    Args:
        source: of the definition.
        deploy: ``deploy_net`` of the source.
        device: where the nets are.
        python_layers, memory_limit, fuse: those of ``ImagePredictor``.

    Raises:
        DeviceError: when one image exceeds the limit.
        NetworkError: for mistakes in the definition.
    """

    def __init__(
        self,
        source: Source,
        deploy: tuple[NetDefinition, LayerParameter],
        device: Device,
        *,
        python_layers: bool,
        memory_limit: int | None,
        fuse: bool,
    ) -> None:
        self.source = source
        self.definition, self._given = deploy
        self._device = device
        self._fuse = fuse
        self._context = LayerContext(Path(source.name).parent, python_layers=python_layers)
        self._memory_limit = memory_limit
        self._plans: dict[int, Plan] = {}
        self._built: dict[int, ForwardPass] = {}
        self._largest: int | None = None
        self._copies = 0
        if memory_limit is not None:
            self._check(1, memory_limit)
        self.plan(1)

    def use(self, weights: Weights, source: str) -> None:
        """Take the weights that the nets load; ``source`` names them in messages.

        Raises:
            DeviceError: when they are in memory, and one image more exceeds the limit.
        """
        self._weights, self._source = weights, source
        self._int8 = int8_params_in(weights)
        stored = all(isinstance(arrays, StoredParams) for arrays in weights.values())
        if not stored and self._memory_limit is not None:
            self._copies = 1
            self._check(1, self._memory_limit)

    @property
    def note(self) -> str:
        """What the user should know of how the nets compute; "" for nothing."""
        return int8_note(self._int8, self._device)

    def close(self) -> None:
        """Release the nets."""
        for forward_pass in self._built.values():
            forward_pass.net.close()
        self._built.clear()

    def plan(self, count: int) -> Plan:
        """The net for a batch of ``count`` images, without arrays."""
        if count not in self._plans:
            self._given.input_param.shape[0].dim[0] = count
            self._plans[count] = plan_net(
                self.definition, phase=TEST, stages=list(STAGES), context=self._context
            )
        return self._plans[count]

    def most(self, wanted: int) -> int:
        """The largest batch size for ``wanted`` images that the net allows and the limit lets fit.
        More than one image is tried only if there is more than one.
        """
        if wanted == 1:
            return 1
        if self._largest is None:
            self._largest = self._most_that_fit() if self._works_in_batches() else 1
        return self._largest

    def forward_pass(self, count: int, precision: str | None = None) -> ForwardPass:
        """The net for a batch of this size, of a type of ``PRECISIONS`` where 16 bits suffice; by
        default float32, and 8-bit integers if the weights were quantized. The first one loads the
        weights, others share them; they are changed by ``load`` only.

        Raises:
            FormatError: for weights that do not fit or are not complete.
        """
        if count not in self._built:
            first = next(iter(self._built.values())).net if self._built else None
            net = Net(
                self.plan(count),
                self._device,
                gradients=False,
                packed=True,
                fuse=self._fuse,
                precision=type_of(precision or "float32"),
                keep_weights=True,
                params_of=first,
                loaded=self._whole_layers(),
                int8=self._int8 if precision is None else None,
            )
            if net.store.params:
                self._load(net)
            else:
                net.complete(self._weights)
            self._built[count] = ForwardPass(net)
        return self._built[count]

    def with_all_blobs(self) -> Net:
        """A net for one image, all of whose blobs can be read. Close it."""
        net = Net(self.plan(1), self._device, gradients=False, loaded=self._whole_layers())
        try:
            net.load(self._weights, self._source)
        except FormatError:
            net.close()
            raise
        return net

    def _load(self, net: Net) -> None:
        report = net.load(self._weights, self._source, release=True)
        if report.absent:
            net.close()
            raise FormatError(
                f"{self._source}: has no weights for {', '.join(report.absent)} "
                f"of {self.source.name}"
            )

    def _whole_layers(self) -> list[str]:
        """The layers of which the file has all parameters; none is read for this."""
        return [name for name, arrays in self._weights.items() if _is_whole(arrays)]

    def _most_that_fit(self) -> int:
        """The largest batch size within the limit."""
        most = _BATCH
        while self._memory_limit is not None and most > 1:
            try:
                self._check(most, self._memory_limit)
            except DeviceError:
                most //= 2
            else:
                break
        return most

    def _check(self, count: int, limit: int) -> None:
        from protonet.jobs.checks.memory import check_inference  # which imports the solvers

        check_inference(
            self.plan(count),
            limit,
            packed=True,
            fuse=self._fuse,
            keep_weights=True,
            copies=self._copies,
        )

    def _works_in_batches(self) -> bool:
        """Whether every output scales with the batch; not with a Reshape to fixed axes."""
        one = self.plan(1)
        try:
            two = self.plan(2)
        except NetworkError:
            return False
        return all(
            a.shape is not None and a.shape[:1] == (1,) and b.shape == (2, *a.shape[1:])
            for a, b in zip(one.outputs, two.outputs, strict=True)
        )


def int8_note(params: Mapping[str, Int8Parameter], device: Device) -> str:
    """What the user should know of a net with quantized weights on this device; "" for nothing."""
    if not params:
        return ""
    from protonet.graph.int8 import computes_in_integers  # for quantized nets only

    if computes_in_integers(device):
        return ""
    return (
        "the weights are quantized, but 8-bit integers need AVX512_VNNI, or AVX2 without AVX-512: "
        "computing in float32"
    )


def _is_whole(arrays: Sequence[object | None]) -> bool:
    stored = arrays.arrays if isinstance(arrays, StoredParams) else arrays
    return len(stored) > 0 and all(array is not None for array in stored)
