"""WindowData: windows of objects and background, for the training of R-CNN."""

from __future__ import annotations

import numpy as np

from protonet.data.cropper import WindowCropper
from protonet.data.transform import load_mean
from protonet.data.window_source import WindowSource
from protonet.data.windows import read_windows
from protonet.errors import DataError, LayerError
from protonet.layers.base import shape_text
from protonet.layers.batches import PLAIN, BatchLayer, refuse_deprecated_fields, refuse_transform
from protonet.layers.registry import register

_PARAM = "window_data_param"


@register("WindowData")
class WindowData(BatchLayer):
    """Windows sampled at random from images: background first, then objects.

    Bottom:
        none.
    Top:
        0: N x 3 x crop_size x crop_size, the windows warped to this size.
        1 (optional): N, their classes; 0 is background.
    Params:
        none.
    Spec:
        window_data_param: source (a window file), batch_size, fg_threshold (0.5), bg_threshold
        (0.5), fg_fraction (0.25), context_pad (0), crop_mode (warp or square), root_folder,
        cache_images, scale.
        transform_param: crop_size, mirror, mean_file, mean_value, scale.
    Raises:
        LayerError: without source, batch_size or crop_size, or for settings that contradict each
        other.
        DataError: for a window file, image or mean that cannot be used; names file and line.
    Differs:
        Random draws are a function of the seed and the item's number in the stream, so runs are
        reproducible. transform_param.scale is applied too; Caffe ignores it here.
    """

    def setup(self) -> None:
        param, transform = self.spec.window_data_param, self.spec.transform_param
        if not param.source:
            raise LayerError(f"{_PARAM} needs a source, a window file", (_PARAM,))
        if not param.batch_size:
            raise LayerError(f"{_PARAM} needs a batch_size of 1 or more", (_PARAM,))
        refuse_deprecated_fields(param, _PARAM, ("mean_file", "crop_size", "mirror"))
        refuse_transform(self.spec, PLAIN)
        if not transform.crop_size:
            raise LayerError(
                "transform_param needs a crop_size, the size of the top's windows",
                ("transform_param",),
            )
        self.batch_size, size = int(param.batch_size), int(transform.crop_size)
        self.image_shape = (3, size, size)
        self.cropper = self._cropper(size)
        self.scale = self._scale()
        self.mean = self._mean(size)
        each = self.batch_size  # Caffe's count is that of a rank where each has such a batch
        self.share_out()
        whole = self.whole_batch
        batches = whole // each if self.context.batch_per_rank else 1
        self.objects = batches * self._count_objects(whole // batches)
        self.windows = read_windows(
            self.context.find(param.source), param.fg_threshold, param.bg_threshold
        )
        for kind, rows, count, rule in (
            ("object", self.windows.foreground, self.objects, "reaches fg_threshold"),
            (
                "background",
                self.windows.background,
                whole - self.objects,
                "is below bg_threshold",
            ),
        ):
            if count and not len(rows):
                raise DataError(
                    f"{self.windows.path}: no window {rule}, but a batch takes {count} {kind} "
                    "window(s)"
                )

    def _cropper(self, size: int) -> WindowCropper:
        param = self.spec.window_data_param
        if param.crop_mode not in ("warp", "square"):
            raise LayerError(
                f"unknown crop_mode '{param.crop_mode}'; there are 'warp' and 'square'",
                (_PARAM, "crop_mode"),
            )
        if 2 * param.context_pad >= size:
            raise LayerError(
                f"context_pad {param.context_pad} on both sides leaves nothing of crop_size {size}",
                (_PARAM, "context_pad"),
            )
        return WindowCropper(size, int(param.context_pad), param.crop_mode == "square")

    def _scale(self) -> float:
        param, transform = self.spec.window_data_param, self.spec.transform_param
        if param.HasField("scale") and transform.HasField("scale"):
            raise LayerError(
                "scale is given in window_data_param and in transform_param; give one of them",
                (_PARAM, "scale"),
            )
        return float(param.scale if param.HasField("scale") else transform.scale)

    def _mean(self, size: int) -> np.ndarray | None:
        """The mean: (3, size, size) from the centre of the mean image, or (3, 1, 1)."""
        transform = self.spec.transform_param
        values = list(transform.mean_value)
        if values and transform.mean_file:
            raise LayerError(
                "mean_file and mean_value are both given; give one of them",
                ("transform_param", "mean_value"),
            )
        if values:
            if len(values) not in (1, 3):
                raise LayerError(
                    f"expected 1 mean_value or one for each of 3 channels, got {len(values)}",
                    ("transform_param", "mean_value"),
                )
            return np.array(values * (3 // len(values)), np.float32)[:, None, None]
        if not transform.mean_file:
            return None
        mean = load_mean(self.context.find(transform.mean_file))
        # Caffe uses the horizontal offset vertically, too.
        start = (mean.shape[2] - size) // 2
        part = mean[:, max(start, 0) : start + size, max(start, 0) : start + size]
        if part.shape != self.image_shape:
            raise DataError(
                f"{transform.mean_file}: is {shape_text(mean.shape)}, but windows of "
                f"{shape_text(self.image_shape)} are taken out of it"
            )
        return part

    def _count_objects(self, batch: int) -> int:
        """The number of windows of a batch with objects, rounded as in Caffe."""
        fraction = self.spec.window_data_param.fg_fraction
        if not 0 <= fraction <= 1:
            raise LayerError(
                f"expected a fg_fraction from 0 to 1, got {fraction:g}", (_PARAM, "fg_fraction")
            )
        return int(np.float32(batch) * np.float32(fraction))

    def make_source(self) -> WindowSource:
        param, context = self.spec.window_data_param, self.context
        return WindowSource(
            self.windows,
            self.batch_size,
            self.objects,
            self.cropper,
            mirror=self.spec.transform_param.mirror,
            mean=self.mean,
            scale=self.scale,
            root=param.root_folder,
            folder=context.folder,
            cache=param.cache_images,
            seed=context.seed,
            name=self.name,
            part=self.part,
            threads=context.threads,
            empty=self.device.pinned,
        )
