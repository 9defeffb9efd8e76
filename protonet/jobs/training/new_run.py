"""The files of a new run, made from a pasted network and databases."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from protonet.data.create import Progress, channel_means, compute_mean
from protonet.data.database import Database
from protonet.data.shards import NO_SHARDS, OwnShards
from protonet.data.transform import load_mean
from protonet.errors import NetworkError
from protonet.formats.atomic import write_atomic
from protonet.formats.blobs import from_array
from protonet.formats.caffemodel import write_weights
from protonet.formats.kind import SIZE_LIMIT
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.jobs.checks.box_files import store_box_files
from protonet.jobs.checks.databases import refuse_other_mean, refuse_other_sizes
from protonet.jobs.checks.objective import check_objective
from protonet.jobs.checks.pixel_classes import (
    check_scores,
    store_class_table,
    with_following_labels,
    with_ignored_pixels,
)
from protonet.jobs.definitions.boxes import output_notes, reads_boxes
from protonet.jobs.definitions.images import ImageOptions
from protonet.jobs.definitions.inputs import (
    ImageLayer,
    count_classes,
    image_layers,
    refuse_crop_of_lua,
)
from protonet.jobs.definitions.network import (
    Databases,
    Deploy,
    brings_mean,
    lacks_outputs,
    make_train_val,
    only_validates,
    val_batch_size,
)
from protonet.jobs.definitions.paths import inputs_of, with_absolute_paths
from protonet.jobs.definitions.solver import PREFIX, make_solver, refuse_torch7_snapshots
from protonet.jobs.definitions.solver_extensions import heading, split
from protonet.jobs.definitions.solver_files import SolverFiles
from protonet.jobs.run.bounds import mean_values
from protonet.jobs.run.directory import RunDirectory, read_class_names
from protonet.jobs.run.fingerprint import fingerprint_text, fingerprints
from protonet.jobs.run.mean import copy_mean
from protonet.jobs.run.record import RunRecord
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.training.deploy import derive_deploy, pruned_note, store_transform
from protonet.proto.caffe_pb2 import (
    TRAIN,
    NetParameter,
    SolverParameter,
)
from protonet.proto.language import is_lua
from protonet.proto.text import NetDefinition, write_text
from protonet.solvers.check import check_solver


def run_name(pasted: NetDefinition) -> str:
    """The default name of a run: the file's name, or the net's."""
    stem = Path(pasted.source.name).stem
    name = pasted.net.name if stem in ("<stdin>", "net", "train_val") and pasted.net.name else stem
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-") or "net"


def write_run(
    run: RunDirectory,
    pasted: NetDefinition,
    settings: RunSettings,
    progress: Progress | None = None,
    shards: OwnShards = NO_SHARDS,
) -> tuple[SolverFiles, list[str]]:
    """Write the files of the run, run.json last; return its nets and notes for the user."""
    table = store_class_table(run, settings)
    train_val, notes = _train_val(run, pasted, settings, progress)
    train_val, more = with_ignored_pixels(train_val, table)
    train_val, followed = with_following_labels(train_val, settings)
    context = settings.layer_context(run.path)
    plan = plan_net(train_val, phase=TRAIN, stages=["train"], context=context)
    try:
        check_objective(plan, pasted)
        notes += more + followed + check_scores(plan, pasted, table)
        images = _images(plan, pasted)
        deploy = derive_deploy(train_val, images, context)
        transform = store_transform(run, images)
        train_size = (shards.count(settings.data, images.length), images.batch_size)
    finally:
        plan.close()
    solver = make_solver(settings, train_size, _val_size(train_val.net, settings, shards))
    _store_initial(run, pasted, solver)
    _store_model(run, pasted, settings)
    check_solver(solver)
    _write_texts(run, pasted, train_val.net, solver, deploy, shards)
    run.write(
        RunRecord(
            settings=settings.absolute(),
            prefix=PREFIX,
            name=run.path.name,
            beyond=split(solver)[1],
            texts=(fingerprint_text(pasted.source),),
            databases=fingerprints(inputs_of([train_val.net])),
            **transform,
        )
    )
    return SolverFiles.of(solver, train_val, run.path), pruned_note(deploy.pruned) + notes


def _train_val(
    run: RunDirectory,
    pasted: NetDefinition,
    settings: RunSettings,
    progress: Progress | None,
) -> tuple[NetDefinition, list[str]]:
    """The train_val net, and notes on how it was made."""
    settled = with_absolute_paths(pasted, Path(pasted.source.name).parent)
    val = _databases(settings.val_data, settings.val_labels) if settings.val_data else None
    files = store_box_files(run, pasted, settings)
    named = _store_class_names(run, settings)
    classes, notes = None, output_notes(pasted.net)
    if lacks_outputs(pasted.net) and settings.labels is None:
        classes = named if named else count_classes(settings.data)
        notes.append(f"num_output was missing: set to the {classes} classes of the data")
    lost = only_validates(pasted.net) if val is None else []
    if lost:
        names = ", ".join(f'"{name}"' for name in lost)
        notes.append(f"no --val-data, so no validation; removed: {names}")
    train_val = make_train_val(
        settled,
        _databases(settings.data, settings.labels),
        val,
        batch_size=settings.batch_size,
        images=_image_options(run, pasted, settings, progress),
        classes=classes,
        files=files,
    )
    _clear_needless(train_val.net)
    if not train_val.net.name:
        train_val.net.name = run_name(pasted)
    return train_val, notes


def _clear_needless(net: NetParameter) -> None:
    """Clear ``partial_batches``, which Caffe does not know, where all batches are full anyway."""
    for layer in net.layer:
        if layer.type == "Data" and layer.data_param.partial_batches:
            with Database(Path(layer.data_param.source)) as database:
                if len(database) % layer.data_param.batch_size == 0:
                    layer.data_param.ClearField("partial_batches")


def _databases(images: Path, labels: Path | None) -> Databases:
    return Databases(str(images.resolve()), str(labels.resolve()) if labels is not None else None)


def _store_class_names(run: RunDirectory, settings: RunSettings) -> int:
    """Copy the labels.txt in or next to the images' database; return the number of its names."""
    if settings.labels is not None or run.labels.exists():
        return 0
    for folder in (settings.data, settings.data.resolve().parent):
        found = folder / run.labels.name
        if found.is_file():
            names = read_class_names(found)
            write_atomic(run.labels, "".join(f"{name}\n" for name in names).encode())
            return len(names)
    return 0


