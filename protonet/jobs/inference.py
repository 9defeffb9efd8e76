"""Asking a trained net about images: everything comes from the run directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from google.protobuf import text_format

from protonet.data.datum import decode_image
from protonet.data.transform import Transformer, load_mean
from protonet.device import Device
from protonet.errors import DataError, UsageError
from protonet.formats.caffemodel import read_weights
from protonet.graph.net import Net
from protonet.graph.plan import plan_net
from protonet.jobs.run import RunDirectory
from protonet.proto.caffe_pb2 import TEST, TransformationParameter
from protonet.proto.text import Source, read_net
from protonet.train.listeners import read_metrics

_BATCH = 16


@dataclass(frozen=True)
class Prediction:
    """What the net says of one image: its outputs by blob name, and what had to be done to the
    image ("" when nothing).
    """

    image: Path
    outputs: dict[str, np.ndarray]
    note: str = ""


class Predictor:
    """The deploy net of a run with the weights of one of its snapshots.

    Images go through the same ``Transformer`` as in training.

    Args:
        run: the run directory.
        snapshot: an iteration, ``"last"``, or ``"best"``: the lowest validation loss, or the
            highest validation accuracy where there is one.
        device: where it runs.

    Raises:
        UsageError: when the run has no such snapshot, or no deploy net.
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
        self.shape = tuple(info["image_shape"])
        transform = text_format.Parse(info["transform"], TransformationParameter())
        transform.ClearField("mirror")
        mean = load_mean(run.path / transform.mean_file) if transform.mean_file else None
        self.transformer = Transformer(transform, TEST, self.shape, mean)
        self.class_names = run.labels.read_text().splitlines() if run.labels.exists() else None
        model = run.snapshots().model(self.iteration)
        self._weights = read_weights(model)
        self._model = str(model)
        self._nets: dict[int, Net] = {}

    def predict(self, images: Sequence[Path]) -> list[Prediction]:
        """Ask about image files, some at a time.

        Raises:
            DataError: naming the first file that is absent, no image, or damaged.
        """
        loaded = [self._load(Path(image)) for image in images]
        out: list[Prediction] = []
        for start in range(0, len(loaded), _BATCH):
            part = loaded[start : start + _BATCH]
            net = self._net(len(part))
            (given,) = net.plan.inputs
            batch = np.empty(net.blobs[given.name].shape, np.float32)
            for place, (_, array, _note) in enumerate(part):
                self.transformer.apply(array, batch[place])
            self.device.put(batch, net.blobs[given.name].data)
            net.forward()
            outputs = [(name, values) for name, values, _ in net.outputs()]
            for place, (path, _, note) in enumerate(part):
                answers = {name: values[place] for name, values in outputs if values.ndim}
                out.append(Prediction(path, answers, note))
        return out

    def _load(self, path: Path) -> tuple[Path, np.ndarray, str]:
        """An image file as the data's shape, and what was done to it."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        channels, height, width = self.shape
        array = decode_image(data, str(path), color=channels == 3)
        if array.shape == self.shape:
            return path, array, ""
        note = f"resized from {array.shape[2]}x{array.shape[1]} to {width}x{height}"
        return path, _resize(array, width, height), note

    def _net(self, count: int) -> Net:
        """The deploy net for a batch of this size."""
        if count not in self._nets:
            definition = read_net(Source.read(self.run.deploy))
            definition.net.layer[0].input_param.shape[0].dim[0] = count
            plan = plan_net(definition, phase=TEST, stages=["deploy"])
            net = Net(plan, self.device, share_memory=True)
            net.load(self._weights, self._model)
            self._nets[count] = net
        return self._nets[count]


def _resize(array: np.ndarray, width: int, height: int) -> np.ndarray:
    """A uint8 (channels, height, width) image in another size, each channel bilinearly."""
    from PIL import Image

    planes = [
        np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR))
        for plane in array
    ]
    return np.stack(planes)


def choose_snapshot(run: RunDirectory, which: int | str) -> int:
    """The iteration of the snapshot that ``which`` names.

    Raises:
        UsageError: when there is none; names those that there are.
    """
    complete = run.snapshots().complete()
    if not complete:
        raise UsageError(f"{run.path}: this run has no snapshot yet")
    if which == "last":
        return complete[-1]
    if which == "best":
        return _best(run, complete)
    if str(which).isdigit() and int(which) in complete:
        return int(which)
    known = ", ".join(map(str, complete))
    raise UsageError(f"{run.path}: no snapshot '{which}'; there are {known}, last and best")


def _best(run: RunDirectory, complete: Sequence[int]) -> int:
    """The snapshot with the best validation figure; the last one where nothing was validated."""
    figures: list[tuple[float, int]] = []
    for line in read_metrics(run.metrics):
        if line["event"] != "tested" or line["net"] != 0 or line["iteration"] not in complete:
            continue
        accuracy = line["outputs"].get("accuracy")
        figure = -accuracy if isinstance(accuracy, float) else line["loss"]
        if figure is not None:
            figures.append((figure, line["iteration"]))
    return min(figures)[1] if figures else complete[-1]
