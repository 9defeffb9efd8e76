"""The net that is quantized: where its definition, its weights and its records come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from protonet.device import Device
from protonet.errors import FormatError, NetworkError, UsageError
from protonet.formats.caffemodel import open_weights
from protonet.formats.stored_weights import int8_params_in
from protonet.graph.names import Value
from protonet.graph.net import Net
from protonet.graph.plan import Plan, Step
from protonet.graph.planning import plan_net
from protonet.graph.reading import read_prototxt
from protonet.jobs.definitions.inputs import ImageLayer, with_batch_size
from protonet.jobs.definitions.network import DATA, image_positions
from protonet.jobs.evaluation.validation import evaluated
from protonet.jobs.inference.classification import Preprocessing
from protonet.jobs.inference.deployed import STAGES, deploy_net
from protonet.jobs.inference.digits_model import read_digits_model
from protonet.jobs.quantization.answers import Scores
from protonet.jobs.quantization.records import ImageRecords, LayerRecords, Records
from protonet.jobs.run.archive import holds_model, unpacked
from protonet.jobs.run.directory import RunDirectory
from protonet.layers.base import Layer, LayerContext, Stateful
from protonet.layers.image_data import ImageData
from protonet.proto import rules
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.language import is_lua
from protonet.proto.text import NetDefinition, Source

_BATCH = 16
"""Records of a pass, where the net allows it."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the user gave: a definition and its weights, or a run or a model of DIGITS; the records,
    None for those that the definition or the run names; and how images are prepared.
    """

    net: Path
    weights: Path | None = None
    snapshot: str = "last"
    data: Path | None = None
    labels: Path | None = None
    how: Preprocessing = field(default_factory=Preprocessing)
    level: int = 0
    stages: tuple[str, ...] = ()
    python_layers: bool = True


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A net in phase TEST at a batch, its weights and its records. ``planned`` plans it, for each
    net anew, since a net takes over the data layers of its plan; ``notes`` are for the user.
    """

    planned: Callable[[], Plan]
    weights: Path
    batch: int
    records: Records
    device: Device
    fuse: bool = True
    notes: tuple[str, ...] = ()

    def net(self, kept: Iterable[Value] = (), *, quantized: Path | None = None) -> Net:
        """The net with its weights in float32, or ``quantized`` ones, as for inference; ``kept``
        values of its plan, and its scores, can be read after a pass. Close it.

        Raises:
            FormatError: for weights that are damaged, of another net, or lacking.
        """
        found = open_weights(self.weights if quantized is None else quantized)
        plan = self.planned()
        scores = Scores.of(plan)
        net = Net(
            plan.keeping((*kept, *(() if scores is None else scores.values))),
            self.device,
            gradients=False,
            packed=True,
            fuse=self.fuse,
            keep_weights=True,
            int8=None if quantized is None else int8_params_in(found),
        )
        try:
            report = net.load(found, str(self.weights))
            if report.absent:
                raise FormatError(
                    f"{self.weights}: has no weights for {', '.join(report.absent)} of "
                    f"{net.plan.definition.source.name}"
                )
        except BaseException:
            net.close()
            raise
        return net


@contextmanager
def opened(given: Given, device: Device) -> Iterator[Subject]:
    """The net of what the user gave.

    Raises:
        NetworkError, UsageError, DataError, FormatError: for files that cannot be read or do not
            belong together.
    """
    if given.weights is not None and given.net.is_dir():
        raise UsageError(f"{given.net}: has its own weights; choose them with --snapshot")
    if given.weights is None:
        with unpacked(given.net) as folder:
            subject = _of_folder(replace(given, net=folder), device)
            yield from _closing(subject)
        return
    if given.snapshot != "last":
        raise UsageError("--snapshot selects weights of a run, but WEIGHTS are given")
    yield from _closing(_of_definition(given, given.weights, device))


def _closing(subject: Subject) -> Iterator[Subject]:
    try:
        yield subject
    finally:
        subject.records.close()


def _of_folder(given: Given, device: Device) -> Subject:
    """Of a run, or a model of DIGITS."""
    if given.how != Preprocessing():
        raise UsageError(f"{given.net}: has its own preprocessing; omit --mean and --input-scale")
    if given.net.is_file():
        raise UsageError(f"{given.net}: needs WEIGHTS behind it, or is no run directory")
    if not holds_model(given.net):
        run = RunDirectory.open(given.net)
        tested = evaluated(run, given.snapshot, given.data, given.labels)
        options = tested.net_options
        made = replace(
            given,
            level=options.level,
            stages=options.stages,
            python_layers=given.python_layers and options.python_layers,
        )
        subject = _with_layers(tested.definition, Path(options.weights), made, device)
        return replace(subject, fuse=options.fuse, notes=(*tested.notes, *subject.notes))
    model = read_digits_model(given.net, given.snapshot)
    how = replace(given, how=model.how, net=model.deploy)
    return _with_images(how, model.weights, device, model.classes)


