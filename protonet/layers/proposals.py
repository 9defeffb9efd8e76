"""Proposal: the region proposals of Faster R-CNN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.anchors import RATIOS, SCALES, ProposalSettings, make_anchors
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.registry import register

_PARAM = "proposal_param"


@register("Proposal")
class Proposal(Layer):
    """Boxes decoded from offsets at anchors, with non-maximum suppression.

    Anchors are boxes of each ratio in each scale around every cell of the map. Their boxes are
    cut to the image; those of a side below min_size, times the image's scale, are left out; of
    the pre_nms_topn best, by descending score, one stays when it overlaps none that stayed by more
    than nms_thresh; the first post_nms_topn of those are given. There is no gradient. Computed on
    the host, also if the net runs on a GPU.

    Bottom:
        0: scores, N x (2 A) x H x W: of no object for each of A anchors, then of an object.
        1: offsets, N x (4 A) x H x W: of the centre, and of the logarithms of width and height.
        2: images, N x 3 (or more): height, width, and the factor that it was scaled by; a
        fourth is the factor of columns.
    Top:
        0: regions, R x 5: image, x1, y1, x2, y2 in pixels; by image and descending score.
        1 (optional): their scores, R x 1.
    Params:
        none.
    Spec:
        proposal_param: feat_stride (16: pixels for each cell), base_size (16), min_size (16),
        ratio (0.5, 1, 2), scale (8, 16, 32), pre_nms_topn (6000; 0: all), post_nms_topn (300; 0:
        all), nms_thresh (0.7).
    Raises:
        LayerError: for a stride or base_size of 0, ratios or scales that are not above 0, a
        negative nms_thresh, bottoms of invalid shapes, or a loss_weight.
    Differs:
        BVLC Caffe has no such layer; this is the one of the forks for Faster R-CNN. It takes
        batches. Where nothing is found there are no regions, and R is 0. Of equal scores the
        first anchor comes first.
    """

    bottoms = (3, 3)
    tops = (1, 2)
    no_gradient = frozenset({0, 1, 2})
    traits = Traits(backward_reads=frozenset(), dynamic=True)

    def setup(self) -> None:
        param = self.spec.proposal_param
        if any(self.spec.loss_weight):
            raise LayerError(
                "boxes have no gradient and cannot be part of the objective", ("loss_weight",)
            )
        for field in ("feat_stride", "base_size"):
            if not getattr(param, field):
                raise LayerError(f"expected {field} of 1 or more, got 0", (_PARAM, field))
        for field in ("ratio", "scale"):
            for place, value in enumerate(getattr(param, field)):
                if not 0 < value < np.inf:
                    raise LayerError(
                        f"expected a {field} above 0, got {value:g}", (_PARAM, field, place)
                    )
        if not param.nms_thresh >= 0:
            raise LayerError(
                f"expected nms_thresh of 0 or more, got {param.nms_thresh:g}",
                (_PARAM, "nms_thresh"),
            )
        ratios, scales = (
            given if len(given) else usual
            for given, usual in ((param.ratio, RATIOS), (param.scale, SCALES))
        )
        self.proposing = ProposalSettings(
            stride=param.feat_stride,
            anchors=make_anchors(param.base_size, ratios, scales),
            least=param.min_size,
            before=param.pre_nms_topn,
            after=param.post_nms_topn,
            threshold=param.nms_thresh,
        )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        images, cells = check_maps(self, shapes, len(self.proposing.anchors))
        regions = images * self.proposing.most(cells)
        return [(regions, length) for length in (5, 1)[: len(self.spec.top)]]

    def measure(self, bottoms: Sequence[Array]) -> list[Shape]:
        """Compute the regions, which ``forward`` then writes."""
        scores, offsets, infos = (np.asarray(self.device.get(bottom)) for bottom in bottoms)
        self._rows, self._scores = propose_all(self.proposing, scores, offsets, infos)
        return [self._rows.shape, self._scores.shape][: len(self.spec.top)]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        for host, top in zip((self._rows, self._scores), tops, strict=False):
            self.device.put(host.astype(top.dtype), top)


def check_maps(layer: Layer, shapes: Sequence[Shape], anchors: int) -> tuple[int, int]:
    """The images and cells of scores, offsets and images; LayerError where they do not fit."""
    for place, each in enumerate((2, 4)):
        shape = shapes[place]
        if len(shape) != 4 or shape[1] != each * anchors:
            raise LayerError(
                f"expected N x {each * anchors} x H x W in '{layer.spec.bottom[place]}', {each} "
                f"for each of {anchors} anchors, got {shape_text(shape)}",
                ("bottom", place),
            )
    scores, offsets, infos = shapes[:3]
    if (offsets[0], *offsets[2:]) != (scores[0], *scores[2:]):
        raise LayerError(
            f"expected as many images and cells in '{layer.spec.bottom[1]}' as in "
            f"'{layer.spec.bottom[0]}', {shape_text(scores)}, got {shape_text(offsets)}",
            ("bottom", 1),
        )
    if len(infos) < 2 or infos[0] != scores[0] or int(np.prod(infos[1:])) < 3:
        raise LayerError(
            f"expected height, width and scale of {scores[0]} image(s) in "
            f"'{layer.spec.bottom[2]}', got {shape_text(infos)}",
            ("bottom", 2),
        )
    return scores[0], scores[2] * scores[3]


def propose_all(
    proposing: ProposalSettings, scores: Array, offsets: Array, infos: Array
) -> tuple[Array, Array]:
    """The regions (R, 5) and scores (R, 1) of all images."""
    rows, ranks = [np.empty((0, 5))], [np.empty((0, 1))]
    anchors = len(proposing.anchors)
    for image, info in enumerate(infos.reshape(len(infos), -1)):
        boxes, found = proposing.propose(scores[image, anchors:], offsets[image], info)
        rows.append(np.insert(boxes, 0, image, axis=1))
        ranks.append(found[:, None])
    return np.concatenate(rows), np.concatenate(ranks)
