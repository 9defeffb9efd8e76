"""DenseImageData and ImageLabelmapData: batches of images with label images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from protonet.blob import Array, Shape
from protonet.data.interpolation import Interpolation
from protonet.data.pair_list import Pair, PairList, PairSource, PairTransform
from protonet.data.transform import crop_of
from protonet.errors import DataError, LayerError
from protonet.layers.base import Traits, shape_text
from protonet.layers.batches import (
    PLAIN,
    StreamLayer,
    mean_of,
    naming_first_image,
    refuse_deprecated_fields,
    refuse_transform,
    resize_size,
    shuffled,
    skipped,
)
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import DenseImageDataParameter, ImageDataParameter


class PairData(StreamLayer):
    """Images and labels (N x 1 x H x W) from a list of pairs of files.

    With batch size 1 and no fixed image size, the shape of each pass is that of its
    image.
    """

    bottoms = (0, 0)
    tops = (2, 2)
    traits = Traits(dynamic=True)
    message: ClassVar[str]
    shrink: int = 1
    """The factor by which label images are smaller than images."""
    labels: ClassVar[Interpolation]
    """The interpolation of label images."""
    done: ClassVar[frozenset[str]] = PLAIN | {"crop_h", "crop_w", "random_seed"}
    """The fields of transform_param that are supported."""

    opened: Callable[..., PairList] = PairList
    """Reads the list."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.source: PairSource | None = None
        self._taken: list[Pair] = []

    @property
    def param(self) -> DenseImageDataParameter | ImageDataParameter:
        """The layer's own message."""
        param: DenseImageDataParameter | ImageDataParameter = getattr(self.spec, self.message)
        return param

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Convert the values of a label image to labels."""
        return labels

    def setup(self) -> None:
        param, name, transform = self.param, self.message, self.spec.transform_param
        if not param.source:
            raise LayerError(f"{name} needs a source, a text of pairs of image files", (name,))
        if not param.batch_size:
            raise LayerError(f"{name} needs a batch_size of 1 or more", (name,))
        size = resize_size(param, name)
        refuse_transform(self.spec, self.done)
        self.batch_size = int(param.batch_size)
        self.listed = self.opened(
            self.context.find(param.source),
            root=param.root_folder,
            folder=self.context.folder,
            size=size,
            labels=self.labels,
            shrink=self.shrink,
            color=param.is_color,
        )
        self._varies = self.batch_size == 1 and size is None and crop_of(transform) is None
        self.transform = self.make_transform()
        first = self.listed.read(0).image
        with naming_first_image(f"{self.listed.where(0, 1)}, is {shape_text(first.shape)}"):
            self._shape: Shape = self.transform.of(first.shape).output_shape
        self.share_out()

    def make_transform(self) -> PairTransform:
        """Make the transformation of pairs."""
        param, context = self.spec.transform_param, self.context
        return PairTransform(param, self.phase, mean_of(self), seed=context.seed, name=self.name)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        labels = (extent // self.shrink for extent in self._shape[1:])
        return [(self.batch_size, *self._shape), (self.batch_size, 1, *labels)]

    def build(self, shapes: Sequence[Shape]) -> None:
        param, context = self.param, self.context
        self.source = PairSource(
            self.listed,
            self.transform,
            self.encode,
            self.batch_size,
            shuffle=shuffled(self, param),
            seed=context.seed,
            skip=skipped(param.rand_skip, context.seed),
            threads=context.threads,
            part=self.part,
        )

    def measure(self, bottoms: Sequence[Array]) -> list[Shape]:
        """Load the next batch, whose first image determines the shape."""
        assert self.source is not None, "build comes before measure"
        start = self.source.position
        batch = self.source.take()
        for pair in batch:
            if not self._varies and pair.image.shape != self._shape:
                self.source.position = start
                raise DataError(
                    f'layer "{self.name}" ({self.type}): {self.listed.path}: an image is '
                    f"{shape_text(pair.image.shape)}, but the first one is "
                    f"{shape_text(self._shape)}; set new_height and new_width, a crop_size, or "
                    "batch_size: 1"
                )
        self._taken, self._shape = batch, batch[0].image.shape
        return self.infer([])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        for top, arrays in zip(
            tops, zip(*(pair[:2] for pair in self._taken), strict=True), strict=True
        ):
            self.device.put(np.stack(arrays), top)


def refuse_others(layer: PairData, fields: Sequence[str]) -> None:
    """Raise LayerError for a field that the layer does not support."""
    for name in fields:
        field = layer.param.DESCRIPTOR.fields_by_name[name]
        if getattr(layer.param, name) != field.default_value:
            raise LayerError(
                f"{name} is not supported by {layer.type} layers", (layer.message, name)
            )


@register("DenseImageData")
class DenseImageData(PairData):
    """Batches of images with label images, whose gray values are classes (SegNet).

    Bottom:
        none.
    Top:
        0: N x C x H x W, the images after transform_param; H and W are those of the crop, else
        new_height and new_width, else those of the files.
        1: N x 1 x H x W, the gray values of the label images, cropped and mirrored alike; each
        extent divided by label_divide_factor, rounded down.
    Params:
        none.
    Spec:
        dense_image_data_param: source (lines of two paths), batch_size, root_folder, new_height
        and new_width, is_color (true), shuffle, rand_skip; of ENet's fork, label_divide_factor (1).
        transform_param: scale, mirror, crop_size, crop_h, crop_w, mean_file, mean_value.
    Raises:
        LayerError: without source or batch_size, for one of new_height and new_width, a
        label_divide_factor without them or with a crop, or for settings that do not fit the images.
        DataError: for a list, image or mean that cannot be used; names list, line and file.
    Differs:
        BVLC Caffe has no such layer; this is SegNet's, which stops at a crop or a mirror. Label
        images are resized to the nearest pixel, as there.
    """

    message = "dense_image_data_param"
    labels = Interpolation.NEAREST

    def setup(self) -> None:
        for field in ("mean_file", "mirror"):
            refuse_deprecated_fields(self.spec.dense_image_data_param, self.message, (field,))
        for field in ("crop_width", "crop_height"):
            if getattr(self.spec.dense_image_data_param, field):
                raise LayerError(
                    f"{field} belongs in transform_param, as crop_w or crop_h",
                    (self.message, field),
                )
        self._read_factor()
        super().setup()

    def _read_factor(self) -> None:
        param, field = self.spec.dense_image_data_param, "label_divide_factor"
        self.shrink = int(param.label_divide_factor)
        if not self.shrink:
            raise LayerError(f"expected a {field} of 1 or more, got 0", (self.message, field))
        if self.shrink == 1:
            return
        if min(param.new_height, param.new_width) < self.shrink:
            raise LayerError(
                f"{field} needs new_height and new_width of {self.shrink} or more",
                (self.message, field),
            )
        if crop_of(self.spec.transform_param) is not None:
            raise LayerError(
                f"{field} and a crop cannot be combined: the crop is of the image's pixels",
                (self.message, field),
            )


@register("ImageLabelmapData")
class ImageLabelmapData(PairData):
    """Batches of images with maps of edges: 1 where a label image is bright, else 0 (HED).

    Bottom:
        none.
    Top:
        0: N x C x H x W, the images after transform_param; H and W are those of the crop, else
        new_height and new_width, else those of the files.
        1: N x 1 x H x W: 1 where the label image's gray value is 128 or more, cropped and
        mirrored alike.
    Params:
        none.
    Spec:
        image_data_param: source (lines of two paths), batch_size (1), root_folder, new_height
        and new_width, is_color (true), shuffle, rand_skip; of DSS, normalize (true; false: the
        gray values themselves).
        transform_param: scale, mirror, crop_size, crop_h, crop_w, mean_file, mean_value.
    Raises:
        LayerError: without source, for one of new_height and new_width, or for settings that do
        not fit the images.
        DataError: for a list, image or mean that cannot be used; names list, line and file.
    Differs:
        BVLC Caffe has no such layer; this is HED's.
    """

    message = "image_data_param"
    labels = Interpolation.LINEAR

    def setup(self) -> None:
        param = self.spec.image_data_param
        refuse_deprecated_fields(param, self.message, ("scale", "mean_file", "crop_size", "mirror"))
        refuse_others(
            self,
            (
                *("short_side", "cache", "precache", "label_type", "ignore_label", "has_label"),
                "label",
            ),
        )
        super().setup()

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """V / 255, rounded; with normalize: false, V."""
        param = self.spec.image_data_param
        if param.HasField("normalize") and not param.normalize:
            return labels
        return (labels >= 128).astype(np.uint8)
