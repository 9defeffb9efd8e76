"""The files of a new run: what a pasted network and databases become."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from protonet.data.create import compute_mean
from protonet.data.database import Database, check_pairs
from protonet.errors import UsageError
from protonet.formats.atomic import write_atomic
from protonet.formats.blobs import from_array
from protonet.graph.plan import Plan, plan_net
from protonet.jobs.network import (
    Databases,
    brings_images,
    lacks_outputs,
    make_deploy,
    make_train_val,
)
from protonet.jobs.run import RunDirectory, fingerprint
from protonet.jobs.settings import RunSettings
from protonet.jobs.solver import PREFIX, make_solver
from protonet.jobs.solver_files import SolverFiles
from protonet.layers.base import Surroundings
from protonet.layers.inputs import Data
from protonet.proto.caffe_pb2 import TEST, TRAIN, TransformationParameter
from protonet.proto.text import NetDefinition, Source, read_net, read_solver, write_text
from protonet.solvers.check import check_solver


def run_name(pasted: NetDefinition) -> str:
    """What a run of this network is called: the file's name, or the net's."""
    stem = Path(pasted.source.name).stem
    name = pasted.net.name if stem in ("<stdin>", "net", "train_val") and pasted.net.name else stem
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-") or "net"


def check_databases(settings: RunSettings) -> None:
    """Open every database, and check that images and labels pair up."""
    for images, labels in (
        (settings.data, settings.labels),
        (settings.val_data, settings.val_labels),
    ):
        if images is None:
            continue
        with Database(images) as left:
            if labels is not None:
                with Database(labels) as right:
                    check_pairs(left, right)
            else:
                left.first()


def write_run(
    run: RunDirectory, pasted: NetDefinition, settings: RunSettings
) -> tuple[SolverFiles, list[str]]:
    """Write the texts of the run; return its nets and what to tell the user."""
    mean = _write_mean(run, settings)
    train = _databases(settings.data, settings.labels)
    val = _databases(settings.val_data, settings.val_labels) if settings.val_data else None
    names = _copy_class_names(run, settings)
    classes = None
    if lacks_outputs(pasted.net) and settings.labels is None:
        classes = names if names else count_classes(settings.data)
    train_val = make_train_val(
        pasted,
        train,
        val,
        batch_size=settings.batch_size,
        mean_file=mean,
        replace_mean=settings.mean is not None,
        classes=classes,
    )
    if not train_val.net.name:
        train_val.net.name = run_name(pasted)
    around = Surroundings(run.path, settings.seed, settings.shuffle, settings.threads)
    plan = plan_net(train_val, phase=TRAIN, stages=["train"], around=around)
    try:
        images = image_layers(plan)[0]
        records, batch = images.length, images.batch_size
        deploy = make_deploy(train_val, images.transformer.output_shape)
        plan_net(deploy.definition, phase=TEST, stages=["deploy"]).close()
        write_atomic(run.original, pasted.source.text.encode())
        write_atomic(run.train_val, write_text(train_val.net).encode())
        write_atomic(run.deploy, write_text(deploy.definition.net).encode())
        run.update(
            kind="network",
            status="init",
            name=run.path.name,
            prefix=PREFIX,
            settings=settings.to_json(),
            databases=[
                fingerprint(Path(path))
                for path in (settings.data, settings.labels, settings.val_data, settings.val_labels)
                if path is not None
            ],
        )
        record_transform(run, images)
    finally:
        plan.close()
    val_size = None
    if val is not None:
        with Database(val.images) as database:
            val_size = (len(database), _val_batch(train_val, batch))
    solver = make_solver(settings, (records, batch), val_size)
    check_solver(solver)
    write_atomic(run.solver, write_text(solver).encode())
    notes = pruned_note(deploy.pruned)
    if classes is not None:
        notes.append(f"num_output was left out: set to the {classes} classes of the data")
    return SolverFiles.of(solver, train_val, run.path), notes


def files_of(run: RunDirectory) -> SolverFiles:
    """The nets of an existing run of a pasted network; a run that moved finds its own mean."""
    definition = read_net(Source.read(run.train_val))
    for layer in definition.net.layer:
        mean = layer.transform_param.mean_file
        if mean and not Path(mean).exists() and Path(mean).name == run.mean.name:
            layer.transform_param.mean_file = str(run.mean.resolve())
    return SolverFiles.of(read_solver(Source.read(run.solver)), definition, run.path)


def _databases(images: Path, labels: Path | None) -> Databases:
    return Databases(str(images.resolve()), str(labels.resolve()) if labels is not None else None)


def _val_batch(train_val: NetDefinition, default: int) -> int:
    """The batch size of the validation images."""
    sizes = [layer.data_param.batch_size for layer in train_val.net.layer if brings_images(layer)]
    return sizes[-1] if sizes else default


def _copy_class_names(run: RunDirectory, settings: RunSettings) -> int:
    """Keep the labels.txt that lies in or beside the images' database; return its lines."""
    if settings.labels is not None:
        return 0
    for folder in (settings.data, settings.data.parent):
        found = folder / run.labels.name
        if found.is_file():
            write_atomic(run.labels, found.read_bytes())
            return len(run.labels.read_text().splitlines())
    return 0


def count_classes(images: Path) -> int:
    """How many classes the labels of a database's records have: the greatest and one."""
    with Database(images) as database:
        return 1 + max(int(datum.label) for _, datum in database)


def _write_mean(run: RunDirectory, settings: RunSettings) -> str | None:
    """The mean of the run as a file of its own; None for a run without one."""
    if settings.mean == "none":
        return None
    if settings.mean is None:
        mean = compute_mean(settings.data)
        write_atomic(run.mean, from_array(mean[None]).SerializeToString())
    else:
        try:
            write_atomic(run.mean, Path(settings.mean).read_bytes())
        except OSError as error:
            raise UsageError(f"{settings.mean}: cannot be read: {error.strerror}") from error
    return str(run.mean.resolve())


def image_layers(plan: Plan) -> list[Data]:
    """The Data layers that bring images, not label vectors."""
    layers = [step.layer for step in plan.steps if isinstance(step.layer, Data)]
    return [layer for layer in layers if brings_images(layer.spec)]


def record_transform(run: RunDirectory, images: Data) -> None:
    """Keep what inference needs to treat an image as training did."""
    transform = TransformationParameter()
    transform.CopyFrom(images.spec.transform_param)
    if transform.mean_file:
        found = images.around.find(transform.mean_file)
        if found.resolve() != run.mean.resolve():
            write_atomic(run.mean, found.read_bytes())
        transform.mean_file = run.mean.name
    run.update(transform=write_text(transform), image_shape=list(images.transformer.shape))


def pruned_note(pruned: Sequence[str]) -> list[str]:
    """What to tell of layers that the deploy net lacks."""
    if not pruned:
        return []
    names = ", ".join(f'"{name}"' for name in pruned)
    return [f"left out of deploy.prototxt, since they need labels: {names}"]
