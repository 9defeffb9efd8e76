"""The validation net of a run, on its own validation data or on other databases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from protonet.data.database import Database
from protonet.data.datum import decode
from protonet.data.transform import ImageShape
from protonet.errors import DataError, UsageError
from protonet.jobs.checks.pairing import refuse_swapped
from protonet.jobs.definitions.box_checks import check_boxes
from protonet.jobs.definitions.boxes import BoxFiles, put_files, reads_boxes
from protonet.jobs.definitions.network import DATA, TRAIN_STATE, image_positions, plain_transform
from protonet.jobs.definitions.paths import databases_of
from protonet.jobs.definitions.solver_files import SolverFiles, State
from protonet.jobs.inference.open_net import NetOptions
from protonet.jobs.inference.trained_run import choose_snapshot
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.mean import find_copies
from protonet.jobs.run.record import RunRecord
from protonet.proto import rules
from protonet.proto.caffe_pb2 import TEST, LayerParameter
from protonet.proto.text import NetDefinition

_VALIDATION: State = {"level": 0, "stages": ["val"]}


@dataclass(frozen=True)
class Evaluated:
    """A net in phase TEST, the options with which ``open_net`` builds it as the run does, the
    iteration of its weights, and notes for the user.
    """

    definition: NetDefinition
    net_options: NetOptions
    iteration: int
    notes: tuple[str, ...] = ()


def evaluated(
    run: RunDirectory,
    snapshot: int | str = "last",
    data: Path | None = None,
    labels: Path | None = None,
    name_sizes: Path | None = None,
) -> Evaluated:
    """The first test net of a run, with its mean and the weights of a snapshot.

    ``data`` and ``labels`` replace the run's own databases; ``name_sizes`` has name, height and
    width of each image with boxes in ``data``, None for a file beside it.

    Raises:
        UsageError: for a run without such a snapshot, or without validation if ``data`` is None;
        for another kind of labels than in training.
        DataError: for databases that no longer exist, or have images of another size.
    """
    for option, given in (("--labels", labels), ("--name-sizes", name_sizes)):
        if given is not None and data is None:
            raise UsageError(f"{option} goes with --data, the images that they belong to")
    record = run.record()
    files = SolverFiles.read(run.solver, beside=True)
    definition, state = files.tests[0] if files.tests else (files.train, _VALIDATION)
    kept = rules.in_state(definition, TEST, **state)
    if data is not None:
        if not _data_layers(kept):
            kept = _with_training_data(kept, files.train)
        _redirect(kept, run, record.image_shape, data, labels)
        _take_sizes(kept, data, labels, name_sizes)
    find_copies(run, [kept.net])
    _check(kept, run, files)
    iteration = choose_snapshot(run, snapshot)
    notes = [f"weights of iteration {iteration}"]
    if len(files.tests) > 1:
        notes.append(f"the first of the run's {len(files.tests)} test nets")
    weights = str(run.snapshots().best_model(iteration))
    return Evaluated(kept, _net_options(record, state, weights), iteration, tuple(notes))


def _net_options(record: RunRecord, state: State, weights: str) -> NetOptions:
    return NetOptions(
        phase=TEST,
        level=state["level"],
        stages=tuple(state["stages"]),
        weights=weights,
        fuse=record.settings.fuse,
        python_layers=record.settings.python_layers,
    )


def _data_layers(definition: NetDefinition) -> list[LayerParameter]:
    return [layer for layer in definition.net.layer if layer.type in DATA]


def _with_training_data(kept: NetDefinition, train: NetDefinition) -> NetDefinition:
    """The net with the data layers of training, which in phase TEST augment nothing."""
    brought = _data_layers(rules.keep_layers(train, TRAIN_STATE))
    for layer in brought:
        layer.ClearField("include")
        layer.ClearField("exclude")
        if layer.type == "AnnotatedData":
            layer.annotated_data_param.ClearField("batch_sampler")
        plain_transform(layer.transform_param)
    return kept.with_layers([*brought, *kept.net.layer], [*[()] * len(brought), *kept.origins])


def _redirect(
    kept: NetDefinition,
    run: RunDirectory,
    shape: ImageShape | None,
    data: Path,
    labels: Path | None,
) -> None:
    """Set the sources of the data layers to other databases."""
    layers = _data_layers(kept)
    images = image_positions(layers)
    others = [layer for at, layer in enumerate(layers) if at not in images]
    if not images:
        raise UsageError(f"{run.path}: its test net has no Data layer of images to read {data}")
    if others and labels is None:
        raise UsageError(
            f"{run.path}: reads labels from a database of their own; "
            f"give that of {data} with --labels"
        )
    if labels is not None and not others:
        raise UsageError(
            f"{run.path}: reads the labels from the records of its images; omit --labels"
        )
    _check_images(data, labels, layers[images[0]], shape)
    for at in images:
        layers[at].data_param.source = str(data.resolve())
    for layer in others:
        layer.data_param.source = str(Path(str(labels)).resolve())


def _take_sizes(
    kept: NetDefinition, data: Path, labels: Path | None, name_sizes: Path | None
) -> None:
    """Compare boxes in pixels of these images, or in fractions where their sizes are not known."""
    check_boxes(kept, data, labels)
    if not reads_boxes(kept.net):
        if name_sizes is not None:
            raise UsageError("the run's test net reads no boxes; omit --name-sizes")
        return
    for layer in kept.net.layer:
        if layer.type == "DetectionEvaluate":
            layer.detection_evaluate_param.ClearField("name_size_file")
    put_files(kept.net.layer, BoxFiles.find(data, data, name_sizes=name_sizes))


def _check_images(
    data: Path, labels: Path | None, layer: LayerParameter, shape: ImageShape | None
) -> None:
    """Refuse images of another size than in training if the layer does not crop."""
    with Database(data) as images:
        if labels is not None:
            with Database(labels) as vectors:
                refuse_swapped(images, vectors)
        key, datum = images.first()
        found = decode(datum, images.where(key)).shape
    transform = layer.transform_param
    even = transform.HasField("resize_param") or (transform.crop_size and not transform.mean_file)
    expected = found if shape is None else shape
    if found != expected and not even:
        sizes = ["x".join(map(str, each)) for each in (found, expected)]
        raise DataError(
            f"{data}: its images are {sizes[0]} (channels, height, width), but the run learned "
            f"from {sizes[1]}; make a database of images of that size"
        )


def _check(kept: NetDefinition, run: RunDirectory, files: SolverFiles) -> None:
    """Check that there is validation data, and that its databases still exist."""
    if not files.tests and not _data_layers(kept):
        raise UsageError(
            f"{run.path}: has no validation data; give a database to test on: --data, and --labels "
            "if it learned vectors"
        )
    for source in databases_of([kept.net]):
        if not Path(source).exists():
            raise DataError(
                f"{source}: the run's database no longer exists; give its new path, or another "
                "database to test on, with --data (and --labels)"
            )
