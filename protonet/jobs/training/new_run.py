"""The files of a new run: what a pasted network and databases become."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from protonet.blob import Shape
from protonet.data.create import Progress, compute_mean
from protonet.data.database import DATA_FILE, Database, check_pairs
from protonet.data.datum import decode
from protonet.data.transform import load_mean
from protonet.errors import DataError, NetworkError, UsageError
from protonet.formats.atomic import write_atomic
from protonet.formats.blobs import from_array
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.jobs.checks.objective import check_objective
from protonet.jobs.checks.pairing import refuse_swapped
from protonet.jobs.definitions.beyond_caffe import heading, split
from protonet.jobs.definitions.inputs import count_classes
from protonet.jobs.definitions.network import (
    Databases,
    Deploy,
    brings_mean,
    image_positions,
    lacks_outputs,
    make_deploy,
    make_train_val,
    only_validates,
    val_batch_size,
)
from protonet.jobs.definitions.paths import with_absolute_paths
from protonet.jobs.definitions.solver import PREFIX, make_solver
from protonet.jobs.definitions.solver_files import SolverFiles
from protonet.jobs.run.directory import RunDirectory, read_class_names
from protonet.jobs.run.fingerprint import Fingerprint, fingerprint, fingerprint_text
from protonet.jobs.run.record import RunRecord
from protonet.jobs.run.settings import RunSettings, SolverSettings
from protonet.layers.base import LayerContext
from protonet.layers.inputs import Data
from protonet.proto.caffe_pb2 import (
    TEST,
    TRAIN,
    NetParameter,
    SolverParameter,
    TransformationParameter,
)
from protonet.proto.text import NetDefinition, write_text
from protonet.solvers.check import check_solver


def run_name(pasted: NetDefinition) -> str:
    """What a run of this network is called: the file's name, or the net's."""
    stem = Path(pasted.source.name).stem
    name = pasted.net.name if stem in ("<stdin>", "net", "train_val") and pasted.net.name else stem
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-") or "net"


def check_databases(settings: RunSettings) -> list[str]:
    """Open every database, and check that images and labels pair up; returns what to tell.

    Raises:
        DataError: for a database that cannot be used, or labels of other images.
    """
    notes = []
    for images, labels in (
        (settings.data, settings.labels),
        (settings.val_data, settings.val_labels),
    ):
        if images is None:
            continue
        with Database(images) as left:
            if labels is not None:
                with Database(labels) as right:
                    refuse_swapped(left, right)
                    notes.append(check_pairs(left, right, by_position=settings.by_position))
            else:
                left.first()
    return [note for note in notes if note]


def _refuse_mean(settings: RunSettings) -> None:
    """A mean that was given must have the size of the images: told by its own name, not by that
    of the copy in the run.
    """
    if settings.mean in (None, "none"):
        return
    mean = load_mean(Path(str(settings.mean)))
    for path in (settings.data, settings.val_data):
        if path is None:
            continue
        shape = _image_shape(path)
        if mean.shape != shape:
            found, expected = ("x".join(map(str, each)) for each in (shape, mean.shape))
            raise DataError(
                f"{settings.mean}: the mean is {expected}, but the images of {path} are {found}; "
                "they must have one size"
            )


def _refuse_sizes(settings: RunSettings) -> None:
    """A mean of the training images is of no use for validation images of another size."""
    if settings.val_data is None:
        return
    found, expected = (
        "x".join(map(str, _image_shape(path))) for path in (settings.val_data, settings.data)
    )
    if found != expected:
        raise DataError(
            f"{settings.val_data}: its images are {found}, but those of {settings.data} are "
            f"{expected}; they must have one size"
        )


def _image_shape(path: Path) -> Shape:
    """Channels, height and width of the first image of a database."""
    with Database(path) as database:
        key, datum = database.first()
        return decode(datum, database.where(key)).shape


def write_run(
    run: RunDirectory,
    pasted: NetDefinition,
    settings: RunSettings,
    progress: Progress | None = None,
) -> tuple[SolverFiles, list[str]]:
    """Write the texts of the run, run.json last; return its nets and what to tell the user."""
    train_val, notes = _train_val(run, pasted, settings, progress)
    context = layer_context(run, settings)
    plan = plan_net(train_val, phase=TRAIN, stages=["train"], context=context)
    try:
        check_objective(plan, pasted)
        images = _images(plan, pasted)
        deploy = make_deploy(train_val, images.transformer.output_shape)
        plan_net(deploy.definition, phase=TEST, stages=["deploy"], context=context).close()
        transform = keep_transform(run, images)
        train_size = (images.length, images.batch_size)
    finally:
        plan.close()
    solver = make_solver(settings, train_size, _val_size(train_val.net, settings))
    check_solver(solver)
    _write_texts(run, pasted, train_val.net, solver, deploy)
    run.write(
        RunRecord(
            settings=settings.absolute(),
            prefix=PREFIX,
            name=run.path.name,
            beyond=split(solver)[1],
            texts=(fingerprint_text(pasted.source),),
            databases=fingerprints(databases_of([train_val.net])),
            **transform,
        )
    )
    return SolverFiles.of(solver, train_val, run.path), pruned_note(deploy.pruned) + notes


def layer_context(run: RunDirectory, settings: RunSettings | SolverSettings) -> LayerContext:
    """What the layers of a run may know of it."""
    if isinstance(settings, SolverSettings):
        return LayerContext(
            run.path,
            0 if settings.seed is None else settings.seed,
            python_layers=settings.python_layers,
        )
    return LayerContext(
        run.path,
        settings.seed,
        settings.shuffle,
        settings.threads,
        python_layers=settings.python_layers,
    )


def databases_of(nets: Iterable[NetParameter]) -> list[str]:
    """The sources of the nets' data layers, each once."""
    sources = [layer.data_param.source for net in nets for layer in net.layer]
    return list(dict.fromkeys(source for source in sources if source))


