"""Prediction with a trained run or a downloaded model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from protonet.data.transform import Transformer, load_mean
from protonet.device import Device
from protonet.errors import FormatError, NetworkError, UsageError
from protonet.jobs.inference.digits_model import open_digits_model
from protonet.jobs.inference.predictor import ImagePredictor
from protonet.jobs.run.archive import holds_model, unpacked
from protonet.jobs.run.directory import RunDirectory
from protonet.proto.caffe_pb2 import TEST, TransformationParameter
from protonet.proto.text import Source, parse


class Predictor(ImagePredictor):
    """The deploy net of a run with the weights of one of its snapshots.

    Images pass the same ``Transformer`` as in training, without augmentation. Close it, or use
    ``with``.

    Args:
        run: the run directory.
        snapshot: an iteration, ``"last"``, or ``"best"``: the lowest validation loss, or the
            highest validation accuracy where there is one.
        device: by default the CPU.
        memory_limit: in bytes; None for no limit.
        python_layers: whether the net may have layers that run code; by default as in training.
        fuse: whether layers are fused; by default as in training.
        precision: as of ``ImagePredictor``, whatever the training had.

    Raises:
        DeviceError: when one image exceeds the limit.
        UsageError: when the run has no such snapshot, or no deploy net.
        FormatError: when the snapshot is damaged or incomplete.
    """

    iteration: int
    class_names: list[str] | None

    def __init__(
        self,
        run: RunDirectory,
        snapshot: int | str = "last",
        device: Device | None = None,
        *,
        python_layers: bool | None = None,
        memory_limit: int | None = None,
        fuse: bool | None = None,
        precision: str | None = None,
    ) -> None:
        record = run.record()
        if not run.deploy.exists() or record.transform is None or record.image_shape is None:
            raise UsageError(f"{run.path}: this run has no deploy.prototxt for inference")
        self.run = run
        iteration = choose_snapshot(run, snapshot)
        self.shape = record.image_shape
        transform = _transform_of(run, record.transform)
        mean = load_mean(run.path / transform.mean_file) if transform.mean_file else None
        super().__init__(
            Source.read(run.deploy),
            run.snapshots().best_model(iteration),
            Transformer(transform, TEST, self.shape, mean),
            device,
            memory_limit=memory_limit,
            fuse=record.settings.fuse if fuse is None else fuse,
            python_layers=(
                record.settings.python_layers if python_layers is None else python_layers
            ),
            precision=precision,
        )
        self.iteration, self.class_names = iteration, run.class_names()
        self.pixel_classes = run.pixel_classes()


@contextmanager
def open_trained(
    path: Path,
    snapshot: str = "last",
    device: Device | None = None,
    *,
    memory_limit: int | None = None,
    fuse: bool | None = None,
    python_layers: bool | None = None,
    precision: str | None = None,
) -> Iterator[ImagePredictor]:
    """A predictor from a run or a DIGITS model, an archive or a folder, as a context manager.

    ``python_layers`` None allows them except in archives, which may be untrusted.

    Raises:
        ProtonetError: as ``unpacked``, ``Predictor`` and ``open_digits_model``.
    """
    more: Any = {"memory_limit": memory_limit, "precision": precision}
    with unpacked(path) as folder:
        if python_layers is None and folder != path:
            python_layers = False
        if holds_model(folder):
            more |= {"python_layers": python_layers is not False, "fuse": fuse is not False}
            predictor = open_digits_model(folder, snapshot, device, **more)
        else:
            more |= {"python_layers": python_layers, "fuse": fuse}
            predictor = Predictor(RunDirectory.open(folder), snapshot, device, **more)
        with predictor:
            yield predictor


def choose_snapshot(run: RunDirectory, which: int | str) -> int:
    """The iteration of the snapshot that ``which`` names.

    Raises:
        UsageError: when there is none; lists the existing ones.
    """
    complete = run.iterations()
    if not complete:
        raise UsageError(f"{run.path}: this run has no snapshot yet")
    if which == "last":
        return complete[-1]
    if which == "best":
        return run.best(complete)
    if str(which).isdigit() and int(which) in complete:
        return int(which)
    known = ", ".join(map(str, complete))
    raise UsageError(f"{run.path}: no snapshot '{which}'; there are {known}, last and best")


def _transform_of(run: RunDirectory, text: str) -> TransformationParameter:
    """The transform_param of training."""
    try:
        return parse(Source("transform", text), TransformationParameter)
    except NetworkError as error:
        raise FormatError(f"{run.info}: damaged: {error}") from error
