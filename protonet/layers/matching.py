"""Matching of a detector's priors to objects, and mining of hard examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from protonet.blob import Array
from protonet.errors import LayerError
from protonet.kernels.boxes import FREE, match, nms, sizes
from protonet.layers.base import Layer
from protonet.proto.caffe_pb2 import MultiBoxLossParameter

_LEAST_SIZE = 1e-5
"""Smaller boxes are not hard examples if an nms_param suppresses overlapping ones."""


@dataclass(frozen=True)
class Truths:
    """The objects of a batch: (G,) images, labels, difficult; (G, 4) corners."""

    image: Array
    label: Array
    corners: Array
    difficult: Array


@dataclass(frozen=True)
class Pairs:
    """Matched priors: image, prior, set of offsets and truth of each, (M,)."""

    image: Array
    prior: Array
    place: Array
    truth: Array

    def where(self, mask: Array) -> Pairs:
        """The pairs for which ``mask`` (M,) is true."""
        return Pairs(self.image[mask], self.prior[mask], self.place[mask], self.truth[mask])


class Matcher:
    """Matching and mining by a layer's multibox_loss_param, for N images and P priors."""

    def __init__(self, layer: Layer, images: int, priors: int) -> None:
        self.layer = layer
        self.param = layer.spec.multibox_loss_param
        self.shape = (images, priors)

    def read(self, rows: Array) -> Truths:
        """The objects of a label bottom (R, 8): image, label, instance, corners, difficult.

        Raises:
            LayerError: for an invalid image or label.
        """
        classes, background = self.param.num_classes, self.param.background_label_id
        rows = rows[np.trunc(rows[:, 0]) != -1]
        image, label = np.trunc(rows[:, 0]), np.round(rows[:, 1])
        images = self.shape[0]
        self._check(image, (image >= 0) & (image < images), "image", f"0 to {images - 1}")
        if self.param.map_object_to_agnostic:
            self._check(label, label > background, "label", "1 and more")
            label = np.full_like(label, background + 1)
        else:
            self._check(
                label,
                (label >= 0) & (label < classes) & (label != background),
                "label",
                f"0 to {classes - 1} but {background}, the background",
            )
        easy = rows[:, 7] == 0
        kept = easy | self.param.use_difficult_gt
        return Truths(
            image[kept].astype(int), label[kept].astype(int), rows[kept, 3:7], ~easy[kept]
        )

    def _check(self, values: Array, valid: Array, what: str, expected: str) -> None:
        if not valid.all():
            layer = self.layer
            raise LayerError(
                f'layer "{layer.name}" ({layer.type}): {what} {values[~valid][0]:g} in '
                f"'{layer.spec.bottom[3]}' is not one of {expected}",
                ("bottom", 3),
            )

    def pair(self, priors: Array, boxes: Array | None, truths: Truths) -> tuple[Pairs, Array]:
        """The pairs of all images, and the overlap of each prior that may be a negative.

        Args:
            priors: (P, 4).
            boxes: N x sets x P x 4, matched instead of the priors if the layer's settings say so.
            truths: the objects.

        Returns:
            The pairs; and the overlaps, (N, P), infinite for a prior that matches, is ignored or
            has no object in its image.
        """
        param = self.param
        if param.use_prior_for_matching:
            boxes = None
        of_class = boxes is not None and not param.share_location
        free = np.full(self.shape, np.inf)
        found = [np.zeros((4, 0), int)]
        for image in np.unique(truths.image):
            mine = truths.image == image
            for place, each in enumerate(priors[None] if boxes is None else boxes[image]):
                if of_class and place == param.background_label_id:
                    continue
                indices = np.flatnonzero(mine & (truths.label == place) if of_class else mine)
                matches, overlap = self._match(each, truths, indices)
                (prior,) = np.nonzero(matches >= 0)
                truth = indices[matches[prior]]
                places = np.full_like(prior, place)
                if boxes is None and not param.share_location:
                    places = truths.label[truth]
                found.append(np.stack([np.full_like(prior, image), prior, places, truth]))
                free[image] = np.where(matches == FREE, overlap, np.inf)
        return Pairs(*np.concatenate(found, axis=1)), free

    def _match(self, boxes: Array, truths: Truths, indices: Array) -> tuple[Array, Array]:
        param = self.param
        greedy = param.match_type == MultiBoxLossParameter.PER_PREDICTION
        return match(
            boxes,
            truths.corners[indices],
            threshold=param.overlap_threshold if greedy else None,
            inside_only=param.ignore_cross_boundary_bbox,
            difficult=truths.difficult[indices] if param.ignore_difficult_gt else None,
        )

    def mine(
        self, truths: Truths, pairs: Pairs, free: Array, costs: Array, boxes: Array
    ) -> tuple[Array, Array]:
        """The pairs and the priors' scores that contribute to the loss.

        MAX_NEGATIVE: all pairs, and of the unmatched priors of each image that overlap by less than
        neg_overlap those of highest loss, neg_pos_ratio for each pair. HARD_EXAMPLE: the
        sample_size priors of highest loss of each image that has objects.

        Args:
            truths: the objects.
            pairs: as ``pair`` returns them.
            free: as ``pair`` returns them.
            costs: the loss of each prior, (N, P).
            boxes: (N, P, 4), for non-maximum suppression with an nms_param.

        Returns:
            Two masks, (M,) and (N, P).
        """
        hard = self.param.mining_type == MultiBoxLossParameter.HARD_EXAMPLE
        taken = np.full(len(pairs.prior), not hard)
        chosen = np.zeros(self.shape, bool)
        for image in np.unique(truths.image):
            own = pairs.image == image
            eligible = np.flatnonzero((free[image] < self.param.neg_overlap) | hard)
            most = self.param.sample_size if hard else int(own.sum() * self.param.neg_pos_ratio)
            picked = eligible[self._hardest(boxes[image, eligible], costs[image, eligible])[:most]]
            chosen[image, picked] = np.isfinite(free[image, picked])
            taken |= own & np.isin(pairs.prior, picked)
        chosen[pairs.image[taken], pairs.prior[taken]] = True
        return taken, chosen

    def _hardest(self, boxes: Array, costs: Array) -> Array:
        """Indices by descending loss; after non-maximum suppression with an nms_param."""
        suppression = self.param.nms_param
        if not self.param.HasField("nms_param") or suppression.nms_threshold <= 0:
            order: Array = np.argsort(-costs, kind="stable")
            return order
        large = np.flatnonzero(sizes(boxes) >= _LEAST_SIZE)
        top_k = suppression.top_k if suppression.HasField("top_k") else -1
        return large[nms(boxes[large], costs[large], suppression.nms_threshold, top_k=top_k)]
