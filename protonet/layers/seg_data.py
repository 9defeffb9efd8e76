"""ImageSegData and WindowSegData: batches of images with labels of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from protonet.blob import Array, Shape
from protonet.data.interpolation import Interpolation
from protonet.data.seg_list import SegList, SegTransform, WindowSegList
from protonet.data.transform import crop_of
from protonet.errors import LayerError
from protonet.layers.batches import refuse_deprecated_fields
from protonet.layers.pair_data import PairData, refuse_others
from protonet.layers.registry import register


@register("ImageSegData")
class ImageSegData(PairData):
    """Batches of images with a label for each pixel, resized and padded to a crop (DeepLab).

    Bottom:
        none.
    Top:
        0: N x C x H x W, the images after transform_param; H and W are those of the crop, else
        new_height and new_width, else those of the files.
        1: N x 1 x H x W, the labels: gray values of a label image (PIXEL), a class (IMAGE) or
        ignore_label (NONE).
        2 (optional): N x 1 x 1 x 2, rows and columns of each image, at most H and W.
    Params:
        none.
    Spec:
        image_data_param: source, batch_size (1), root_folder, label_type (IMAGE) or
        has_label, ignore_label (255), new_height and new_width, is_color (true),
        shuffle, rand_skip.
        transform_param: scale_factors, of which each pair gets one at random; scale, mirror,
        crop_size, crop_h, crop_w, mean_value.
    Raises:
        LayerError: without source, for one of new_height and new_width, for a mean_file,
        scale_factors without a crop or not above 0, an ignore_label that is not 0 to 255, or for
        settings that do not fit the images.
        DataError: for a list or an image that cannot be used; names list, line and file.
    Differs:
        BVLC Caffe has no such layer; this is the one of DeepLab and PSPNet, which want crop_size
        and three tops. There rows and columns are those before new_height and new_width.
    """

    tops = (2, 3)
    listing: ClassVar[type[SegList]] = SegList
    """Reads the list."""
    message = "image_data_param"
    labels = Interpolation.NEAREST
    done = (PairData.done | {"scale_factors"}) - {"mean_file"}

    def setup(self) -> None:
        param, transform = self.spec.image_data_param, self.spec.transform_param
        refuse_deprecated_fields(param, self.message, ("scale", "mean_file", "crop_size", "mirror"))
        refuse_others(self, ("short_side", "cache", "precache", "normalize", "label"))
        if not 0 <= param.ignore_label <= 255:
            raise LayerError(
                f"expected an ignore_label of 0 to 255, got {param.ignore_label}",
                (self.message, "ignore_label"),
            )
        for place, factor in enumerate(transform.scale_factors):
            if not 0 < factor <= 100:
                raise LayerError(
                    f"expected scale_factors above 0 and up to 100, got {factor:g}",
                    ("transform_param", "scale_factors", place),
                )
        if transform.scale_factors and crop_of(transform) is None:
            raise LayerError(
                "scale_factors need a crop_size: resized images are cropped or padded to it",
                ("transform_param", "scale_factors", 0),
            )
        kind, ignore = self._kind(), param.ignore_label
        self.opened = partial(self.listing, label_type=kind, ignore=ignore)
        super().setup()

    def _kind(self) -> int:
        """``label_type``, also from its older form ``has_label``."""
        param = self.spec.image_data_param
        if not param.HasField("has_label"):
            return int(param.label_type)
        if param.HasField("label_type"):
            raise LayerError(
                "label_type and has_label are both given; give one of them",
                (self.message, "has_label"),
            )
        return int(param.PIXEL if param.has_label else param.NONE)

    def make_transform(self) -> SegTransform:
        return SegTransform(
            self.spec.transform_param,
            self.phase,
            ignore=self.spec.image_data_param.ignore_label,
            seed=self.context.seed,
            name=self.name,
        )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [*super().infer(shapes), (self.batch_size, 1, 1, 2)][: len(self.spec.top)]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        super().forward(bottoms, tops[:2])
        for top in tops[2:]:
            sizes = np.array([pair.size for pair in self._taken], np.float32)
            self.device.put(sizes.reshape(top.shape), top)


@register("WindowSegData")
class WindowSegData(ImageSegData):
    """Batches of windows of images with a label for each pixel (DeconvNet).

    As ImageSegData, of the window that a line of the list gives after its paths: x1 y1 x2 y2, the
    last pixels included. Where it leaves the image, pixels are 0 and labels are ignore_label.

    Bottom:
        none.
    Top:
        0: N x C x H x W, the windows after transform_param; H and W are those of the crop, else
        new_height and new_width, else those of the windows.
        1: N x 1 x H x W, the labels: gray values of a label image (PIXEL), a class (IMAGE) or
        ignore_label (NONE).
        2 (optional): N x 1 x 1 x 2, rows and columns of each window, at most H and W.
    Params:
        none.
    Spec:
        image_data_param and transform_param as those of ImageSegData.
    Raises:
        LayerError: as ImageSegData.
        DataError: for a list or an image that cannot be used; names list, line and file.
    Differs:
        BVLC Caffe has no such layer; this is the one of DeconvNet's fork, whose rows and columns
        are those of the whole image.
    """

    listing = WindowSegList
