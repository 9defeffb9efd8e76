"""WindowData: batches of windows of images, some of objects and some of background."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.data.transform import load_mean
from protonet.data.windows import Window, WindowImages, cut, read_windows
from protonet.errors import DataError, LayerError
from protonet.layers.base import Layer
from protonet.layers.registry import register

_PARAM = "window_data_param"
_STREAM = 0x57494E
"""Keeps the draws of windows apart from other random numbers of the same seed and name."""


@register("WindowData")
class WindowData(Layer):
    """Batches of windows, first of background and then of objects, drawn anew for each batch.

    A window is of an object where its overlap is at least fg_threshold, and background where it
    is below bg_threshold. It is resized to crop_size: y = (x - mean) scale, and 0 where there is
    no image.

    Bottom:
        none.
    Top:
        0: N x C x S x S, S the crop_size; 1: N, classes, 0 for background.
    Params:
        none.
    Spec:
        window_data_param: source (a window file), batch_size, fg_threshold (0.5), bg_threshold
        (0.5), fg_fraction (0.25), context_pad (0), crop_mode (warp, or square), cache_images
        (false), root_folder. transform_param: crop_size (required), scale, mirror, mean_file,
        mean_value.
    Raises:
        LayerError: without source, batch_size or crop_size, or for values that cannot be.
        DataError: for a window file, image or mean that cannot be used, or too few windows.
    Differs:
        What is drawn is a function of the seed, the layer's name and the window's number in the
        stream, so runs repeat and resume. Names are also looked up beside the window file.
    """

    bottoms = (0, 0)
    tops = (2, 2)

    def setup(self) -> None:
        param, transform = self.spec.window_data_param, self.spec.transform_param
        if not param.source:
            raise LayerError(f"{_PARAM} needs a source, a window file", (_PARAM,))
        if not param.batch_size:
            raise LayerError(f"{_PARAM} needs a batch_size of 1 or more", (_PARAM,))
        if not transform.crop_size:
            raise LayerError(
                "transform_param needs a crop_size of 1 or more, to which windows are resized",
                ("transform_param",) if self.spec.HasField("transform_param") else (),
            )
        if param.crop_mode not in ("warp", "square"):
            raise LayerError(
                f"expected crop_mode warp or square, got '{param.crop_mode}'",
                (_PARAM, "crop_mode"),
            )
        if not 0 <= param.fg_fraction <= 1:
            raise LayerError(
                f"expected 0 <= fg_fraction <= 1, got {param.fg_fraction:g}",
                (_PARAM, "fg_fraction"),
            )
        if 2 * param.context_pad >= transform.crop_size:
            raise LayerError(
                f"context_pad {param.context_pad} on both sides leaves nothing of crop_size "
                f"{transform.crop_size}",
                (_PARAM, "context_pad"),
            )
        self.size, self.position = int(transform.crop_size), 0
        self._file = read_windows(self.around.find(param.source))
        self._images = WindowImages(self._file, root=param.root_folder, keep=param.cache_images)
        self._mean = self._read_mean()
        self._sets = self._sorted_windows()

    def _read_mean(self) -> np.ndarray:
        """The mean for each value of a top: of the middle of a mean image, or of the channels."""
        transform, size = self.spec.transform_param, self.size
        values = list(transform.mean_value)
        if values and transform.mean_file:
            raise LayerError(
                "mean_file and mean_value are both given; one of them is right",
                ("transform_param", "mean_value"),
            )
        if transform.mean_file:
            path = self.around.find(transform.mean_file)
            mean = load_mean(path)
            if mean.shape[0] != self._file.channels or min(mean.shape[1:]) < size:
                raise DataError(
                    f"{path}: expected a mean of {self._file.channels} channels and {size}x{size} "
                    f"or more, got {'x'.join(map(str, mean.shape))}"
                )
            start = (mean.shape[2] - size) // 2
            return mean[:, start : start + size, start : start + size]
        if len(values) not in (0, 1, self._file.channels):
            raise LayerError(
                f"expected 1 mean_value or one for each of {self._file.channels} channel(s), got "
                f"{len(values)}",
                ("transform_param", "mean_value"),
            )
        return np.array(values or [0.0], np.float32)[:, None, None]

    def _sorted_windows(self) -> tuple[list[Window], list[Window]]:
        """Background, and windows of objects."""
        param = self.spec.window_data_param
        objects = [each for each in self._file.windows if each.overlap >= param.fg_threshold]
        others = [each for each in self._file.windows if each.overlap < param.bg_threshold]
        wrong = next((each for each in objects if each.label < 1), None)
        if wrong is not None:
            raise DataError(
                f"{self._file.path}: image {wrong.image}: a window with overlap "
                f"{wrong.overlap:g} has class {wrong.label}; objects count from 1"
            )
        background = [each._replace(label=0) for each in others]
        wanted = int(param.batch_size * param.fg_fraction)
        for what, found, count in (
            ("object", objects, wanted),
            ("background", background, param.batch_size - wanted),
        ):
            if count and not found:
                raise DataError(f"{self._file.path}: has no {what} window, but {count} are wanted")
        self._counts = (int(param.batch_size) - wanted, wanted)
        return background, objects

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        items = sum(self._counts)
        return [(items, self._file.channels, self.size, self.size), (items,)]

    def build(self, shapes: Sequence[Shape]) -> None:
        data, labels = self.infer(())
        self._data = self.device.pinned(data)
        self._labels = self.device.pinned(labels)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self._data.fill(0.0)
        place = 0
        for windows, count in zip(self._sets, self._counts, strict=True):
            for _ in range(count):
                self._fill(place, windows)
                place += 1
        self.position += place
        self.device.put(self._data.astype(self.dtype, copy=False), tops[0])
        self.device.put(self._labels.astype(self.dtype, copy=False), tops[1])

    def _fill(self, place: int, windows: Sequence[Window]) -> None:
        """Draw one of ``windows`` and write it to item ``place``."""
        param, transform = self.spec.window_data_param, self.spec.transform_param
        key = np.array([self.around.seed % 2**64, zlib.crc32(self.name.encode())], np.uint64)
        counter = np.array([self.position + place, 0, 0, _STREAM], np.uint64)
        words = np.random.Philox(key=key, counter=counter).random_raw(2)
        window = windows[int(words[0] % np.uint64(len(windows)))]
        mirror = bool(transform.mirror and words[1] & np.uint64(1))
        part, top, left = cut(
            self._images.read(window.image),
            window,
            self.size,
            pad=param.context_pad,
            square=param.crop_mode == "square",
            mirror=mirror,
        )
        _, high, wide = part.shape
        area = (slice(top, top + high), slice(left, left + wide))
        mean = self._mean if self._mean.shape[1] == 1 else self._mean[:, *area]
        self._data[place, :, *area] = (part - mean) * transform.scale
        self._labels[place] = window.label

    def state(self) -> dict[str, Any]:
        return {"position": self.position}

    def restore(self, state: dict[str, Any]) -> None:
        self.position = int(state["position"])
