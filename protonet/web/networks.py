"""Inspection of a pasted network without running code that it names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from protonet.blob import Shape
from protonet.device import Device
from protonet.errors import Mistake, NetworkError, ProtonetError, UsageError
from protonet.graph.capacity import check_capacity, largest_layer
from protonet.graph.drawing import picture_of
from protonet.graph.plan import Plan
from protonet.graph.planning import find_mistakes, plan_net
from protonet.graph.summary import Row, Summary, summarize
from protonet.graph.weights_report import WeightsReport
from protonet.jobs.checks.databases import refuse_other_mean
from protonet.jobs.checks.network_report import NetworkReport
from protonet.jobs.checks.objective import NO_VECTORS, check_objective, wants_vectors
from protonet.jobs.checks.pairing import large_batches
from protonet.jobs.checks.weights import files_report, mismatch
from protonet.jobs.definitions.box_checks import check_boxes, check_classes
from protonet.jobs.definitions.boxes import BoxFiles, reads_boxes
from protonet.jobs.definitions.images import ImageOptions
from protonet.jobs.definitions.inputs import count_classes, image_layers, refuse_crop_of_lua
from protonet.jobs.definitions.network import (
    DATA,
    DEPLOY_STATE,
    TRAIN_STATE,
    lacks_outputs,
    make_deploy,
    make_train_val,
)
from protonet.jobs.definitions.network import Databases as Pair
from protonet.jobs.reading.data_shapes import DataShapes
from protonet.jobs.reading.network import read_definition
from protonet.jobs.run.bounds import MEANS, mean_values
from protonet.jobs.run.settings import RunSettings
from protonet.layers.base import LayerContext
from protonet.proto import rules
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.ignored import ignored_fields
from protonet.proto.language import is_lua
from protonet.proto.paths import OF_LAYERS, paths_in
from protonet.proto.text import NetDefinition, Source
from protonet.sizes import byte_count
from protonet.web.datasets import Databases
from protonet.web.workspace import Workspace

_LUA = 0.6
"""The part of the time of a check that a Lua definition may run: an endless loop tells its line."""
NAME, NAME_LUA = "net.prototxt", "net.lua"
_NO_LISTS = frozenset({"data_param", "infogain_loss_param"})
"""Messages of layers whose source does not name other files."""

_WRITERS = ("HDF5Output",)


@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    """Settings of a training on which the shapes of its network depend; None for the network's own
    batch size and crop. ``mean`` is that of the settings, a file as a
    path. ``weights`` are files to compare it with, in order.
    """

    batch_size: int | None = None
    crop: int | None = None
    weights: tuple[Path, ...] = ()
    allow_mismatch: bool = False
    mean: str | None = None


USUAL = CheckOptions()


def inspect_network(
    text: str,
    workspace: Workspace,
    databases: Databases | None = None,
    options: CheckOptions = USUAL,
) -> NetworkReport:
    """Find all mistakes of a network; without mistakes, and with a data set, describe its layers.

    Without ``databases`` only the text itself and the files that it names are checked.
    """
    definition: NetDefinition | None = None
    try:
        definition = read_bounded(text, workspace, databases, options)
        if databases is None:
            mistakes = _lone_mistakes(definition, workspace)
            report = NetworkReport(mistakes, definition.net.name, tuple(_names(definition)))
        else:
            labelled = _labelled(definition, databases)
            report = _planned(definition, labelled, workspace, options)
            report = replace(report, boxes=labelled is not databases)
        return replace(report, ignored=tuple(ignored_fields(definition.net)))
    except NetworkError as error:
        mistakes = tuple(error.mistakes)
        lacks = databases is not None and databases.train_labels is None
        if lacks and definition is not None and wants_vectors(definition.net):
            mistakes = (*mistakes, Mistake(NO_VECTORS))
        return NetworkReport(mistakes)
    except ProtonetError as error:
        return NetworkReport((Mistake(str(error)),))


def read_bounded(
    text: str,
    workspace: Workspace,
    databases: Databases | None = None,
    options: CheckOptions = USUAL,
) -> NetDefinition:
    """Read an untrusted definition: prototxt, or Lua with the shapes of a data set.

    Raises:
        NetworkError: for its mistakes, for files that it may not use, and for its length.
        UsageError: for a Lua text that does not tell the shape of its images.
    """
    limits = workspace.limits
    if len(text) > limits.text:
        raise NetworkError(
            f"the text has {len(text):,} characters, more than the {limits.text:,} that this "
            "server accepts"
        )
    seconds = _LUA * limits.check_seconds
    shapes = DataShapes(batch_size=options.batch_size, seconds=seconds)
    if databases is not None:
        shapes = DataShapes(
            data=databases.train_images,
            labels=databases.train_labels,
            batch_size=options.batch_size,
            weights=tuple(map(str, options.weights)),
            validates=databases.val_images is not None,
            seconds=seconds,
        )
    source = Source(NAME_LUA if is_lua(text) else NAME, text)
    definition = read_definition(source, shapes)
    mistakes = list(_outside(definition, workspace))
    if mistakes:
        raise NetworkError(mistakes)
    return definition


def draw(text: str, workspace: Workspace, databases: Databases | None = None) -> bytes:
    """A drawing of a network as SVG; layers that are not deployed have dashed lines.

    ``databases`` are for a Lua text that does not tell the shape of its images.

    Raises:
        NetworkError: for a text that cannot be read.
    """
    definition = read_bounded(text, workspace, databases if is_lua(text) else None)
    try:
        deploy = make_deploy(definition, (1, 1, 1)).definition.net
        kept = {layer.name for layer in deploy.layer}
    except NetworkError:
        kept = {layer.name for layer in definition.net.layer}
    faint = {layer.name for layer in definition.net.layer} - kept
    return picture_of(definition.net, "svg", direction="TB", faint=faint)


def _lone_mistakes(definition: NetDefinition, workspace: Workspace) -> tuple[Mistake, ...]:
    """The mistakes of single layers, in the train net or the deploy net."""
    context = LayerContext(workspace.folder, python_layers=False)
    found = [
        mistake
        for state in (TRAIN_STATE, DEPLOY_STATE)
        for mistake in find_mistakes(
            rules.filter_layers(definition, state), ("data", "label"), context
        )
    ]
    mistakes = sorted(set(found), key=lambda each: (each.line, each.column))
    return NetworkError(mistakes).mistakes if mistakes else ()


def _labelled(definition: NetDefinition, databases: Databases) -> Databases:
    """The data set, with its boxes as labels for a network without AnnotatedData: DetectNet."""
    if databases.train_labels is not None or reads_boxes(definition.net):
        return databases
    return databases.with_boxes() or databases


def _with_data(
    definition: NetDefinition, databases: Databases, options: CheckOptions
) -> NetDefinition:
    """The network with the layers that read a data set."""
    refuse_crop_of_lua(definition.source.text, options.crop)
    train, val = [
        None if images is None else Pair(str(images), None if labels is None else str(labels))
        for images, labels in (databases.part("train"), databases.part("val"))
    ]
    assert train is not None
    files, classes = None, None
    for images, labels in (databases.part("train"), databases.part("val")):
        if images is not None:
            check_boxes(definition, images, labels)
    if reads_boxes(definition.net):
        files = BoxFiles.find(
            databases.train_images, databases.val_images, databases.label_map, databases.sizes
        )
        check_classes(definition, files)
    if lacks_outputs(definition.net) and databases.train_labels is None:
        classes = count_classes(databases.train_images)
    numbers = None if options.mean is None else mean_values(options.mean)
    if options.mean is not None and numbers is None and options.mean not in MEANS:
        settings = RunSettings(databases.train_images, val_data=databases.val_images)
        refuse_other_mean(Path(options.mean), settings)
    how = ImageOptions(crop=options.crop, mean_values=numbers or (), replace_mean=bool(numbers))
    return make_train_val(
        definition,
        train,
        val,
        batch_size=options.batch_size,
        images=how,
        classes=classes,
        files=files,
    )


def _planned(
    definition: NetDefinition, databases: Databases, workspace: Workspace, options: CheckOptions
) -> NetworkReport:
    context = LayerContext(workspace.folder, python_layers=False)
    made = _with_data(definition, databases, options)
    plan = plan_net(made, phase=TRAIN, stages=["train"], context=context)
    try:
        check_objective(plan, definition)
        limit = min(workspace.limits.memory, Device().most_memory())
        check_capacity(plan, Device(), gradients=True, packed=True, limit=limit)
        summary = summarize(plan)
        layers = image_layers(plan)
        if not layers:
            raise UsageError("the network produces 'data' itself; remove that layer")
        shape = layers[0].transformer.output_shape
        length = (layers[0].length, layers[0].batch_size)
        weights, problem = _weights(plan, definition, options)
        notes = (*definition.printed, *large_batches(plan)[:1])
    finally:
        plan.close()
    _check_memory(plan, summary, limit)
    if databases.val_images is not None:
        plan_net(made, phase=TEST, stages=["val"], context=context).close()
    deploy = make_deploy(made, shape)
    plan_net(deploy.definition, phase=TEST, stages=["deploy"], context=context).close()
    return NetworkReport(
        (),
        definition.net.name,
        summary.rows,
        frozenset(layer.name for layer in deploy.definition.net.layer),
        summary.parameters,
        summary.training_bytes,
        summary.inference_bytes,
        images=length[0],
        batch_size=length[1],
        notes=notes,
        weights=weights,
        weights_error=problem,
    )


def _weights(
    plan: Plan, definition: NetDefinition, options: CheckOptions
) -> tuple[WeightsReport | None, str]:
    """What the network takes of the weights, and why they cannot be used if so."""
    files = [each for each in options.weights if str(each) not in definition.taken]
    if not files:
        return None, ""
    try:
        report = files_report(plan, files)
    except ProtonetError as error:
        return None, str(error).replace(f"{files[0].parent}/", "")
    return report, mismatch(report, files[0].name, allowed=options.allow_mismatch)


def _check_memory(plan: Plan, summary: Summary, limit: int) -> None:
    if summary.training_bytes > limit:
        raise UsageError(
            f"training needs about {byte_count(summary.training_bytes)}, more than the "
            f"{byte_count(limit)} that this server allows ({largest_layer(plan)}); a smaller batch "
            "size needs less"
        )


def _names(definition: NetDefinition) -> Iterator[Row]:
    """The layers of the definition, without shapes."""

    def blobs(names: Sequence[str]) -> tuple[tuple[str, Shape], ...]:
        return tuple((name, ()) for name in names)

    for layer in definition.net.layer:
        yield Row(layer.name, layer.type, blobs(layer.bottom), blobs(layer.top), 0)


def _outside(definition: NetDefinition, workspace: Workspace) -> Iterator[Mistake]:
    """Mistakes for files that the network may not read, or would write."""
    for layer, origin in zip(definition.net.layer, definition.origins, strict=True):
        told = f'layer "{layer.name}" ({layer.type}): '
        if layer.type in _WRITERS:
            text = told + "writes files, which this server does not allow"
            yield definition.source.mistake((*origin, "type"), text)
        for each in paths_in(layer, OF_LAYERS, origin):
            # Sources of Data layers are replaced by the data set.
            is_source = each.name == "source"
            if layer.type in DATA and is_source:
                continue
            try:
                found = workspace.inside(each.path)
                is_list = is_source and each.where[-2] not in _NO_LISTS
                if is_list and found.is_relative_to(workspace.folder):
                    raise UsageError(
                        f"{each.path}: is a list of other files; such lists are only read from "
                        "--allow folders, which have no uploads"
                    )
            except UsageError as error:
                yield definition.source.mistake(each.where, told + str(error))
