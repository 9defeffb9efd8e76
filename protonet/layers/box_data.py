"""Images with boxes for MS-CNN and Cascade R-CNN: ImageGtData, DetectionData and EvalData."""

from __future__ import annotations

from functools import partial

import numpy as np

from protonet.data.box_crops import FreeZoom, OctaveZoom
from protonet.data.box_labels import Labeller
from protonet.data.box_list import BoxList
from protonet.data.box_source import ORDERS, BoxTransform, Size
from protonet.data.colour import distort
from protonet.data.image_rng import ImageRNG
from protonet.errors import LayerError
from protonet.layers.batches import shuffled
from protonet.layers.box_batches import BoxData
from protonet.layers.box_sizes import BoxSizes, numbers_given
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import DistortionParameter


@register("ImageGtData")
class ImageGtData(BoxData):
    """Images with the label maps of a detector, and their boxes (MS-CNN, Cai et al., 2016).

    An image is mirrored at random, resized, and cut to crop_width x crop_height around a random
    object; with do_multiple_scale it is scaled before, every other time, so that the object has a
    scale of min_scale to max_scale. A cell of a map is labelled with the object that its box, of
    field_w x field_h, overlaps most (intersection over union), if by more than fg_threshold; an
    object without a cell gets the one at its centre.

    Bottom:
        none.
    Top:
        0: N x 3 x H x W, images.
        1, ...: N x 6 x H / rate x W / rate for each downsample_rate: class (0: background), x and
        y of the centre, width, height, overlap (1 where nothing is shown).
        last (with output_gt_boxes): B x 7 x 1 x 1: item, xmin, ymin, xmax, ymax, class, ignored.
    Params:
        none.
    Spec:
        image_gt_data_param: source (a list of images with boxes), batch_size, downsample_rate,
        field_w, field_h (one for each map), fg_threshold (0.5), resize_width and resize_height,
        crop_width and crop_height, do_multiple_scale (false), min_scale, max_scale, min_whaspect,
        max_whaspect, min_gt_width (0), min_gt_height (0), shuffle, output_gt_boxes (false),
        fg_img_multiple (1), cache_images (false), root_folder, scale (1), coord_num (4).
        transform_param: mirror, mean_value, scale.
    Raises:
        LayerError: without source or batch_size, for settings that contradict each other, or a
        wrong number of tops.
        DataError: for a list or an image that cannot be used; names list and line.
    Differs:
        BVLC Caffe has no such layer; this is the one of zhaoweicai/mscnn. Without any size the
        first image's counts, there the last one's of the list. Random draws follow from the seed.
    """

    field = "image_gt_data_param"
    strides = "downsample_rate"
    row = 7
    nothing = (0, 1, 1, 2, 2, 1, 1)

    @property
    def order(self) -> str:
        return "random" if shuffled(self, self.param) else ""

    def open_list(self) -> BoxList:
        times = self.param.fg_img_multiple
        if not times:
            raise LayerError(
                "expected fg_img_multiple of 1 or more, got 0", (self.field, "fg_img_multiple")
            )
        return super().open_list().repeated(int(times))

    def make_transform(self) -> BoxTransform:
        param = self.spec.image_gt_data_param
        for name in ("mirror", "mean_file"):
            if param.HasField(name):
                raise LayerError(f"{name} belongs in transform_param", (self.field, name))
        sizes = BoxSizes(self, self.field)
        return BoxTransform(
            size=sizes.resized,
            canvas=sizes.canvas,
            zoom=self._zoom() if param.do_multiple_scale else None,
            mirror=self.spec.transform_param.mirror,
            mean=self.read_mean(),
            scale=self.read_scale(),
            least=(param.min_gt_width, param.min_gt_height),
            labeller=Labeller(self.levels, param.fg_threshold),
        )

    def _zoom(self) -> OctaveZoom | None:
        scales = numbers_given(self, self.field, ("min_scale", "max_scale"))
        aspects = numbers_given(self, self.field, ("min_whaspect", "max_whaspect"))
        return None if scales is None else OctaveZoom(*scales, aspects)