def _store_initial(run: RunDirectory, pasted: NetDefinition, solver: SolverParameter) -> None:
    """Store the initial weights that the text brings, before those that the user gives."""
    if pasted.weights is None:
        return
    weights = pasted.weights()
    size = sum(array.nbytes for arrays in weights.values() for array in arrays)
    path = run.initial if size < SIZE_LIMIT else run.initial.with_suffix(".caffemodel.h5")
    write_weights(path, weights)
    given = [name for each in solver.weights for name in each.split(",")]
    given = [name for name in given if name not in pasted.taken]
    del solver.weights[:]
    solver.weights.extend([str(path.resolve()), *given])


def _store_model(run: RunDirectory, pasted: NetDefinition, settings: RunSettings) -> None:
    """Store the tree of modules, which snapshots as .t7 files are made from.

    Raises:
        UsageError: for a prototxt, which has none.
    """
    if not settings.torch7_snapshots:
        return
    refuse_torch7_snapshots(pasted.source.text, pasted.source.name)
    assert pasted.model is not None, "a Lua text has one"
    write_atomic(run.model, pasted.model())


def _image_options(
    run: RunDirectory, pasted: NetDefinition, settings: RunSettings, progress: Progress | None
) -> ImageOptions:
    """How the settings transform images; a mean image is stored as a file of the run."""
    refuse_crop_of_lua(pasted.source.text, settings.crop)
    mean, file = settings.mean, None
    values: tuple[float, ...] = ()
    numbers = None if mean is None else mean_values(mean)
    if mean == "none" or (mean is None and brings_mean(pasted.net)):
        pass
    elif mean == "pixel" or (mean is None and reads_boxes(pasted.net)):
        values = _mean_pixel(settings, progress)  # images with boxes differ in size
    elif numbers is not None:
        values = numbers
    else:
        file = _store_mean(run, pasted.net, settings, progress)
    return ImageOptions(
        mean_file=file,
        mean_values=values,
        replace_mean=mean is not None,
        crop=settings.crop,
        mirror=settings.mirror,
    )


