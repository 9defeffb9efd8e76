"""The output of a detector: labelled boxes from offsets, scores and priors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.boxes import decode, nms
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.detection_maps import check_maps, join_maps, separate_maps
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import PriorBoxParameter

_PARAM = "detection_output_param"
_LOWEST = -float(np.finfo(np.float32).max)
_COLUMNS = 7
_MOST_CLASSES = 1_000_000
"""They are processed one by one."""


def check_predictions(
    layer: Layer, shapes: Sequence[Shape], classes: int, shared: bool, offsets: int = 4
) -> tuple[int, int]:
    """The numbers of images and priors in the bottoms loc, conf and priors of a detector.

    Raises:
        LayerError: unless there are ``offsets`` (for each class, where they are not ``shared``)
            and a score for each class, of each prior and in every image.
    """
    loc, conf, priors = shapes[:3]
    names = layer.spec.bottom
    if priors[:2] != (1, 2) or math.prod(priors) % 8:
        raise LayerError(
            f"expected boxes and variances, 1 x 2 x (4 for each prior), in '{names[2]}', got "
            f"{shape_text(priors)}",
            ("bottom", 2),
        )
    count = math.prod(priors) // 8
    sets = "" if shared else f" and {classes} classes"
    expected = (
        (
            count * offsets * (1 if shared else classes),
            f"{offsets} for each of {count} priors{sets}",
        ),
        (count * classes, f"one for each of {count} priors and {classes} classes"),
    )
    for place, (values, why) in enumerate(expected):
        shape = shapes[place]
        if len(shape) < 2 or math.prod(shape[1:]) != values:
            raise LayerError(
                f"expected {values} values per image in '{names[place]}', {why}, got "
                f"{shape_text(shape)}",
                ("bottom", place),
            )
    if loc[0] != conf[0]:
        raise LayerError(
            f"expected as many images in '{names[1]}' as in '{names[0]}', {loc[0]}, got {conf[0]}",
            ("bottom", 1),
        )
    return loc[0], count


def check_classes(count: int, field: str) -> int:
    """The number of classes; LayerError without one."""
    if count < 1:
        raise LayerError(
            "num_classes is missing: expected a count of 1 or more",
            (field,),
            "the background is a class too",
        )
    if count > _MOST_CLASSES:
        raise LayerError(
            f"expected num_classes of at most {_MOST_CLASSES:,}, got {count:,}", (field,)
        )
    return count


def _polygons(priors: Array, variances: Array, offsets: Array) -> Array:
    """The four corners (..., P, 8) from ``offsets`` (..., P, 8) to those of each prior.

    Clockwise from the upper left; offsets are in widths and heights of the prior times its
    first two variances. Source: TextBoxes++, src/caffe/util/bbox_util.cpp, DecodeBBoxPolygon.
    """
    corners = priors[:, [0, 1, 2, 1, 2, 3, 0, 3]]
    extent = priors[:, 2:] - priors[:, :2]
    moved: Array = corners + offsets * np.tile(variances[:, :2] * extent, 4)
    return moved


@register("DetectionOutput")
class DetectionOutput(Layer):
    """Boxes decoded from offsets at priors, with non-maximum suppression for each class.

    Of each class but the background, those that score above confidence_threshold are visited by
    descending score, at most top_k; a box stays when it overlaps none that stayed by
    more than nms_threshold. Of the remaining boxes of all classes, the keep_top_k best of each
    image are returned. There is no gradient. Computed on the host, also if the net runs on a GPU.

    Bottom:
        0: loc, N x (P 4), or N x (P C 4) where share_location is false: offsets at each prior.
        1: conf, N x (P C): the scores of each prior.
        2: priors, 1 x 2 x (P 4), as PriorBox makes them.
        3 (optional): images, ignored.
        With no_permute, for nbottom maps first their scores, N x C x A x (H W), of A priors at
        each cell, then their offsets, N x (A 4) x H x W, and then priors.
    Top:
        rows: 1 x 1 x K x 7, of image, label, score, xmin, ymin, xmax, ymax; by image, label and
        descending score. K is the number of boxes found in this pass. Where nothing is found
        in any image, a row for each: its number, then -1.
    Params:
        none.
    Spec:
        detection_output_param: num_classes (C, required), share_location (true),
        background_label_id (0; -1: none), code_type (CORNER), variance_encoded_in_target (false:
        offsets are multiplied by the priors' variances), confidence_threshold (none),
        nms_param: nms_threshold (0.3), top_k (all), eta (1); keep_top_k (-1: all); use_polygon
        (false: of 12 offsets instead of 4, the last 8 move the corners of the prior, and a row
        has 15 values); of Synopsys' fork: no_permute (false), nbottom (6).
    Raises:
        LayerError: without num_classes, for a negative nms_threshold, an eta that is not in 0 to
        1, visualize, use_polygon with other offsets than CENTER_SIZE times variances, no_permute
        with use_polygon or without share_location, a wrong number of bottoms, bottoms of invalid
        shapes, or a loss_weight.
    Differs:
        BVLC Caffe has no such layer; this is the one of the SSD and NVIDIA forks. Of equal
        scores the first prior and class come first. It shows no pictures, and writes and deletes
        no files: save_output_param is not read.
    """

    bottoms = (3, None)
    traits = Traits(backward_reads=frozenset(), dynamic=True)

    def setup(self) -> None:
        param = self.spec.detection_output_param
        self.no_gradient = frozenset(range(len(self.spec.bottom)))
        if any(self.spec.loss_weight):
            raise LayerError(
                "boxes have no gradient and cannot be part of the objective", ("loss_weight",)
            )
        self.maps = separate_maps(self)
        self.classes = check_classes(param.num_classes, _PARAM)
        self.shared = param.share_location
        self.background = param.background_label_id
        self.code = PriorBoxParameter.CodeType.Name(param.code_type)
        self.keep = param.keep_top_k
        self.least = _LOWEST
        if param.HasField("confidence_threshold"):
            self.least = param.confidence_threshold
        suppression = param.nms_param
        self.top_k = suppression.top_k if suppression.HasField("top_k") else -1
        if not suppression.nms_threshold >= 0:
            raise LayerError(
                f"expected nms_threshold of 0 or more, got {suppression.nms_threshold:g}",
                (_PARAM, "nms_param", "nms_threshold"),
            )
        if not 0 < suppression.eta <= 1:
            raise LayerError(
                f"expected eta above 0 and up to 1, got {suppression.eta:g}",
                (_PARAM, "nms_param", "eta"),
            )
        if param.visualize:
            raise LayerError(
                "visualize is not supported", (_PARAM, "visualize"), "remove it, or set it to false"
            )
        self.columns = _COLUMNS + 8 * param.use_polygon
        if param.use_polygon and (self.code != "CENTER_SIZE" or param.variance_encoded_in_target):
            raise LayerError(
                "use_polygon needs code_type: CENTER_SIZE, and offsets that are multiplied by "
                "the variances",
                (_PARAM, "use_polygon"),
                "as in TextBoxes++; other polygons are not defined there",
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        if self.maps:
            images = check_maps(self, shapes, self.classes, self.maps)
            return [(1, 1, images, self.columns)]
        images, _ = check_predictions(
            self, shapes, self.classes, self.shared, self.columns - _COLUMNS + 4
        )
        return [(1, 1, images, self.columns)]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._images, self._priors = shapes[0][0], math.prod(shapes[2 * self.maps or 2]) // 8
        self._sets = 1 if self.shared else self.classes

    def measure(self, bottoms: Sequence[Array]) -> list[Shape]:
        """Compute the boxes, which ``forward`` then writes."""
        arrays = [np.asarray(self.device.get(bottom)) for bottom in bottoms]
        loc, conf, priors = join_maps(arrays, self.maps) if self.maps else arrays[:3]
        boxes, variances = priors.reshape(2, -1, 4)
        if self.spec.detection_output_param.variance_encoded_in_target:
            variances = np.ones_like(variances)
        offsets = loc.reshape(self._images, self._priors, self._sets, self.columns - 3)
        offsets = offsets.swapaxes(1, 2)
        scores = conf.reshape(self._images, self._priors, self.classes)
        # A diverged net can output any values: no warning for each box.
        with np.errstate(all="ignore"):
            decoded = decode(boxes, variances, offsets[..., :4], self.code)
            if offsets.shape[-1] > 4:
                corners = _polygons(boxes, variances, offsets[..., 4:])
                decoded = np.concatenate([decoded, corners], axis=-1)
            found = [self._find(i, decoded[i], scores[i]) for i in range(self._images)]
        self._rows = np.concatenate([np.empty((0, self.columns), scores.dtype), *found])
        if not len(self._rows):
            self._rows = np.full((self._images, self.columns), -1, loc.dtype)
            self._rows[:, 0] = np.arange(self._images)
        return [(1, 1, len(self._rows), self.columns)]

    def _find(self, image: int, boxes: Array, scores: Array) -> Array:
        """The rows of one image; ``boxes`` (1 or C, P, 4 or 12), ``scores`` (P, C)."""
        suppression, keep = self.spec.detection_output_param.nms_param, self.keep
        found = [np.empty((0, self.columns), scores.dtype)]
        for label in range(self.classes):
            if label == self.background:
                continue
            column = scores[:, label]
            places = np.flatnonzero(column > self.least)
            candidates = boxes[0 if self.shared else label][places]
            stay = nms(
                candidates[:, :4],
                column[places],
                suppression.nms_threshold,
                eta=suppression.eta,
                top_k=self.top_k,
            )
            rows = np.empty((len(stay), self.columns), scores.dtype)
            rows[:, 0], rows[:, 1] = image, label
            rows[:, 2], rows[:, 3:] = column[places[stay]], candidates[stay]
            found.append(rows)
        every = np.concatenate(found)
        if -1 < keep < len(every):
            every = every[np.sort(np.argsort(-every[:, 2], kind="stable")[:keep])]
        return every

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.device.put(self._rows, tops[0])
