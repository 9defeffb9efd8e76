"""Losses of YOLO detectors: a map of predictions, and the true boxes of each image."""

from __future__ import annotations

import numpy as np

from protonet.blob import Array
from protonet.errors import LayerError
from protonet.kernels.boxes import overlaps
from protonet.layers.registry import register
from protonet.layers.yolo import read_anchors, sigmoid
from protonet.layers.yolo_truths import NUMBERS, Matches, YoloLoss, best_overlap, corners_of

_SMALLEST = float(np.finfo(np.float32).tiny)
_BURN_IN = 12800
"""Number of first images in which YOLOv2 pulls boxes to their anchors."""


def cross_entropy(x: Array, target: Array) -> Array:
    """-t log s(x) - (1 - t) log(1 - s(x)), with s the sigmoid."""
    result: Array = np.logaddexp(0, x) - target * x
    return result


@register("RegionLoss")
class RegionLoss(YoloLoss):
    """The loss of YOLOv2: box coordinates, objectness and class.

    A truth is matched to the anchor of best IoU (of shapes) in the cell of its centre. With s the
    sigmoid, and z = (s(x), s(y), w, h), that box adds k |z - z*|^2 / 2, object_scale (s(o) -
    t)^2 / 2 and -class_scale log p[label]; t is the IoU of box and truth, and k coord_scale; with
    rescore 0, t = 1 and k = coord_scale (2 - area). Unmatched boxes whose IoU with each truth is
    at most thresh add noobject_scale s(o)^2 / 2. In TRAIN, for the first 12800 images, each
    unmatched box adds |z - (1/2, 1/2, 0, 0)|^2 / 200. L is the sum over N.
    Gradient: that of L, with t as a constant.

    Bottom:
        0: N x (B (5 + C)) x H x W: x, y, w, h, o and the classes of each box.
        1: labels, N x ... x 5: rows of class (from 0), x, y (of the centre), width, height, in
        fractions of the image; they end before the first of width 0. No gradient.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        region_loss_param: num_class (C, 20), num (B, 5), biases (required; width and height of
        each anchor, in cells), bias_match (1; 0: matched by the predicted shapes, not anchors),
        rescore (1), object_scale (1), noobject_scale (0.5), class_scale (1), coord_scale (5),
        thresh (0.2). side, softmax, jitter, absolute and random have no effect. loss_weight
        (1).
    Raises:
        LayerError: for counts below 1, coords other than 4, biases that are not B pairs above 0, a
        softmax_tree or class_map, bottoms of invalid shapes, and, while running, for invalid rows
        of labels.
    Differs:
        BVLC Caffe has no such layer; this is the one of the forks for YOLO. The gradient is
        theirs; their L is the sum of its squares, which it is not the gradient of.
    """

    field = "region_loss_param"

    def setup(self) -> None:
        param = self.spec.region_loss_param
        self.classes, self.count, self.thresh = param.num_class, param.num, param.thresh
        self.check_counts()
        if param.coords != 4:
            raise LayerError(f"expected coords 4, got {param.coords}", (self.field, "coords"))
        for name in ("softmax_tree", "class_map"):
            if getattr(param, name):
                raise LayerError(f"{name} is not supported", (self.field, name), "remove it")
        self._anchors = read_anchors(self, self.field, self.count)[: self.count]

    @property
    def map_anchors(self) -> Array:
        return self._anchors

    @property
    def extent(self) -> tuple[float, float]:
        return self._shape[3], self._shape[2]

    def match_anchor(self, size: Array, boxes: Array) -> int | None:
        if self.spec.region_loss_param.bias_match:
            return best_overlap(size, self._anchors / self.extent)
        return best_overlap(size, boxes[:, 2:] - boxes[:, :2])

    def compute_loss(
        self, numbers: Array, boxes: Array, free: Array, matches: Matches, slope: Array
    ) -> float:
        param, at = self.spec.region_loss_param, matches.places
        s = sigmoid(numbers[..., 4])
        weight = np.where(free, param.noobject_scale, 0.0)
        weight[at] = param.object_scale
        target = np.zeros(s.shape)
        target[at] = 1
        pull = np.zeros(s.shape)
        part = self.random.part
        images = len(numbers) if part is None else part.whole
        if self.training and self.random.clock.iteration < _BURN_IN // max(1, images):
            pull += 0.01
        pull[at] = param.coord_scale
        if param.rescore:
            pairs = zip(boxes[at], corners_of(matches.truths), strict=True)
            target[at] = [overlaps(box[None], truth[None])[0, 0] for box, truth in pairs]
        else:
            pull[at] *= 2 - matches.truths[:, 3] * matches.truths[:, 4]
        loss = float((weight * (s - target) ** 2).sum()) / 2
        slope[..., 4] = weight * (s - target) * s * (1 - s)
        wanted = np.zeros((*s.shape, 4))
        wanted[..., :2] = 0.5
        wanted[at] = self.targets(matches)
        said = np.concatenate([sigmoid(numbers[..., :2]), numbers[..., 2:4]], axis=-1)
        miss = np.where(pull[..., None] > 0, said - wanted, 0)
        loss += float((pull[..., None] * miss**2).sum()) / 2
        slope[..., :4] = pull[..., None] * miss
        slope[..., :2] *= said[..., :2] * (1 - said[..., :2])
        rows = numbers[at][:, NUMBERS:]
        p = np.exp(rows - rows.max(axis=1, keepdims=True, initial=-np.inf))
        p /= p.sum(axis=1, keepdims=True)
        label = matches.truths[:, 0].astype(int)
        likely = np.maximum(p[np.arange(len(p)), label], _SMALLEST)
        loss -= param.class_scale * float(np.log(likely).sum())
        p[np.arange(len(p)), label] -= 1
        slope[(*at, slice(NUMBERS, None))] = param.class_scale * p
        return loss


