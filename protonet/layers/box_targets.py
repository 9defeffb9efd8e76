"""The regions that the second stages of MS-CNN and Cascade R-CNN are trained with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.anchors import overlaps_inclusive, targets
from protonet.layers.base import shape_text
from protonet.layers.box_maps import check_rows
from protonet.layers.box_stages import BoxLayer
from protonet.layers.registry import register

_PARAM = "proposal_target_param"
_LEAST = 32
"""Random regions of background have no smaller sides."""
_ROUNDS = 100
"""How often random regions are drawn until enough of them show background."""


class _Matched(NamedTuple):
    """Regions (R, 5), the truth of each (-1: none), their overlap, and whether they are objects."""

    rows: Array
    truth: Array
    overlap: Array
    positive: Array


@register("ProposalTarget")
class ProposalTarget(BoxLayer):
    """Samples regions for the second stage of a detector; their classes and target offsets.

    A region belongs to the truth of its image that it overlaps most (intersection over union).
    From fg_thr on it is an object, or is left out where the truth is ignored; from bg_thr_lw to
    below bg_thr_hg it is background. Of batch_size regions at most fg_fraction are objects; where
    background is missing, regions of neither kind are taken. Truths are regions too, with
    append_gtbox. There is no gradient.

    Bottom:
        0: regions, R x 5 x ...: image, xmin, ymin, xmax, ymax.
        1: truths, G x 7 x ... (MS-CNN) or G x 8 x ... (Cascade R-CNN): image (-1: not a row),
        xmin, ymin, xmax, ymax, class, ignored, difficult.
    Top:
        0: regions, S x 5 x 1 x 1, objects first.
        1: classes, S x 1 x 1 x 1; 0 is background.
        2, 3, 4: target offsets of the class, and weights inside and outside of SmoothL1Loss,
        S x (4 cls_num) x 1 x 1; with cls_aware: false S x 8 x 1 x 1.
        5: truths of objects, S x 6 x 1 x 1: class, xmin, ymin, xmax, ymax, overlap.
        6 (optional): weights of classes, S x 1 x 1 x 1: objects have fg_fraction of their sum.
    Params:
        none.
    Spec:
        proposal_target_param: cls_num, img_width and img_height (required), batch_size (128; -1:
        all), fg_fraction (0.25), num_img_per_batch (4), fg_thr (0.5), bg_thr_hg (0.5), bg_thr_lw
        (0.1), iou_weighted (false: objects weigh the same), bbox_thr_lw (0) and bbox_thr_hg (10:
        overlaps of objects whose offsets count), pickup_discard (true), append_gtbox (true).
        bbox_reg_param: bbox_mean and bbox_std (offsets are as they are), cls_aware (true).
    Raises:
        LayerError: without cls_num or an image's size, for settings out of range, bottoms of
        invalid shapes, a loss_weight; and, while running, for an invalid image or class.
    Differs:
        BVLC Caffe has no such layer; this is the one of zhaoweicai/mscnn and cascade-rcnn. Truths
        of 7 values mean MS-CNN, which fills a batch up with random background; of 8 values Cascade
        R-CNN, which adds one such region where there is none. Random draws follow from the seed.
    """

    bottoms = (2, 2)
    tops = (6, 7)

    def setup(self) -> None:
        param = self.spec.proposal_target_param
        self.no_gradient = frozenset({0, 1})
        self.deviation, self.mean = self.read_normalization()
        self.aware = self.spec.bbox_reg_param.cls_aware
        self.slots = int(param.cls_num) if self.aware else 2
        if param.cls_num < 2:
            raise LayerError(
                f"expected cls_num of 2 or more, the background among them, got {param.cls_num}",
                (_PARAM, "cls_num"),
            )
        if param.batch_size < 1 and param.batch_size != -1:
            raise LayerError(
                f"expected batch_size above 0, or -1 for all, got {param.batch_size}",
                (_PARAM, "batch_size"),
            )
        for name, low, high in (
            *(("fg_fraction", 0, 1), ("fg_thr", 0, 1), ("bg_thr_hg", 0, param.fg_thr)),
            ("bg_thr_lw", -math.inf, param.bg_thr_hg),
        ):
            if not low <= getattr(param, name) <= high:
                raise LayerError(
                    f"expected {name} of {max(low, 0):g} to {high:g}, got {getattr(param, name):g}",
                    (_PARAM, name),
                )
        for name in ("img_width", "img_height"):
            if getattr(param, name) <= _LEAST:
                raise LayerError(
                    f"expected {name} above {_LEAST}, that of the net's images, got "
                    f"{getattr(param, name)}",
                    (_PARAM,),
                )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_rows(self.spec, shapes[:1], (5,))
        if len(shapes[1]) < 2 or math.prod(shapes[1][1:]) not in (7, 8):
            raise LayerError(
                f"expected G x 7 or G x 8 in '{self.spec.bottom[1]}', got {shape_text(shapes[1])}",
                ("bottom", 1),
            )
        size = self.spec.proposal_target_param.batch_size
        return self._shapes(max(1, shapes[0][0]) if size == -1 else size)

    def _shapes(self, count: int) -> list[Shape]:
        lengths = (5, 1, *(4 * self.slots,) * 3, 6, 1)[: len(self.spec.top)]
        return [(count, length, 1, 1) for length in lengths]

    def measure(self, bottoms: Sequence[Array]) -> list[Shape]:
        """Sample the regions, which ``forward`` then writes."""
        regions, truths = (
            np.asarray(self.device.get(bottom), np.float64).reshape(len(bottom), -1)
            for bottom in bottoms
        )
        fills = truths.shape[1] == 7
        truths = truths[np.trunc(truths[:, 0]) != -1]
        self._check(regions[:, 0], truths)
        generator = self.random.host()
        chosen = self._sample(self._match(regions, truths), truths, generator)
        missing = int(not len(chosen.rows))
        if fills:
            missing = max(missing, self.spec.proposal_target_param.batch_size - len(chosen.rows))
        if missing:
            spare = self._background(missing, truths, generator)
            chosen = _Matched(*map(np.concatenate, zip(chosen, spare, strict=True)))
        with np.errstate(all="ignore"):
            self._rows = self._describe(chosen, truths)[: len(self.spec.top)]
        shapes = self._shapes(len(chosen.rows))
        self._rows = [row.reshape(shape) for row, shape in zip(self._rows, shapes, strict=True)]
        return shapes

    def _check(self, images: Array, truths: Array) -> None:
        param = self.spec.proposal_target_param
        for place, values, low, most, what in (
            (0, images, 0, param.num_img_per_batch - 1, "images"),
            (1, truths[:, 0], 0, param.num_img_per_batch - 1, "images"),
            (1, truths[:, 5], 1, self.slots - 1 if self.aware else math.inf, "classes"),
        ):
            wrong = ~((values >= low) & (np.trunc(values) <= most))
            if wrong.any():
                raise LayerError(
                    f'layer "{self.name}" ({self.type}): expected {what} {low} to {most} in '
                    f"'{self.spec.bottom[place]}', got {values[wrong][0]:g}",
                    ("bottom", place),
                )

    def _match(self, regions: Array, truths: Array) -> _Matched:
        """The truth of each region; of ignored ones, none is an object."""
        if self.spec.proposal_target_param.append_gtbox:
            regions = np.concatenate([regions, truths[:, :5]])
        table = self._overlaps(regions, truths)
        truth, overlap = np.full(len(regions), -1), table.max(axis=1, initial=-1)
        some = overlap >= 0
        if some.any():
            truth[some] = table[some].argmax(axis=1)
        overlap = np.maximum(overlap, 0)
        positive = some & (overlap >= self.spec.proposal_target_param.fg_thr)
        return _Matched(regions, truth, overlap, positive)

    @staticmethod
    def _overlaps(regions: Array, truths: Array) -> Array:
        """Of each region with each truth; -1 for one of another image."""
        table = overlaps_inclusive(regions[:, 1:], truths[:, 1:5])
        return np.where(np.trunc(regions[:, :1]) == np.trunc(truths[:, 0]), table, -1)

    def _sample(self, found: _Matched, truths: Array, generator: np.random.Generator) -> _Matched:
        """Objects and background of a batch."""
        param, size = self.spec.proposal_target_param, self.spec.proposal_target_param.batch_size
        rest = ~found.positive
        low = rest & (found.overlap >= param.bg_thr_lw) & (found.overlap < param.bg_thr_hg)
        ignored = truths[:, 6] != 0
        objects = np.flatnonzero(found.positive)
        objects = objects[~ignored[found.truth[objects]]]
        background = np.flatnonzero(low)
        if size == -1:
            size = len(objects) + len(background)
            most = len(objects)
        else:
            most = int(param.fg_fraction * size + 0.5)
        objects = _some(objects, most, generator)
        wanted = size - len(objects)
        if len(background) <= wanted and param.pickup_discard:
            spare = np.flatnonzero(rest & ~low)[: wanted - len(background)]
            background = np.concatenate([background, spare])
        background = _some(background, wanted, generator)
        kept = np.concatenate([objects, background])
        return _Matched(*(each[kept] for each in found))

    def _background(self, count: int, truths: Array, generator: np.random.Generator) -> _Matched:
        """Random regions that show no object; any where ``_ROUNDS`` draws find too few."""
        param, rows = self.spec.proposal_target_param, np.empty((0, 5))
        for round_ in range(_ROUNDS):
            start = generator.integers(
                (param.num_img_per_batch, param.img_width - _LEAST, param.img_height - _LEAST),
                size=(count, 3),
            )
            room = np.array([param.img_width, param.img_height]) - start[:, 1:]
            extent = np.maximum(generator.integers(room), _LEAST)
            drawn = np.concatenate([start, start[:, 1:] + extent - 1], axis=1).astype(float)
            if round_ < _ROUNDS - 1:
                free = self._overlaps(drawn, truths).max(axis=1, initial=-1) < param.fg_thr
                drawn = drawn[free]
            rows = np.concatenate([rows, drawn])[:count]
            if len(rows) == count:
                break
        none = np.full(count, -1)
        return _Matched(rows, none, np.zeros(count), np.zeros(count, bool))

    def _describe(self, chosen: _Matched, truths: Array) -> list[Array]:
        """The rows of all tops."""
        param, count = self.spec.proposal_target_param, len(chosen.rows)
        objects = chosen.positive
        own, overlap = truths[chosen.truth[objects]], chosen.overlap[objects]
        kinds, matched = np.zeros(count), np.zeros((count, 6))
        kinds[objects] = np.trunc(own[:, 5])
        matched[objects] = np.column_stack([kinds[objects], own[:, 1:5], overlap])
        offsets = (targets(chosen.rows[objects, 1:], own[:, 1:5]) - self.mean) / self.deviation
        counts = (param.bbox_thr_lw <= overlap) & (overlap <= param.bbox_thr_hg)
        slots = kinds[objects].astype(int) if self.aware else 1
        spread = np.zeros((2, count, self.slots, 4))
        spread[0, objects, slots] = offsets
        spread[1, objects, slots] = counts[:, None]
        weights = np.ones(count)
        if param.iou_weighted:
            weights[objects] = overlap
        if weights[objects].sum():
            for cells, share in ((objects, param.fg_fraction), (~objects, 1 - param.fg_fraction)):
                weights[cells] *= share * count / max(weights[cells].sum(), np.finfo(float).tiny)
        return [chosen.rows, kinds, spread[0], spread[1], spread[1], matched, weights]


def _some(places: Array, most: int, generator: np.random.Generator) -> Array:
    """At most ``most`` of them, at random where there are more."""
    if len(places) <= most:
        return places
    return generator.permutation(places)[: max(0, most)]


@register("HardMining")
class HardMining(BoxLayer):
    """The num_roi_per_image regions of highest score of each image, in their order.

    Where an image has fewer, the highest of the others fill up. There is no gradient.

    Bottom:
        0: scores, R x 1 x ..., such as the loss of each region.
        1: regions, R x 5 x ...: image, xmin, ymin, xmax, ymax. More: R x ..., anything.
    Top:
        one for each bottom but the first: the selected rows, min(R, num_image
        num_roi_per_image).
    Params:
        none.
    Spec:
        hard_mining_param: num_roi_per_image (128), num_image (4).
    Raises:
        LayerError: for settings of 0, a wrong number of tops, bottoms of invalid shapes, a
        loss_weight; and, while running, for an invalid image.
    Differs:
        BVLC Caffe has no such layer; this is the one of zhaoweicai/cascade-rcnn.
    """

    bottoms = (2, None)
    tops = (1, None)

    def setup(self) -> None:
        self.read_normalization()
        self.no_gradient = frozenset(range(len(self.spec.bottom)))
        for name in ("num_roi_per_image", "num_image"):
            if not getattr(self.spec.hard_mining_param, name):
                raise LayerError(f"expected {name} above 0, got 0", ("hard_mining_param", name))
        if len(self.spec.top) != len(self.spec.bottom) - 1:
            raise LayerError(
                f"expected a top for each of {len(self.spec.bottom) - 1} bottoms after the first, "
                f"got {len(self.spec.top)}",
                ("top",),
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_rows(self.spec, shapes, (1, 5, *(None for _ in shapes[2:])))
        param = self.spec.hard_mining_param
        count = min(shapes[0][0], param.num_image * param.num_roi_per_image)
        return [(count, *shape[1:]) for shape in shapes[1:]]

    def measure(self, bottoms: Sequence[Array]) -> list[Shape]:
        """Select the rows, which ``forward`` then writes."""
        param = self.spec.hard_mining_param
        hosts = [np.asarray(self.device.get(bottom)) for bottom in bottoms]
        scores, images = hosts[0].reshape(-1), np.trunc(hosts[1].reshape(len(hosts[1]), -1)[:, 0])
        wrong = ~((images >= 0) & (images < param.num_image))
        if wrong.any():
            raise LayerError(
                f'layer "{self.name}" ({self.type}): expected images 0 to {param.num_image - 1} in '
                f"'{self.spec.bottom[1]}', got {images[wrong][0]:g}",
                ("bottom", 1),
            )
        order = np.lexsort((np.arange(len(scores)), scores))[::-1]
        first = np.zeros(len(scores), bool)
        for image in np.unique(images):
            first[order[images[order] == image][: param.num_roi_per_image]] = True
        most = min(len(scores), param.num_image * param.num_roi_per_image)
        order = np.concatenate([order[first[order]], order[~first[order]]])
        kept = np.sort(order[:most])
        self._rows = [host[kept] for host in hosts[1:]]
        return [each.shape for each in self._rows]
