"""Image classification with nets from Caffe's files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from protonet.blob import Shape
from protonet.data.transform import ImageShape, Transformer, load_mean
from protonet.device import Device
from protonet.errors import DataError, UsageError
from protonet.jobs.inference.deployed import deploy_net, deploy_weights, read_deploy
from protonet.jobs.inference.predictor import ImagePredictor, Prediction
from protonet.proto.caffe_pb2 import TEST, TransformationParameter

_BGR_OF_RGB = (2, 1, 0)
_CLOSE = 1e-3
"""Tolerance of the sum of a distribution."""
_TOP = 5
"""Classes that are told of an image."""


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing of image files, in the words of Caffe's classify.py.

    Args:
        mean: a .binaryproto or .npy of the size of the images or of the crop, or a comma-separated
        list of one value or one for each channel; "" for none.
        mean_pixel: subtract the mean pixel of the mean, as Caffe's classification.bin does.
        images_dim: (height, width) to which images are resized before they are cropped; by default
        that of a mean image larger than the net's input, else that of the input.
        raw_scale: factor of an image in [0, 1] before the mean is subtracted.
        input_scale: factor after it.
        channel_swap: the channel of red, green, blue for each input channel; None for the order
        of the net's kind: Caffe's nets take blue, green, red.
        fit: how images are resized to ``images_dim``, one of ``data.resize.RESIZE_MODES``.
    """

    mean: str = ""
    mean_pixel: bool = False
    images_dim: tuple[int, int] | None = None
    raw_scale: float = 255.0
    input_scale: float = 1.0
    channel_swap: tuple[int, ...] | None = None
    fit: str = "squash"

    def transformer(self, given: ImageShape) -> Transformer:
        """For a net whose input is (channels, height, width).

        Raises:
            UsageError: for a size smaller than the input, or than a mean image.
            DataError: for a mean that cannot be read or has another shape.
        """
        values = _numbers(self.mean)
        mean = load_mean(self.mean) if self.mean and values is None else None
        if mean is not None and self.mean_pixel:
            values, mean = mean.mean(axis=(1, 2)).tolist(), None
        if self.raw_scale == 0:
            raise UsageError("--raw-scale 0 leaves nothing of an image")
        # (r / 255 x - mean) s is (x - mean 255 / r) r s / 255.
        raw = self.raw_scale / 255
        size = self._size(given, mean)
        param = TransformationParameter(scale=self.input_scale * raw)
        if values is not None:
            if len(values) not in (1, given[0]):
                raise UsageError(
                    f"{self.mean}: has {len(values)} channels, but the net takes {given[0]}"
                )
            param.mean_value.extend(value / raw for value in values)
        if mean is not None:
            _check_mean(self.mean, mean, given, size)
            mean = mean / np.float32(raw)
        return Transformer(param, TEST, (given[0], *size), mean, crop=given[1:])

    def order(self, channels: int) -> list[int] | None:
        """``channel_swap`` for images in the order blue, green, red; None for no change.

        Raises:
            UsageError: for a swap of another number of channels.
        """
        swap = _BGR_OF_RGB if self.channel_swap is None else self.channel_swap
        if channels == 1:
            return None
        if sorted(swap) != list(range(channels)):
            given = ",".join(map(str, swap))
            raise UsageError(
                f"--channel-swap {given}: expected each of 0 to {channels - 1} once, as in 2,1,0"
            )
        order = [channels - 1 - place for place in swap]
        return None if order == list(range(channels)) else order

    def _size(self, given: ImageShape, mean: np.ndarray | None) -> tuple[int, int]:
        """The size to which images are resized."""
        least = given[1:]
        if self.images_dim is not None:
            if any(a < b for a, b in zip(self.images_dim, least, strict=True)):
                raise UsageError(
                    f"--images-dim {_size(self.images_dim)} is smaller than the net's input, "
                    f"{_size(least)}"
                )
            return self.images_dim
        if mean is not None and mean.shape[1] >= least[0] and mean.shape[2] >= least[1]:
            return (mean.shape[1], mean.shape[2])
        return least


def open_classifier(
    deploy: Path,
    weights: Path,
    how: Preprocessing,
    device: Device | None = None,
    *,
    shape: Shape | None = None,
    memory_limit: int | None = None,
    python_layers: bool = True,
    fuse: bool = True,
    precision: str | None = None,
) -> ImagePredictor:
    """A predictor from a deploy net, or a Lua definition, and its weights. Close it.

    ``shape`` is that of ``read_deploy``.

    ``memory_limit``, ``python_layers``, ``fuse`` and ``precision`` are those of ``ImagePredictor``.

    Raises:
        NetworkError, UsageError, DataError, FormatError: for files that cannot be read or do not
            belong together.
    """
    source = read_deploy(deploy, shape)
    read = deploy_net(source)
    _, channels, height, width = read[1].input_param.shape[0].dim
    transformer = how.transformer((channels, height, width))
    return ImagePredictor(
        source,
        deploy_weights(deploy, weights, source),
        transformer,
        device,
        how.order(channels),
        memory_limit=memory_limit,
        python_layers=python_layers,
        fuse=fuse,
        fit=how.fit,
        deploy=read,
        precision=precision,
    )