def _of_definition(given: Given, weights: Path, device: Device) -> Subject:
    """Of a prototxt, which has data layers, or one input."""
    if given.labels is not None and given.data is None:
        raise UsageError("--labels goes with --data, the images that they belong to")
    source = Source.read(given.net)
    if is_lua(source.text):
        raise UsageError(
            f"{given.net}: is Lua; quantize a prototxt: `protonet convert-weights` and the "
            "deploy.prototxt of a run have what Caffe reads"
        )
    definition = rules.in_state(read_prototxt(source), TEST, level=given.level, stages=given.stages)
    if any(layer.type == "Input" for layer in definition.net.layer):
        return _with_images(given, weights, device, None)
    if given.how != Preprocessing():
        raise UsageError(
            f"{given.net}: has data layers, whose transform_param prepares the images; omit "
            "--mean and --input-scale"
        )
    if given.data is not None:
        _redirect(definition, given)
    return _with_layers(definition, weights, given, device)


def _redirect(definition: NetDefinition, given: Given) -> None:
    """Let the data layers read other databases."""
    layers = [layer for layer in definition.net.layer if layer.type in DATA]
    images = image_positions(layers)
    if not images:
        raise UsageError(f"{given.net}: has no Data layer of images that could read {given.data}")
    for place, layer in enumerate(layers):
        source = given.data if place in images else given.labels
        if source is None:
            raise UsageError(
                f'{given.net}: layer "{layer.name}" reads labels from a database of their own; '
                f"give that of {given.data} with --labels"
            )
        layer.data_param.source = str(source.resolve())


def _with_layers(definition: NetDefinition, weights: Path, given: Given, device: Device) -> Subject:
    """With the records of the net's data layers."""
    batch = _BATCH if _allows(definition, given, _BATCH) else None
    plan = _planned(definition, given, batch)
    layers = [step.layer for step in plan.steps if _reads_data(step)]
    plan.close()
    if not layers:
        raise UsageError(f"{given.net}: has no data layer in phase TEST, and no Input: no records")
    return Subject(
        planned=partial(_planned, definition, given, batch),
        weights=weights,
        batch=layers[0].infer([])[0][0],
        records=LayerRecords(_length(layers)),
        device=device,
    )


def _reads_data(step: Step) -> bool:
    """Whether a step is a layer of data, of whatever kind."""
    return not step.bottoms and isinstance(step.layer, Stateful)


def _length(layers: Sequence[Layer]) -> int | None:
    """The records of the shortest data layer; None if no layer tells."""
    found = [layer.length for layer in layers if isinstance(layer, ImageLayer)]
    found += [len(layer.images) for layer in layers if isinstance(layer, ImageData)]
    return min(found, default=None)


def _with_images(
    given: Given, weights: Path, device: Device, names: Sequence[str] | None
) -> Subject:
    """With images that are prepared as for inference."""
    data = given.data
    if data is None:
        raise UsageError(f"{given.net}: has an Input, so no records of its own; give --data")
    if given.labels is not None:
        raise UsageError("--labels is for a net with a data layer of labels")
    definition, layer = deploy_net(Source.read(given.net))
    given = replace(given, stages=STAGES)
    _, channels, height, width = layer.input_param.shape[0].dim
    batch = _BATCH if _allows(definition, given, _BATCH) else 1
    scores = Scores.of(_planned(definition, given, batch))
    records = ImageRecords(
        data,
        given.how.transformer((channels, height, width)),
        given.how.order(channels),
        given.how.fit,
        0 if scores is None else scores.classes,
        names,
    )
    return Subject(
        planned=partial(_planned, definition, given, batch),
        weights=weights,
        batch=batch,
        records=records,
        device=device,
    )


def _allows(definition: NetDefinition, given: Given, batch: int) -> bool:
    """Whether the net can be planned at a batch, all of which is in every output with a batch."""
    try:
        plan = _planned(definition, given, batch)
    except NetworkError:
        return False
    plan.close()
    return not plan.inputs or all(value.shape[:1] == (batch,) for value in plan.outputs)


def _planned(definition: NetDefinition, given: Given, batch: int | None) -> Plan:
    """The plan at a batch, None for its own."""
    folder = Path(definition.source.name).parent
    context = LayerContext(folder=folder, python_layers=given.python_layers)
    sized = definition if batch is None else with_batch_size(definition, batch)
    return plan_net(sized, phase=TEST, level=given.level, stages=given.stages, context=context)
