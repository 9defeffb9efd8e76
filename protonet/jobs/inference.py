"""Asking a trained net about images: everything comes from the run directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from google.protobuf import text_format

from protonet.data.datum import decode_image
from protonet.data.transform import ImageShape, Transformer, load_mean
from protonet.device import Device
from protonet.errors import DataError, FormatError, NetworkError, UsageError
from protonet.formats.caffemodel import read_weights
from protonet.graph.net import Net
from protonet.graph.plan import Plan, plan_net
from protonet.jobs.run import RunDirectory
from protonet.proto.caffe_pb2 import TEST, TransformationParameter
from protonet.proto.text import Source, read_net

_BATCH = 16


@dataclass(frozen=True)
class Prediction:
    """What the net says of one image: its outputs by blob name, and what had to be done to the
    image ("" when nothing).
    """

    image: Path
    outputs: dict[str, np.ndarray]
    note: str = ""


@dataclass(frozen=True)
class _Loaded:
    """An image as the data's shape, uint8, and what was done to it."""

    path: Path
    pixels: np.ndarray
    note: str


class Predictor:
    """The deploy net of a run with the weights of one of its snapshots.

    Images go through the same ``Transformer`` as in training; nothing is random. Close it, or use
    ``with``.

    Args:
        run: the run directory.
        snapshot: an iteration, ``"last"``, or ``"best"``: the lowest validation loss, or the
            highest validation accuracy where there is one.
        device: where it runs; by default the CPU.

    Raises:
        UsageError: when the run has no such snapshot, or no deploy net.
        FormatError: when the snapshot is damaged, or lacks weights of the deploy net.
    """

    def __init__(
        self, run: RunDirectory, snapshot: int | str = "last", device: Device | None = None
    ) -> None:
        info = run.read()
        if not run.deploy.exists() or "transform" not in info:
            raise UsageError(f"{run.path}: this run has no deploy.prototxt to ask")
        self.run = run
        self.iteration = choose_snapshot(run, snapshot)
        self.device = device if device is not None else Device()
        channels, height, width = info["image_shape"]
        self.shape: ImageShape = (channels, height, width)
        transform = text_format.Parse(info["transform"], TransformationParameter())
        mean = load_mean(run.path / transform.mean_file) if transform.mean_file else None
        self.transformer = Transformer(transform, TEST, self.shape, mean)
        self.class_names = run.class_names()
        self._model = run.snapshots().best_model(self.iteration)
        self._weights = read_weights(self._model)
        self._nets: dict[int, Net] = {}
        self._most = _BATCH if _works_in_batches(run) else 1

    def __enter__(self) -> Predictor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the nets."""
        for net in self._nets.values():
            net.close()
        self._nets.clear()

    def predict(self, images: Sequence[Path]) -> list[Prediction]:
        """Ask about image files, several in one pass where the net allows it.

        Raises:
            DataError: naming the first file that is absent, no image, or damaged.
        """
        out: list[Prediction] = []
        for start in range(0, len(images), self._most):
            loaded = [self._load(Path(image)) for image in images[start : start + self._most]]
            out += self._ask(loaded)
        return out

    def _ask(self, images: Sequence[_Loaded]) -> list[Prediction]:
        net = self._net(len(images))
        (given,) = net.plan.inputs
        blob = net.blobs[given.name]
        batch = np.empty(blob.shape, np.float32)
        for place, image in enumerate(images):
            self.transformer.apply(image.pixels, batch[place])
        self.device.put(batch, blob.data)
        net.forward()
        outputs = {name: values for name, values, _ in net.outputs()}
        return [
            Prediction(
                image.path,
                {name: _of_image(values, place, len(images)) for name, values in outputs.items()},
                image.note,
            )
            for place, image in enumerate(images)
        ]

    def _load(self, path: Path) -> _Loaded:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        channels, height, width = self.shape
        if channels not in (1, 3):
            raise DataError(
                f"{path}: the run was trained on data of {channels} channels, which no image has"
            )
        pixels = decode_image(data, str(path), color=channels == 3)
        if pixels.shape == self.shape:
            return _Loaded(path, pixels, "")
        note = f"resized from {pixels.shape[2]}x{pixels.shape[1]} to {width}x{height}"
        return _Loaded(path, _resize(pixels, width, height), note)

    def _net(self, count: int) -> Net:
        """The deploy net for a batch of this size."""
        if count not in self._nets:
            net = Net(_plan(self.run, count), self.device, share_memory=True)
            report = net.load(self._weights, str(self._model))
            if report.absent:
                raise FormatError(
                    f"{self._model}: has no weights for {', '.join(report.absent)} "
                    f"of {self.run.deploy}"
                )
            self._nets[count] = net
        return self._nets[count]


def choose_snapshot(run: RunDirectory, which: int | str) -> int:
    """The iteration of the snapshot that ``which`` names.

    Raises:
        UsageError: when there is none; names those that there are.
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


def _plan(run: RunDirectory, count: int) -> Plan:
    """The deploy net for a batch of ``count`` images."""
    definition = read_net(Source.read(run.deploy))
    definition.net.layer[0].input_param.shape[0].dim[0] = count
    return plan_net(definition, phase=TEST, stages=["deploy"])


def _works_in_batches(run: RunDirectory) -> bool:
    """Whether every output grows with the batch; a Reshape to fixed axes forbids it."""
    one = _plan(run, 1)
    try:
        two = _plan(run, 2)
    except NetworkError:
        return False
    return all(
        a.shape is not None and a.shape[:1] == (1,) and b.shape == (2, *a.shape[1:])
        for a, b in zip(one.outputs, two.outputs, strict=True)
    )


def _of_image(values: np.ndarray, place: int, count: int) -> np.ndarray:
    """An output's part of one of ``count`` images; all of it where it has no axis for images."""
    part: np.ndarray = values[place] if values.shape[:1] == (count,) else values
    return part


def _resize(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """A uint8 (channels, height, width) image in another size, each channel bilinearly."""
    from PIL import Image

    planes = [
        np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR))
        for plane in pixels
    ]
    return np.stack(planes)