@register("Yolov3")
class Yolov3(YoloLoss):
    """The loss of YOLOv3 for the map of one scale: box coordinates, objectness and classes.

    A truth is matched to the anchor of best IoU (of shapes) of all biases, in the cell of its
    centre; if mask does not have that anchor, another map has it. With s the sigmoid and e the
    cross-entropy of s, that box adds k e(x), k e(y), k (w - w*)^2 / 2 (h likewise), e(o) with
    target 1, and class_scale e(c) for each class, with target 1 for a truth's class, else 0; k is
    coord_scale (2 - area). Unmatched boxes whose IoU with each truth is at most thresh add e(o)
    with target 0. With use_logic_gradient, squares (s - t)^2 / 2 replace e, and object_scale
    is used. L is the sum over N.

    Bottom:
        0: N x (B (5 + C)) x H x W: x, y, w, h, o and the classes of each box.
        1: labels, N x ... x 5: rows of class (from 0), x, y (of the centre), width, height, in
        fractions of the image; they end before the first of width 0. No gradient.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        yolov3_param: num_class (C, 20), num (B, 5), biases (required; width and height of each
        anchor, in pixels), mask (required; B anchors of this map), anchors_scale (32: pixels for
        each cell), thresh (0.2), coord_scale (5), class_scale (1), use_logic_gradient (false),
        object_scale (1, with use_logic_gradient). side and noobject_scale have no effect.
        loss_weight (1).
    Raises:
        LayerError: for counts below 1, biases that are not pairs above 0, a mask that does not
        name B of them, anchors_scale 0, bottoms of invalid shapes, and, while running, for invalid
        rows of labels.
    Differs:
        BVLC Caffe has no such layer; this is the one of the forks for YOLO. The gradient is
        theirs, except for truths of several classes in one box: theirs has the wrong sign there.
        Their L is the sum of squares of the gradient, which it is not the gradient of.
    """

    field = "yolov3_param"

    def setup(self) -> None:
        param = self.spec.yolov3_param
        self.classes, self.count, self.thresh = param.num_class, param.num, param.thresh
        self.check_counts()
        if len(set(param.mask)) != self.count or len(param.mask) != self.count:
            raise LayerError(
                f"expected a mask of {self.count} different anchors, as num says, got "
                f"{list(param.mask)}",
                (self.field,),
            )
        if not param.anchors_scale:
            raise LayerError(
                "expected anchors_scale of 1 or more, got 0", (self.field, "anchors_scale")
            )
        self._anchors = read_anchors(self, self.field, max(param.mask) + 1)
        self._mask = list(param.mask)

    @property
    def map_anchors(self) -> Array:
        return self._anchors[self._mask]

    @property
    def extent(self) -> tuple[float, float]:
        scale = self.spec.yolov3_param.anchors_scale
        return self._shape[3] * scale, self._shape[2] * scale

    def match_anchor(self, size: Array, boxes: Array) -> int | None:
        best = best_overlap(size, self._anchors / self.extent)
        return self._mask.index(best) if best in self._mask else None

    def compute_loss(
        self, numbers: Array, boxes: Array, free: Array, matches: Matches, slope: Array
    ) -> float:
        param, at = self.spec.yolov3_param, matches.places
        weight = np.where(free, 1.0, 0.0)
        weight[at] = param.object_scale if param.use_logic_gradient else 1
        target = np.zeros(free.shape)
        target[at] = 1
        loss = self._part(numbers[..., 4], target, weight, slope, (..., 4))
        own, wanted = numbers[at], self.targets(matches)
        pull = (param.coord_scale * (2 - matches.truths[:, 3] * matches.truths[:, 4]))[:, None]
        loss += self._part(own[:, :2], wanted[:, :2], pull, slope, (*at, slice(2)))
        miss = own[:, 2:4] - wanted[:, 2:]
        loss += float((pull * miss**2).sum()) / 2
        slope[(*at, slice(2, 4))] = pull * miss
        weight = np.array(param.class_scale)
        return loss + self._part(
            own[:, NUMBERS:], matches.classes, weight, slope, (*at, slice(NUMBERS, None))
        )

    def _part(
        self, x: Array, target: Array, weight: Array, slope: Array, where: tuple[object, ...]
    ) -> float:
        """The loss of values under the sigmoid; writes their gradient."""
        s = sigmoid(x)
        if self.spec.yolov3_param.use_logic_gradient:
            slope[where] = weight * (s - target) * s * (1 - s)
            return float((weight * (s - target) ** 2).sum()) / 2
        slope[where] = weight * (s - target)
        return float((weight * cross_entropy(x, target)).sum())