def scores_output(predictor: ImagePredictor, name: str, classes: Sequence[str] | None) -> str:
    """The name of the output with a score for each class.

    ``name`` is the user's choice; "" takes the only one, or the only one with as many values as
    ``classes`` (None if unknown).

    Raises:
        UsageError: for none or several, or one whose number of values is not that of classes.
    """
    counts = {
        each: int(np.prod(shape[1:]))
        for each, shape in predictor.outputs.items()
        if len(shape) >= 2 and int(np.prod(shape[2:])) == 1
    }
    where = predictor.source.name
    if not counts:
        raise UsageError(f"{where}: has no output with one score for each class")
    fitting = [each for each, count in counts.items() if classes and count == len(classes)]
    chosen = name or (fitting[0] if len(fitting) == 1 else next(iter(counts)))
    if chosen not in counts or (not name and len(counts) > 1 and len(fitting) != 1):
        problem = f"no output '{name}' with scores" if name else "several outputs with scores"
        listed = ", ".join(f"{each} ({count} values)" for each, count in counts.items())
        raise UsageError(f"{where}: {problem}; choose one with --output: {listed}")
    if classes is not None and counts[chosen] != len(classes):
        raise UsageError(
            f"there are {len(classes)} labels, but output '{chosen}' of {where} has "
            f"{counts[chosen]} values"
        )
    return chosen


def answer_json(
    prediction: Prediction,
    iteration: int | None,
    names: Sequence[str] | None,
    left_out: Collection[str] = (),
) -> dict[str, Any]:
    """The prediction for an image as JSON: of ``infer --json`` and of the API.

    ``top`` are the likeliest classes, of a net with ``names``. ``left_out`` are outputs that are
    told otherwise.
    """
    kept = {name: each for name, each in prediction.outputs.items() if name not in left_out}
    answer: dict[str, Any] = {
        "image": str(prediction.image),
        "snapshot": iteration,
        "outputs": {name: values_json(each) for name, each in kept.items()},
    }
    scores = next((each for each in kept.values() if names and each.size == len(names)), None)
    if names and scores is not None:
        shares = as_probabilities(scores.ravel())
        places = best(shares, _TOP)
        answer["top"] = [
            {"class": place, "name": names[place], "score": values_json(shares[place])}
            for place in places
        ]
    return answer


def values_json(values: np.ndarray) -> Any:
    """The array as nested lists, with null for non-finite values, which JSON cannot represent."""
    found = np.asarray(values).astype(object)
    return np.where(np.isfinite(values), found, np.array(None)).tolist()


def best(scores: np.ndarray, count: int) -> list[int]:
    """The ``count`` classes with the greatest scores, the greatest first."""
    return [int(each) for each in np.argsort(-scores.ravel(), kind="stable")[:count]]


def as_probabilities(scores: np.ndarray) -> np.ndarray:
    """The exponentials of scores that are logarithms of a probability distribution, as the outputs
    of classifiers of Torch7 are; other scores as they are.
    """
    if scores.max(initial=-1) > 0 or not np.isfinite(scores).all():
        return scores
    powers = np.exp(scores)
    return powers if abs(float(powers.sum()) - 1) <= _CLOSE else scores


def why_not_probabilities(scores: np.ndarray) -> str:
    """Why the scores are not a probability distribution; "" if they are."""
    low, high, total = (float(each) for each in (scores.min(), scores.max(), scores.sum()))
    if not np.isfinite(total):
        return "some of its values are not finite"
    if low < -_CLOSE or abs(total - 1) > _CLOSE:
        return f"its values go from {low:.4g} to {high:.4g} and sum to {total:.4g}"
    return ""


def _numbers(text: str) -> list[float] | None:
    """A comma-separated list of numbers; None for anything else."""
    try:
        return [float(part) for part in text.split(",")] if text else None
    except ValueError:
        return None


def _check_mean(name: str, mean: np.ndarray, given: ImageShape, size: tuple[int, int]) -> None:
    if mean.shape[0] != given[0]:
        raise DataError(f"{name}: has {mean.shape[0]} channels, but the net takes {given[0]}")
    found = (mean.shape[1], mean.shape[2])
    if found not in (size, given[1:]):
        cut = "" if size == given[1:] else f" and cropped to {_size(given[1:])}"
        raise DataError(
            f"{name}: is {_size(found)}, but images are resized to {_size(size)}{cut}; "
            "--mean-pixel subtracts its mean pixel instead"
        )


def _size(size: tuple[int, ...]) -> str:
    return "x".join(map(str, size))