def fingerprints(databases: Iterable[str]) -> tuple[Fingerprint, ...]:
    """What run.json keeps of the databases, to tell later whether they have changed."""
    folders = [Path(source) for source in databases]
    return tuple(fingerprint(folder) for folder in folders if (folder / DATA_FILE).is_file())


def image_layers(plan: Plan) -> list[Data]:
    """The Data layers that bring images, not label vectors."""
    layers = [step.layer for step in plan.steps if isinstance(step.layer, Data)]
    return [layers[at] for at in image_positions([layer.spec for layer in layers])]


def keep_transform(run: RunDirectory, images: Data) -> dict[str, Any]:
    """What inference needs to treat an image as training did, for run.json.

    The mean is copied into the run.
    """
    transform = TransformationParameter()
    transform.CopyFrom(images.spec.transform_param)
    if transform.mean_file:
        found = images.context.find(transform.mean_file)
        if found.resolve() != run.mean.resolve():
            _copy_mean(found, run.mean)
        transform.mean_file = run.mean.name
    return {"transform": write_text(transform), "image_shape": images.transformer.shape}


def pruned_note(pruned: Sequence[str]) -> list[str]:
    """What to tell of layers that the deploy net lacks."""
    if not pruned:
        return []
    names = ", ".join(f'"{name}"' for name in pruned)
    return [f"left out of deploy.prototxt, since they need labels: {names}"]


def _train_val(
    run: RunDirectory,
    pasted: NetDefinition,
    settings: RunSettings,
    progress: Progress | None,
) -> tuple[NetDefinition, list[str]]:
    """The net of training and validation, and what to tell of how it was made."""
    settled = with_absolute_paths(pasted, Path(pasted.source.name).parent)
    val = _databases(settings.val_data, settings.val_labels) if settings.val_data else None
    named = _keep_class_names(run, settings)
    classes, notes = None, []
    if lacks_outputs(pasted.net) and settings.labels is None:
        classes = named if named else count_classes(settings.data)
        notes.append(f"num_output was left out: set to the {classes} classes of the data")
    lost = only_validates(pasted.net) if val is None else []
    if lost:
        names = ", ".join(f'"{name}"' for name in lost)
        notes.append(f"no --val-data, so there is no validation; left out: {names}")
    train_val = make_train_val(
        settled,
        _databases(settings.data, settings.labels),
        val,
        batch_size=settings.batch_size,
        mean_file=_keep_mean(run, pasted.net, settings, progress),
        replace_mean=settings.mean is not None,
        classes=classes,
    )
    if not train_val.net.name:
        train_val.net.name = run_name(pasted)
    return train_val, notes


def _databases(images: Path, labels: Path | None) -> Databases:
    return Databases(str(images.resolve()), str(labels.resolve()) if labels is not None else None)


def _keep_class_names(run: RunDirectory, settings: RunSettings) -> int:
    """Keep the labels.txt that lies in or beside the images' database; return its names."""
    if settings.labels is not None:
        return 0
    for folder in (settings.data, settings.data.resolve().parent):
        found = folder / run.labels.name
        if found.is_file():
            names = read_class_names(found)
            write_atomic(run.labels, "".join(f"{name}\n" for name in names).encode())
            return len(names)
    return 0


def _keep_mean(
    run: RunDirectory, net: NetParameter, settings: RunSettings, progress: Progress | None
) -> str | None:
    """The mean of the run as a file of its own; None for a run without one."""
    if settings.mean == "none" or (settings.mean is None and brings_mean(net)):
        return None
    resized = any(layer.transform_param.HasField("resize_param") for layer in net.layer)
    if settings.mean is None:
        if not resized:
            _refuse_sizes(settings)
        mean = compute_mean(settings.data, progress)
        write_atomic(run.mean, from_array(mean[None]).SerializeToString())
    else:
        _copy_mean(Path(settings.mean), run.mean)
        if not resized:
            _refuse_mean(settings)
    return str(run.mean.resolve())


def _copy_mean(source: Path, target: Path) -> None:
    """Copy a mean; one that NumPy wrote becomes a .binaryproto."""
    try:
        data = source.read_bytes()
    except OSError as error:
        raise UsageError(f"{source}: cannot be read: {error.strerror}") from error
    if source.suffix == ".npy":
        data = from_array(load_mean(source)[None]).SerializeToString()
    write_atomic(target, data)


def _images(plan: Plan, pasted: NetDefinition) -> Data:
    """The layer that brings the images of training.

    Raises:
        NetworkError: for a network that makes its own.
    """
    layers = image_layers(plan)
    if not layers:
        raise NetworkError(
            f"{pasted.source.name}: the network makes 'data' itself, so the images of --data "
            "would not be used; leave out the layer that makes it"
        )
    return layers[0]


def _val_size(net: NetParameter, settings: RunSettings) -> tuple[int, int] | None:
    """Records and batch size of the validation; None without one."""
    if settings.val_data is None:
        return None
    with Database(settings.val_data) as database:
        return len(database), val_batch_size(net)


def _write_texts(
    run: RunDirectory,
    pasted: NetDefinition,
    train_val: NetParameter,
    solver: SolverParameter,
    deploy: Deploy,
) -> None:
    plain, beyond = split(solver)
    for path, text in (
        (run.original, pasted.source.text),
        (run.train_val, write_text(train_val)),
        (run.solver, heading(beyond) + write_text(plain)),
        (run.deploy, write_text(deploy.definition.net)),
    ):
        write_atomic(path, text.encode())
