"""The losses of the boxes of MS-CNN and Cascade R-CNN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.softmax import SMALLEST, softmax
from protonet.layers.base import Layer
from protonet.layers.box_maps import MapLabels, MapLayer
from protonet.layers.registry import register


class _MapLoss(MapLayer):
    """Base: the loss of chosen cells, of their classes and of the offsets of objects."""

    tops = (0, 1)
    is_loss = True

    def setup(self) -> None:
        super().setup()
        if not self.param.bg_multiple:
            raise LayerError("expected bg_multiple above 0, got 0", (self.field, "bg_multiple"))

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        self.check(shapes)
        return [(1, 1, 1, 2)]

    def choose(self, scores: Array, labels: MapLabels) -> Array:
        """The cells that count, (N, G, H, W)."""
        raise NotImplementedError

    def weigh(self, labels: MapLabels, chosen: Array) -> Array:
        """The weight of the classes of each cell, (N, G, H, W)."""
        raise NotImplementedError

    def bounded(self, offsets: Array) -> Array:
        """Offsets within the limits of the boxes."""
        return self.fields.bound(offsets, self.param.field_xyr, self.param.field_whr)

    @property
    def smooth(self) -> bool:
        """Whether the loss of an offset is linear beyond 1."""
        raise NotImplementedError

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        scores, offsets, labels = self.maps(bottoms)
        # A diverged net can output any values: no warning for each box.
        with np.errstate(all="ignore"):
            chosen = self.choose(scores, labels)
            of_classes, dscores = self._class_loss(scores, labels, chosen)
            of_boxes, doffsets = self._box_loss(offsets, labels, chosen & labels.objects)
        slopes = [
            each.reshape(-1, *each.shape[2:]) for each in (dscores, doffsets)
        ]  # fmt: skip
        self._slopes = slopes if self.grouped else [np.concatenate(slopes, axis=1)]
        both = np.array([of_classes + of_boxes, of_boxes])
        self.device.put(both.reshape(tops[0].shape), tops[0])

    def _class_loss(self, scores: Array, labels: MapLabels, chosen: Array) -> tuple[float, Array]:
        """-log p of the right class, weighted, over the number of cells; and its gradient."""
        p, weights = np.empty_like(scores), self.weigh(labels, chosen) * chosen
        softmax(np, scores, 2, p, np.empty_like(scores[:, :, :1]))
        target = labels.target[:, :, None]
        own = np.take_along_axis(p, target, axis=2)
        costs = -np.log(np.maximum(own[:, :, 0], SMALLEST))
        count = max(1, int(chosen.sum()))
        np.put_along_axis(p, target, own - 1, axis=2)
        loss = float((costs[chosen] * weights[chosen]).sum()) / count
        return loss, np.where(chosen[:, :, None], p * weights[:, :, None], 0) / count

    def _box_loss(self, offsets: Array, labels: MapLabels, cells: Array) -> tuple[float, Array]:
        """The mean loss of the offsets of cells, times lambda; and its gradient."""
        wanted = self.fields.encode(labels.boxes)
        errors = np.where(cells[:, :, None], self.bounded(offsets) - wanted, 0)
        slope = np.clip(errors, -1, 1) if self.smooth else errors
        factor = getattr(self.param, "lambda") / max(1, 4 * int(cells.sum()))
        loss = float((slope * (errors - slope / 2)).sum()) * factor
        return loss, slope * factor

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        # The second value is a part of the first, which alone is the loss.
        weight = dtops[0].reshape(-1)[:1]
        for slope, dx in zip(self._slopes, dbottoms, strict=False):
            if dx is not None:
                self.device.put(slope.astype(dx.dtype), dx)
                self.xp.multiply(dx, weight, out=dx)


def _refuse_kind(layer: Layer, field: str, name: str, known: Sequence[str]) -> None:
    """LayerError for a setting that is not one of ``known``."""
    given = getattr(getattr(layer.spec, field), name)
    if given not in known:
        raise LayerError(
            f"unknown {name} '{given}'; there are {', '.join(known)}", (field, name)
        )  # fmt: skip


def _hardest(ranks: Array, cells: Array, count: int) -> Array:
    """Of ``cells`` (indices) the ``count`` of highest ``ranks``; the last of equal ones first."""
    order = np.lexsort((cells, ranks))[::-1]
    hardest: Array = cells[order[: max(0, count)]]
    return hardest


@register("DetectionLoss")
class DetectionLoss(_MapLoss):
    """L = sum w c / M + lambda sum l(t - g) / (4 P), over M cells, P of them of objects.

    All objects count, and background whose overlap with objects is below bg_threshold: chosen at
    random, or with the highest scores for a class (bootstrap), or half by either (mixture), or
    all. bg_multiple cells for each object are tried, 4 or more for each class. c is
    -log max(p, 1.2e-38) of the right class; w is the overlap of objects with iou_weighted, and
    pos_neg_weighted scales both kinds to 1 : bg_multiple. l(d) is d^2 / 2 for |d| < 1 and
    |d| - 1 / 2 beyond; without bb_smooth d^2 / 2. t are the offsets, bounded by field_xyr and
    field_whr as in BoxOutput, g those of the object.
    Gradients: of L, through the bounds; cells and weights are constant. Computed on the host,
    also if the net runs on a GPU.

    Bottom:
        0: N x (K + 4) x H x W, scores of K classes, the background first, and offsets.
        1: N x 6 x H x W, labels: class, x and y of the centre, width, height, overlap. Gets no
        gradient.
    Top:
        L: 1 x 1 x 1 x 2, the loss, and its second term, which gets no gradient of its own.
    Params:
        none.
    Spec:
        detection_loss_param: cls_num (K, required), field_w and field_h (required),
        downsample_rate (required), lambda (1), bb_smooth (true), field_whr (2), field_xyr (2),
        bg_threshold (0.5), bg_multiple (4), sample_mode (random), objectness (false; true: all
        classes are 1), iou_weighted (false), pos_neg_weighted (false), coord_num (4).
        bbox_reg_param: bbox_mean and bbox_std (offsets are as they are).
        loss_param: ignore_label (none). loss_weight (1).
    Raises:
        LayerError: without cls_num, a field or downsample_rate, for another sample_mode, settings
        out of range, bottoms of invalid shapes; and, while running, for an invalid class.
    Differs:
        BVLC Caffe has no such layer; this is the one of zhaoweicai/mscnn. The objective that is
        printed is the sum of both values, as there. Ignored cells are not counted anywhere; there
        they count as objects when background is chosen. Random cells follow from the seed.
    """

    bottoms = (2, 2)
    field = "detection_loss_param"
    grouped = False

    def setup(self) -> None:
        super().setup()
        kinds = ("random", "bootstrap", "mixture", "all")
        _refuse_kind(self, self.field, "sample_mode", kinds)

    @property
    def smooth(self) -> bool:
        return self.spec.detection_loss_param.bb_smooth

    def choose(self, scores: Array, labels: MapLabels) -> Array:
        param = self.spec.detection_loss_param
        free, chosen = labels.background(param.bg_threshold), labels.objects
        if param.sample_mode == "all":
            return chosen | free
        share = param.bg_multiple * (0.5 if param.sample_mode == "mixture" else 1.0)
        generator = self.random.host()
        for image in range(len(free)):
            cells, mask = np.flatnonzero(free[image]), chosen[image].reshape(-1)
            kinds = labels.target[image][labels.objects[image]]
            if param.sample_mode != "bootstrap":
                tries = max(int(len(kinds) * share), 4 * (self.classes - 1))
                drawn = generator.integers(free[image].size, size=tries)
                mask[drawn[free[image].reshape(-1)[drawn]]] = True
            if param.sample_mode != "random":
                for kind in range(1, self.classes):
                    ranks = scores[image, 0, kind].reshape(-1)[cells]
                    count = max(4, int((kinds == kind).sum() * share))
                    mask[_hardest(ranks, cells, count)] = True
        return chosen

    def weigh(self, labels: MapLabels, chosen: Array) -> Array:
        param = self.spec.detection_loss_param
        weights = np.ones(chosen.shape)
        objects = labels.objects
        if param.iou_weighted:
            weights[objects] = labels.overlap[objects]
        if param.pos_neg_weighted and weights[objects].sum():
            balance(weights, objects, chosen, param.bg_multiple)
        return weights


@register("DetectionGroupLoss")
class DetectionGroupLoss(_MapLoss):
    """L = sum w c / M + lambda sum l(t - g) / (4 P), over M cells of all anchors, P of objects.

    Of each image's cells, batch_size count: objects, at most 1 of 1 + bg_multiple, at random; and
    background whose overlap with objects is below bg_threshold: at random, the hardest
    (bootstrap), or half of either (mixture). With batch_size -1 all objects count, and bg_multiple
    times as much background, at least min_num_neg. c is -log max(p, 1.2e-38) of the right
    class; pos_neg_weighted scales objects and background by w to 1 : bg_multiple. l(d) is
    d^2 / 2 for |d| < 1 and |d| - 1 / 2 beyond (Smooth_L1), or d^2 / 2 (Euclidean_L2). t are the
    offsets, bounded if field_xyr and field_whr are given, g those of the object.
    Gradients: of L, through the bounds; cells and weights are constant. Computed on the host,
    also if the net runs on a GPU.

    Bottom:
        0: (N G) x K x H x W, scores of K classes at G anchors, the background first.
        1: (N G) x 4 x H x W, offsets.
        2: (N G) x 6 x H x W, labels: class, x and y of the centre, width, height, overlap. Gets
        no gradient.
    Top:
        L: 1 x 1 x 1 x 2, the loss, and its second term, which gets no gradient of its own.
    Params:
        none.
    Spec:
        detection_group_loss_param: cls_num (K, required), field_w and field_h (one for each
        anchor), stride (required), lambda (1), field_whr (none), field_xyr (none), bg_threshold
        (0.5), bg_multiple (4), neg_mining_type (random), neg_ranking_type (conf_loss or
        conf_prob: the same order), min_num_neg (5), objectness (false; true: all classes are 1),
        batch_size (-1), pos_neg_weighted (false), bbox_loss_type (Smooth_L1).
        bbox_reg_param: bbox_mean and bbox_std (offsets are as they are).
        loss_param: ignore_label (none). loss_weight (1).
    Raises:
        LayerError: without cls_num, fields or stride, for an unknown type, settings out of
        range, bottoms of invalid shapes; and, while running, for an invalid class.
    Differs:
        BVLC Caffe has no such layer; this is the one of zhaoweicai/cascade-rcnn. The objective
        that is printed is the sum of both values, as there. Bounds leave bottom 1 unchanged; there
        they overwrite it. Ignored cells are not chosen. Random cells follow from the seed.
    """

    bottoms = (3, 3)
    field = "detection_group_loss_param"
    grouped = True

    def setup(self) -> None:
        super().setup()
        param = self.spec.detection_group_loss_param
        _refuse_kind(self, self.field, "neg_mining_type", ("random", "bootstrap", "mixture"))
        _refuse_kind(self, self.field, "neg_ranking_type", ("conf_loss", "conf_prob"))
        _refuse_kind(self, self.field, "bbox_loss_type", ("Smooth_L1", "Euclidean_L2"))
        if param.batch_size != -1 and param.batch_size < 1:
            raise LayerError(
                f"expected batch_size above 0, or -1 for all objects, got {param.batch_size}",
                (self.field, "batch_size"),
            )

    @property
    def smooth(self) -> bool:
        return self.spec.detection_group_loss_param.bbox_loss_type == "Smooth_L1"

    def bounded(self, offsets: Array) -> Array:
        param = self.spec.detection_group_loss_param
        if param.HasField("field_xyr") and param.HasField("field_whr"):
            return super().bounded(offsets)
        return offsets

    def choose(self, scores: Array, labels: MapLabels) -> Array:
        param = self.spec.detection_group_loss_param
        free, generator = labels.background(param.bg_threshold), self.random.host()
        chosen = np.zeros(free.shape, bool)
        # The loss of background grows with the scores of all classes against the first.
        ranks = np.logaddexp.reduce(scores - scores[:, :, :1], axis=2)
        for image, mask in enumerate(chosen):
            objects, rest = (
                np.flatnonzero(each[image]) for each in (labels.objects, free)
            )  # fmt: skip
            most, others = self._counts(len(objects))
            if len(objects) > most:
                objects = generator.choice(objects, most, replace=False)
            if len(rest) > others:
                hard = {"random": 0, "bootstrap": others, "mixture": int(others / 2 + 0.5)}
                first = _hardest(
                    ranks[image].reshape(-1)[rest], rest, hard[param.neg_mining_type]
                )  # fmt: skip
                left = np.setdiff1d(rest, first)
                drawn = generator.choice(left, others - len(first), replace=False)
                rest = np.concatenate([first, drawn])
            mask.reshape(-1)[np.concatenate([objects, rest])] = True
        return chosen

    def _counts(self, objects: int) -> tuple[int, int]:
        """How many cells of objects and of background an image has at most."""
        param = self.spec.detection_group_loss_param
        if param.batch_size == -1:
            return objects, max(objects * param.bg_multiple, param.min_num_neg)
        most = int(param.batch_size / (1 + param.bg_multiple) + 0.5)
        return most, param.batch_size - min(most, objects)

    def weigh(self, labels: MapLabels, chosen: Array) -> Array:
        param = self.spec.detection_group_loss_param
        weights = np.ones(chosen.shape)
        if param.pos_neg_weighted:
            balance(weights, labels.objects, chosen, param.bg_multiple)
        return weights


def balance(weights: Array, objects: Array, chosen: Array, multiple: int) -> None:
    """Scale the weights of chosen objects and of the chosen rest to 1 : ``multiple``, so that
    all together have the sum of their number.
    """
    share, count = 1 / (1 + multiple), int(chosen.sum())
    for cells, part in ((objects & chosen, share), (~objects & chosen, 1 - share)):
        total = weights[cells].sum()
        if total:
            weights[cells] *= part * count / total
