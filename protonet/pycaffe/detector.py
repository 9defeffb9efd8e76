"""``caffe.Detector``: a classifier over windows of images (R-CNN)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any

import numpy as np

from protonet.proto.caffe_pb2 import TEST
from protonet.pycaffe import io
from protonet.pycaffe.classifier import transformer_of
from protonet.pycaffe.net import Net


class Detector(Net):
    """A net that classifies windows of images.

    ``context_pad`` pixels of the net's input show what is around a window. Other arguments are
    those of ``Classifier``.
    """

    def __init__(
        self,
        model_file: str | PathLike[str],
        pretrained_file: str | PathLike[str],
        mean: np.ndarray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ) -> None:
        super().__init__(model_file, TEST, weights=pretrained_file)
        self.transformer = transformer_of(self, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def detect_windows(
        self, images_windows: Iterable[tuple[str | PathLike[str], Iterable[Sequence[float]]]]
    ) -> list[dict[str, Any]]:
        """Scores of windows: ``(file, [(ymin, xmin, ymax, xmax), ...])`` for each image.

        Returns for each window its ``window``, ``prediction`` and ``filename``.
        """
        asked = [
            (filename, np.asarray(window), self.crop(image, np.asarray(window)))
            for filename, windows in images_windows
            for image in [io.load_image(filename)]
            for window in windows
        ]
        if not asked:
            return []
        name = self.inputs[0]
        ready = np.stack([self.transformer.preprocess(name, crop) for *_, crop in asked])
        scores = self.forward_all(None, **{name: ready})[self.outputs[0]]
        scores = scores.reshape(len(asked), -1)
        return [
            {"window": window, "prediction": score, "filename": filename}
            for (filename, window, _), score in zip(asked, scores, strict=True)
        ]

    def detect_selective_search(self, image_fnames: Sequence[str]) -> list[dict[str, Any]]:
        """Refused: the windows came from a MATLAB program. ``detect_windows`` takes any."""
        raise NotImplementedError(
            "selective search is a MATLAB program; give windows to detect_windows"
        )

    def crop(self, im: np.ndarray, window: np.ndarray) -> np.ndarray:
        """A window of an image, with its surroundings where ``context_pad`` asks for them.

        What lies outside of the image is the mean.
        """
        ymin, xmin, ymax, xmax = (int(edge) for edge in window)
        cut = im[ymin:ymax, xmin:xmax]
        if not self.context_pad:
            return cut
        size = int(self.blobs[self.inputs[0]].shape[3])
        scale = size / (size - 2.0 * self.context_pad)
        half_y, half_x = (ymax - ymin + 1) / 2.0, (xmax - xmin + 1) / 2.0
        centre_y, centre_x = ymin + half_y, xmin + half_x
        box = np.rint(
            [
                centre_y - scale * half_y,
                centre_x - scale * half_x,
                centre_y + scale * half_y,
                centre_x + scale * half_x,
            ]
        ).astype(int)
        scale_y = size / max(1, box[2] - box[0])
        scale_x = size / max(1, box[3] - box[1])
        pad_y, pad_x = round(max(0, -box[0]) * scale_y), round(max(0, -box[1]) * scale_x)
        inside = np.clip(box, 0, [im.shape[0], im.shape[1]] * 2)
        high = min(size - pad_y, max(1, round((inside[2] - inside[0]) * scale_y)))
        wide = min(size - pad_x, max(1, round((inside[3] - inside[1]) * scale_x)))
        part = im[inside[0] : inside[2], inside[1] : inside[3]]
        whole = np.empty((size, size, im.shape[2]), np.float32)
        whole[...] = self.crop_mean
        whole[pad_y : pad_y + high, pad_x : pad_x + wide] = io.resize_image(part, (high, wide))
        return whole

    def configure_crop(self, context_pad: int | None) -> None:
        """Set how many pixels around a window are seen, and the mean that stands for the rest."""
        name = self.inputs[0]
        self.context_pad = context_pad or 0
        self.crop_mean: Any = np.float32(0)
        mean = self.transformer.mean.get(name)
        if self.context_pad and mean is not None:
            full = np.broadcast_to(mean, self.blobs[name].shape[1:])
            order = self.transformer.channel_swap.get(name)
            full = full if order is None else full[np.argsort(order)]
            axes = self.transformer.transpose.get(name, (0, 1, 2))
            scale = self.transformer.raw_scale.get(name, 1.0)
            self.crop_mean = full.transpose(np.argsort(axes)) / np.float32(scale)