def computes_mean(settings: RunSettings, net: NetParameter) -> bool:
    """Whether the mean of the training images has to be computed."""
    mean = settings.mean
    if mean == "none" or (mean is None and brings_mean(net)) or settings.known_mean is not None:
        return False
    if mean == "pixel" or (mean is None and reads_boxes(net)):
        return True
    return settings.mean_file is None and (mean is None or mean_values(mean) is None)


def _mean_pixel(settings: RunSettings, progress: Progress | None) -> tuple[float, ...]:
    """The mean of each channel of the training images."""
    if settings.known_mean is not None:
        mean = load_mean(settings.known_mean).mean(axis=(1, 2), dtype=np.float64)
        return tuple(mean.astype(np.float32).tolist())
    return tuple(channel_means(settings.data, progress))


def _store_mean(
    run: RunDirectory, net: NetParameter, settings: RunSettings, progress: Progress | None
) -> str:
    """Store the mean image as a file of the run."""
    resized = any(layer.transform_param.HasField("resize_param") for layer in net.layer)
    given = settings.mean_file or settings.known_mean
    if given is None:
        if not resized:
            refuse_other_sizes(settings)
        mean = compute_mean(settings.data, progress)
        write_atomic(run.mean, from_array(mean[None]).SerializeToString())
    else:
        copy_mean(given, run.mean)
        if not resized:
            refuse_other_mean(given, settings)
    return str(run.mean.resolve())


def _images(plan: Plan, pasted: NetDefinition) -> ImageLayer:
    """The data layer of the training images.

    Raises:
        NetworkError: for a network that generates its own.
    """
    layers = image_layers(plan)
    if not layers:
        raise NetworkError(
            f"{pasted.source.name}: the network produces 'data' itself, so the images of --data "
            "would not be used; remove the layer that produces it"
        )
    return layers[0]


def _name_shards(net: NetParameter, shards: OwnShards) -> None:
    """Name the shards of all ranks where the net has those of this one."""
    for layer in net.layer:
        own = layer.data_param.source
        if own in shards.names:
            layer.data_param.source = shards.names[own]


def _val_size(
    net: NetParameter, settings: RunSettings, shards: OwnShards
) -> tuple[int, int] | None:
    """Number of records and batch size of validation; None without it."""
    if settings.val_data is None:
        return None
    with Database(settings.val_data) as database:
        count, size = shards.count(settings.val_data, len(database)), val_batch_size(net)
        batches = -(-count // size)
        more = shards.batches(settings.val_data, batches) - batches
        return count + more * size, size


def _original(run: RunDirectory, pasted: NetDefinition) -> Path:
    """The file of the text as it was given."""
    return run.original_lua if is_lua(pasted.source.text) else run.original


def _write_texts(
    run: RunDirectory,
    pasted: NetDefinition,
    train_val: NetParameter,
    solver: SolverParameter,
    deploy: Deploy,
    shards: OwnShards,
) -> None:
    _name_shards(train_val, shards)
    plain, beyond = split(solver)
    for path, text in (
        (_original(run, pasted), pasted.source.text),
        (run.train_val, write_text(train_val)),
        (run.solver, heading(beyond) + write_text(plain)),
        (run.deploy, write_text(deploy.definition.net)),
    ):
        write_atomic(path, text.encode())
