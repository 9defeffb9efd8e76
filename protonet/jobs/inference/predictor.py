"""Prediction for image files, with a net from any source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from protonet.blob import Shape
from protonet.data.class_table import ClassTable
from protonet.data.image_file import LoadedImage, fitted, load_image, shown_window
from protonet.data.transform import Draw, Transformer, ten_crops
from protonet.device import Device
from protonet.errors import DataError, UsageError
from protonet.formats.caffemodel import Weights, open_weights
from protonet.jobs.inference.deployed import DeployNets, deploy_net
from protonet.proto.caffe_pb2 import LayerParameter
from protonet.proto.text import NetDefinition, Source

Failed = Callable[[Path, DataError], None]
"""Called for each image that cannot be read."""


@dataclass(frozen=True)
class Prediction:
    """The net's outputs for one image by blob name, a note on how the image was resized ("" for
    not at all), and height and width of its file.
    """

    image: Path
    outputs: dict[str, np.ndarray]
    note: str = ""
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Activations:
    """A prediction with the activations of all layers.

    ``seen`` is the preprocessed input; ``blobs`` are (layer, type, blob, values) in the order of
    computation, also after each in-place layer; ``weights`` are (layer/0, values).
    """

    prediction: Prediction
    seen: np.ndarray
    blobs: tuple[tuple[str, str, str, np.ndarray], ...]
    weights: tuple[tuple[str, np.ndarray], ...]


class ImagePredictor:
    """A net of one input with its weights, for prediction on image files.

    Images are decoded, resized to the transformer's shape as for databases, unless it resizes them
    itself, and pass the ``Transformer`` of training, without augmentation. Close it, or use
    ``with``.

    Args:
        source: the net at phase TEST, stage "deploy".
        weights: the file of weights, or the weights themselves, from the file of ``source``.
        transformer: preprocessing of images of its ``shape``.
        device: by default the CPU.
        channels: which channel of blue, green, red each input channel is; by default as they are.
        memory_limit: bytes that it may take; images then go in smaller batches, where need be.
        python_layers: whether the net may have layers that run code.
        fuse: whether layers compute those behind them.
        fit: how images are resized, one of ``data.resize.RESIZE_MODES``.
        deploy: ``deploy_net`` of the source, if it has been read.
        precision: the type of blobs, of ``PRECISIONS``, where 16 bits suffice; None for float32,
            and 8-bit integers with quantized weights.

    Raises:
        DeviceError: when one image exceeds the limit, before anything is read.
        NetworkError, UsageError: for a net that cannot predict on images.
        FormatError: when the weights are damaged or incomplete.
    """

    iteration: int | None = None
    """Of the weights, if known."""
    class_names: Sequence[str] | None = None
    pixel_classes: ClassTable | None = None
    """The class table of a segmentation, if known."""
    note: str = ""
    """What the user should know of the net; "" for nothing."""

    def __init__(
        self,
        source: Source,
        weights: Path | Weights,
        transformer: Transformer,
        device: Device | None = None,
        channels: Sequence[int] | None = None,
        *,
        python_layers: bool = True,
        memory_limit: int | None = None,
        fuse: bool = True,
        fit: str = "squash",
        deploy: tuple[NetDefinition, LayerParameter] | None = None,
        precision: str | None = None,
    ) -> None:
        self.source = source
        self.precision = precision
        self._fit = fit
        device = device if device is not None else Device()
        self._nets = DeployNets(
            source,
            deploy if deploy is not None else deploy_net(source),
            device,
            python_layers=python_layers,
            memory_limit=memory_limit,
            fuse=fuse,
        )
        self.definition = self._nets.definition
        self.transformer = transformer
        self.device = device
        self._order = list(channels) if channels is not None else None
        if isinstance(weights, Path):
            self._nets.use(open_weights(weights), str(weights))
        else:
            self._nets.use(weights, source.name)
        self.note = self._nets.note
        self._crops: tuple[Draw | None, ...] = (None,)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the nets."""
        self._nets.close()

    @property
    def outputs(self) -> dict[str, Shape]:
        """The outputs of the net and their shapes for a batch of one image."""
        return {value.name: value.shape for value in self._nets.plan(1).outputs}

    @property
    def output_types(self) -> dict[str, str]:
        """The outputs of the net and the types of the layers that compute them."""
        plan = self._nets.plan(1)
        return {value.name: plan.steps[value.producer].type for value in plan.outputs}

    def oversample(self) -> None:
        """Average predictions over ten crops of every image from now on.

        Raises:
            UsageError: when images are not larger than the net's input.
        """
        image, crop = self.transformer.shape[1:], self.transformer.output_shape[1:]
        if image == crop:
            raise UsageError(
                f"ten crops need images larger than the net's input, but both are "
                f"{crop[0]}x{crop[1]}; --images-dim HEIGHT,WIDTH makes them larger"
            )
        self._crops = tuple(ten_crops(image, crop))

    def predict(self, images: Sequence[Path]) -> list[Prediction]:
        """Predict on image files, in batches if the net allows it.

        Raises:
            DataError: naming the first file that is absent, not an image, or damaged.
        """
        return list(self.stream(images))

    def stream(self, images: Sequence[Path], failed: Failed | None = None) -> Iterator[Prediction]:
        """Predictions one by one. With ``failed``, images that cannot be read are reported to it
        and skipped.

        Raises:
            DataError: as ``predict``, without ``failed``; and for a net whose input has neither 1
                nor 3 channels.
        """
        channels = self.transformer.shape[0]
        if channels not in (1, 3):
            raise DataError(
                f"{self.source.name}: takes data of {channels} channels, but images have 1 or 3"
            )
        many = max(1, self._nets.most(len(images) * len(self._crops)) // len(self._crops))
        for start in range(0, len(images), many):
            loaded = []
            for path in map(Path, images[start : start + many]):
                try:
                    loaded.append(self._read(path))
                except DataError as error:
                    if failed is None:
                        raise
                    failed(path, error)
            if loaded:
                yield from self._ask(loaded)

    def ask(self, images: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
        """The outputs for decoded images of the transformer's shape."""
        return [
            prediction.outputs
            for prediction in self._ask([LoadedImage(Path(), pixels) for pixels in images])
        ]

    def activations(self, image: Path) -> Activations:
        """Predict on one image file, with the activations of every layer.

        Raises:
            DataError: for a file that is absent, not an image, or damaged.
        """
        loaded = self._read(image)
        net = self._nets.with_all_blobs()
        try:
            blob = net.inputs[net.plan.inputs[0].name]
            seen = np.empty(blob.shape, np.float32)
            self.transformer.apply(loaded.pixels, seen[0], self._crops[0])
            self.device.put(seen, blob.data)
            blobs = []
            for index, step in enumerate(net.plan.steps):
                net.forward_step(index)
                arrays = [np.array(self.device.get(net.data_of(value))) for value in step.tops]
                blobs += [
                    (step.name, step.type, value.name, array)
                    for value, array in zip(step.tops, arrays, strict=True)
                ]
            weights = [
                (f"{layer.name}/{place}", np.array(self.device.get(param.data)))
                for layer in net.layers
                for place, param in enumerate(layer.params)
            ]
            outputs = {name: _of_image(values, 0, 1) for name, values, _ in net.outputs()}
        finally:
            net.close()
        return Activations(
            Prediction(image, outputs, loaded.note, loaded.size),
            seen[0],
            tuple(blobs),
            tuple(weights),
        )

    def _ask(self, images: Sequence[LoadedImage]) -> list[Prediction]:
        rows = [(image.pixels, crop) for image in images for crop in self._crops]
        answers: list[dict[str, np.ndarray]] = []
        most = self._nets.most(len(rows))
        for start in range(0, len(rows), most):
            answers += self._pass(rows[start : start + most])
        count = len(self._crops)
        return [
            Prediction(
                image.path,
                _mean(answers[place * count : (place + 1) * count]),
                image.note,
                image.size,
            )
            for place, image in enumerate(images)
        ]

    def _pass(self, rows: Sequence[tuple[np.ndarray, Draw | None]]) -> list[dict[str, np.ndarray]]:
        """One pass over crops of images; the outputs of each."""
        forward_pass = self._nets.forward_pass(len(rows), self.precision)
        net = forward_pass.net
        blob = net.inputs[net.plan.inputs[0].name]
        batch = np.empty(blob.shape, np.float32)
        for place, (pixels, crop) in enumerate(rows):
            self.transformer.apply(pixels, batch[place], crop)
        self.device.put(batch, blob.data)
        forward_pass.run()
        outputs = {name: values for name, values, _ in net.outputs()}
        return [
            {name: _of_image(values, place, len(rows)) for name, values in outputs.items()}
            for place in range(len(rows))
        ]

    def window(self, size: tuple[int, int]) -> np.ndarray:
        """What the net sees of an image of this height and width, as ``shown_window``."""
        return shown_window(size, self.transformer, self._fit)

    def fitted(self, pixels: np.ndarray) -> np.ndarray:
        """A decoded image as ``ask`` takes it."""
        return fitted(pixels, self.transformer, self._fit)

    def _read(self, path: Path) -> LoadedImage:
        return load_image(path, self.transformer, self._order, self._fit)


def _of_image(values: np.ndarray, place: int, count: int) -> np.ndarray:
    """The part of one of ``count`` images in an output; all of it without a batch axis."""
    part: np.ndarray = values[place] if values.shape[:1] == (count,) else values
    return part


def _mean(answers: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The outputs averaged over the crops of one image."""
    if len(answers) == 1:
        return answers[0]
    stacks = {name: np.stack([answer[name] for answer in answers]) for name in answers[0]}
    return {name: stack.mean(axis=0, dtype=np.float32) for name, stack in stacks.items()}
