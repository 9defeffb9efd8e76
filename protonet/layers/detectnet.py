"""DetectNetTransformation: augmentation of images with boxes, and the boxes on a grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.data.detectnet import (
    LABEL,
    Augmentation,
    CoverageGrid,
    augment_boxes,
    augment_image,
    draw_augmentation,
)
from protonet.data.interpolation import Interpolation, resample
from protonet.data.transform import load_mean
from protonet.errors import DataError, LayerError
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.batches import refuse_transform
from protonet.layers.registry import register

_TRUTH, _AUGMENT = "detectnet_groundtruth_param", "detectnet_augmentation_param"


@register("DetectNetTransformation")
class DetectNetTransformation(Layer):
    """The input and targets of NVIDIA's DetectNet: augmented images, and objects on a grid.

    In TRAIN hue, saturation, flip, scale, rotation and crop are random; in TEST the
    image is only resized. There is no gradient. Computed on the host, also if the net runs on a
    GPU.

    Bottom:
        0: images, N x 3 x H x W, from 0 to 255.
        1: boxes, N x 1 x R x 16: a row with their number and 16, then one for each box: x, y,
        width, height, angle, class and others that are ignored.
    Top:
        0: images, N x 3 x image_size_y x image_size_x, less the mean.
        1: maps, N x (8 + K) x image_size_y / stride x image_size_x / stride: covered or not, four
        corners from the cell, 1 / width, 1 / height, 1 / coverage in cells, and one of the K
        classes.
    Params:
        none.
    Spec:
        detectnet_groundtruth_param: image_size_x (1248), image_size_y (384), stride (4),
        scale_cvg (0.5), gridbox_type (GRIDBOX_MAX), max_cvg_len (50), min_cvg_len (50), obj_norm
        (false), crop_bboxes (true), object_class (src 1, dst 0).
        detectnet_augmentation_param: each probability and its range.
        transform_param: mean_file (resized to the images), mean_value.
    Raises:
        LayerError: for sizes or a stride of 0, another resize_param or transform_param, or
        bottoms of invalid shapes.
        DataError: for an invalid mean, or invalid rows of boxes.
    Differs:
        BVLC Caffe has no such layer; this is NVIDIA's. Random values are a function of the seed,
        the layer's name and the pass.
    """

    bottoms = (2, 2)
    tops = (2, 2)
    no_gradient = frozenset({0, 1})
    traits = Traits(backward_reads=frozenset(), capturable=False)

    def setup(self) -> None:
        truth = self.spec.detectnet_groundtruth_param
        for field in ("image_size_x", "image_size_y", "stride"):
            if not getattr(truth, field):
                raise LayerError(f"expected a {field} of 1 or more, got 0", (_TRUTH, field))
        if self.spec.detectnet_augmentation_param.HasField("resize_param"):
            raise LayerError(
                "resize_param is not supported here: image_size_x and image_size_y give the size",
                (_AUGMENT, "resize_param"),
            )
        if any(self.spec.loss_weight):
            raise LayerError("data cannot be part of the objective", ("loss_weight",))
        refuse_transform(self.spec, frozenset({"mean_file", "mean_value"}))
        transform = self.spec.transform_param
        if transform.mean_file and transform.mean_value:
            raise LayerError(
                "mean_file and mean_value are both given; give one of them",
                ("transform_param", "mean_value"),
            )
        if len(transform.mean_value) not in (0, 1, 3):
            raise LayerError(
                f"expected 1 mean_value or one for each of 3 channels, got "
                f"{len(transform.mean_value)}",
                ("transform_param", "mean_value"),
            )
        self.grid = CoverageGrid(truth)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        images, boxes = shapes
        if len(images) != 4 or images[1] != 3:
            raise LayerError(
                f"expected images of N x 3 x H x W, got {shape_text(images)}", ("bottom", 0)
            )
        if len(boxes) != 4 or boxes[0] != images[0] or boxes[1] != 1 or boxes[3] != LABEL:
            raise LayerError(
                f"expected boxes of {images[0]} x 1 x R x {LABEL}, got {shape_text(boxes)}",
                ("bottom", 1),
            )
        return [(images[0], 3, *self.grid.size), (images[0], self.grid.maps, *self.grid.cells)]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._mean = self._mean_of(shapes[0])
        self._tops = [self.device.pinned(shape) for shape in self.infer(shapes)]

    def _mean_of(self, shape: Shape) -> np.ndarray | None:
        """The mean, (3, H, W) or (3, 1, 1); None without one."""
        transform = self.spec.transform_param
        if transform.mean_file:
            mean = load_mean(self.context.find(transform.mean_file))
            if len(mean) != 3:
                raise DataError(
                    f"{transform.mean_file}: is {shape_text(mean.shape)}, but the images have 3 "
                    "channels"
                )
            return resample(mean, shape[2], shape[3], Interpolation.CUBIC)
        values = list(transform.mean_value)
        return np.array(values * (3 // len(values)), np.float32)[:, None, None] if values else None

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        images, tables = (np.asarray(self.device.get(x), np.float32) for x in bottoms)
        size = (images.shape[2], images.shape[3])
        random = self.random.host() if self.training else None
        for place, (image, table) in enumerate(zip(images, tables[:, 0], strict=True)):
            rows = self._rows(table, place)
            augmentation = Augmentation(self.grid.size)
            if random is not None:
                param = self.spec.detectnet_augmentation_param
                augmentation = draw_augmentation(param, size, self.grid.size, random)
            self._tops[0][place] = augment_image(image, augmentation, self.grid.size, self._mean)
            self.grid.write(augment_boxes(rows, augmentation, size), self._tops[1][place])
        for host, top in zip(self._tops, tops, strict=True):
            self.device.put(host, top)

    def _rows(self, table: np.ndarray, place: int) -> np.ndarray:
        """The boxes of an image, after the row with their number."""
        count, length = table[0, 0], table[0, 1]
        if length != LABEL or not 0 <= count <= len(table) - 1:
            raise DataError(
                f"layer \"{self.name}\" ({self.type}): item {place} of '{self.spec.bottom[1]}': "
                f"expected a first row with 0 to {len(table) - 1} boxes of {LABEL} numbers, got "
                f"{count:g} of {length:g}"
            )
        return table[1 : 1 + int(count)]