@register("DetectionData")
class DetectionData(BoxData):
    """Images with the label maps of anchors, and their boxes (Cascade R-CNN, Cai et al., 2018).

    As ImageGtData, with the last pixels of boxes inside of them. All images of a batch get the
    size that the first one determines: long_size by short_size, as it is tall or wide.

    Bottom:
        none.
    Top:
        0: N x 3 x H x W, images.
        1, ...: N x 6 x H / stride x W / stride for each stride: class (0: background), x and y of
        the centre, width, height, overlap (1 where nothing is shown).
        last (with output_gt_boxes): B x 8 x 1 x 1: item, xmin, ymin, xmax, ymax, class, ignored,
        difficult; one row of -1 where there is none.
    Params:
        none.
    Spec:
        detection_data_param: source (a list of images with boxes), batch_size, stride, field_w,
        field_h (one for each map), fg_threshold (0.5), ignore_fg_threshold (0.4), pickup_iou_thr
        (0.2), anchor_ignore_margin_ratio, anchor_ignore_iou_thr (none), resize_width and
        resize_height, resize_ratio, or short_size and long_size, crop_width and crop_height, or
        crop_short_size and crop_long_size, template_ratio, min_scale and max_scale, or
        low_scale_ratio and high_scale_ratio, multiscale_prob (0.5), min_whaspect and max_whaspect,
        min_gt_width (0), min_gt_height (0), shuffle (random, random_aspect, random_mix_aspect),
        mix_group_size (64), output_gt_boxes (false), cache_images (false), root_folder,
        distort_param, scale (1), coord_num (4). transform_param: mirror, mean_value, scale.
    Raises:
        LayerError: without source or batch_size, for settings that contradict each other, or a
        wrong number of tops.
        DataError: for a list or an image that cannot be used; names list and line.
    Differs:
        BVLC Caffe has no such layer; this is the one of zhaoweicai/cascade-rcnn. An image without
        objects is not scaled by min_scale and max_scale; there it is doubled. The scale of the
        layer's own message counts, too. Random draws follow from the seed.
    """

    field = "detection_data_param"
    strides = "stride"

    @property
    def order(self) -> str:
        param = self.spec.detection_data_param
        if param.HasField("shuffle"):
            return param.shuffle
        return "random" if self.context.shuffle and self.training else ""

    def make_transform(self) -> BoxTransform:
        param = self.spec.detection_data_param
        if self.order not in ORDERS:
            raise LayerError(
                f"unknown shuffle '{self.order}'; there are {', '.join(ORDERS[1:])}",
                (self.field, "shuffle"),
            )
        if param.HasField("resize_param"):
            raise LayerError(
                "resize_param is not supported by DetectionData layers",
                (self.field, "resize_param"),
                "give short_size and long_size, or resize_width and resize_height",
            )
        sizes = BoxSizes(self, self.field)
        colours = param.distort_param
        return BoxTransform(
            size=sizes.resized,
            canvas=sizes.canvas,
            zoom=self._zoom(),
            mirror=self.spec.transform_param.mirror,
            mean=self.read_mean(),
            scale=self.read_scale(),
            least=(param.min_gt_width, param.min_gt_height),
            labeller=self._labeller(),
            distort=partial(_distorted, colours) if param.HasField("distort_param") else None,
        )

    def _labeller(self) -> Labeller:
        param = self.spec.detection_data_param
        margin, inside = (
            float(getattr(param, name)) if param.HasField(name) else None
            for name in ("anchor_ignore_margin_ratio", "anchor_ignore_iou_thr")
        )
        return Labeller(
            self.levels,
            param.fg_threshold,
            ignore=param.ignore_fg_threshold,
            least=param.pickup_iou_thr,
            closed=True,
            margin=margin,
            inside=inside,
        )

    def _zoom(self) -> FreeZoom | None:
        param, given = self.spec.detection_data_param, partial(numbers_given, self, self.field)
        scales = given(("min_scale", "max_scale"))
        ratios = given(("low_scale_ratio", "high_scale_ratio"))
        aspects = given(("min_whaspect", "max_whaspect"))
        if scales is not None and ratios is not None:
            raise LayerError(
                "min_scale and low_scale_ratio are both given; give one of them",
                (self.field, "low_scale_ratio"),
            )
        ends = ratios if scales is None else scales
        if ends is None:
            return None
        if not 0 <= param.multiscale_prob <= 1:
            raise LayerError(
                f"expected multiscale_prob of 0 to 1, got {param.multiscale_prob:g}",
                (self.field, "multiscale_prob"),
            )
        return FreeZoom(*ends, param.multiscale_prob, scales is not None, aspects)


def _distorted(param: DistortionParameter, image: np.ndarray, rng: ImageRNG) -> np.ndarray:
    return distort(image, param, rng)


@register("EvalData")
class EvalData(BoxData):
    """Images with their boxes, in the order of a list, for a test of Cascade R-CNN.

    An image is resized: its shorter side to short_size, neither beyond long_size, both to the
    nearest multiple of 32.

    Bottom:
        none.
    Top:
        0: N x 3 x H x W, images.
        1: B x 8 x 1 x 1: item, xmin, ymin, xmax, ymax, class, ignored, difficult; one row of -1
        where there is none.
        2 (optional): N x 2 x 1 x 1, height and width of each image.
    Params:
        none.
    Spec:
        eval_data_param: source (a list of images with boxes), batch_size (1 without resize_width),
        resize_width and resize_height, or short_size and long_size, root_folder, scale (1).
        transform_param: mean_value, scale.
    Raises:
        LayerError: without source or batch_size, for settings that contradict each other.
        DataError: for a list or an image that cannot be used; names list and line.
    Differs:
        BVLC Caffe has no such layer; this is the one of zhaoweicai/cascade-rcnn. The scale of the
        layer's own message counts, too.
    """

    field = "eval_data_param"
    tops = (2, 3)

    @property
    def extra(self) -> int:
        return len(self.spec.top) - 1

    def make_transform(self) -> BoxTransform:
        param = self.spec.eval_data_param
        if self.spec.transform_param.mirror:
            raise LayerError("EvalData layers do not mirror", ("transform_param", "mirror"))
        sizes = BoxSizes(self, self.field, limited=True)
        if param.batch_size > 1 and sizes.fixed is None:
            raise LayerError(
                "images of several sizes need batch_size 1, got "
                f"{param.batch_size}; or give resize_width and resize_height",
                (self.field, "batch_size"),
            )
        return BoxTransform(
            size=sizes.whole_cells,
            canvas=_as_it_is,
            places=False,
            mean=self.read_mean(),
            scale=self.read_scale(),
        )


def _as_it_is(size: Size, _number: int) -> Size:
    return size
