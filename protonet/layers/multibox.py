"""MultiBoxLoss: the loss of a detector with priors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.boxes import decode, encode, outside
from protonet.kernels.softmax import softmax
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.detection import check_classes, check_predictions
from protonet.layers.matching import Matcher, Pairs, Truths
from protonet.layers.normalizer import divisor
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import LossParameter, MultiBoxLossParameter, PriorBoxParameter

_PARAM = "multibox_loss_param"
_SMALLEST = float(np.finfo(np.float32).tiny)


@register("MultiBoxLoss")
class MultiBoxLoss(Layer):
    """L = (loc_weight sum l(offsets - code of the truth) + sum c(scores, label)) / Z, with the
    first sum over the priors that match a truth, the second over those and the hardest negatives.

    A prior matches the truth that overlaps it most among all pairs, each truth once; with
    PER_PREDICTION also any that it overlaps by overlap_threshold. l is d^2 / 2 where |d| < 1 and
    else |d| - 1/2 (SMOOTH_L1), or d^2 / 2 (L2), over four offsets. c is -log softmax(x)[label]
    (SOFTMAX), or sum log(1 + exp(x)) - x[label] (LOGISTIC); the label of a negative is the
    background. Z: VALID, the matches; FULL, N P; BATCH_SIZE, N; NONE, 1; PRE_FIXED,
    pre_fixed_normalizer; never below 1.
    Gradients: of L for loc and conf, with matches and negatives constant; 0 for all other priors.
    Computed on the host, also if the net runs on a GPU.

    Bottom:
        0: loc, N x (P 4), or N x (P C 4) where share_location is false: offsets at each prior.
        1: conf, N x (P C): the scores of each prior, before any softmax.
        2: priors, 1 x 2 x (P 4), as PriorBox makes them. Gets no gradient.
        3: truths, ... x 8: image (-1: not a row), label, instance, xmin, ymin, xmax, ymax,
        difficult. Gets no gradient.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        multibox_loss_param: num_classes (C, required), share_location (true), loc_loss_type
        (SMOOTH_L1), conf_loss_type (SOFTMAX), loc_weight (1), match_type (PER_PREDICTION),
        overlap_threshold (0.5), use_prior_for_matching (true; else the boxes decoded from loc),
        background_label_id (0), use_difficult_gt (true), ignore_difficult_gt (false),
        ignore_cross_boundary_bbox (false), bp_inside (false), map_object_to_agnostic (false),
        code_type (CORNER), encode_variance_in_target (false), mining_type (MAX_NEGATIVE),
        neg_pos_ratio (3), neg_overlap (0.5), sample_size (64), nms_param (none),
        use_prior_for_nms (false). loss_param: normalization (VALID), normalize. loss_weight (1);
        propagate_down: false for loc or conf leaves its part out of L.
    Raises:
        LayerError: without num_classes, for a background that is not a class, mining without
        share_location, a neg_pos_ratio or sample_size that is not above 0, do_neg_mining that
        contradicts mining_type, map_object_to_agnostic with other than two classes, bottoms of
        invalid shapes; and, while running, for a truth with an invalid image or label, or a
        variance that is not above 0.
    Differs:
        BVLC Caffe has no such layer; this is the one of the SSD and NVIDIA forks. With
        encode_variance_in_target the gradient of loc is divided by the variances, as it is for L.
        With LOGISTIC and mining NONE, an unmatched prior has no label, whatever the background.
        nms_param without top_k has no limit. An invalid label is an error.
    """

    bottoms = (4, 4)
    tops = (0, 1)
    no_gradient = frozenset({2, 3})
    traits = Traits(backward_reads=frozenset(), capturable=False)
    is_loss = True

    def setup(self) -> None:
        param = self.spec.multibox_loss_param
        self.classes = check_classes(param.num_classes, _PARAM)
        self.shared = param.share_location
        self.background = param.background_label_id
        self.code = PriorBoxParameter.CodeType.Name(param.code_type)
        self.softmax = param.conf_loss_type == MultiBoxLossParameter.SOFTMAX
        self.mining = param.mining_type != MultiBoxLossParameter.NONE
        self.hard = param.mining_type == MultiBoxLossParameter.HARD_EXAMPLE
        loss, down = self.spec.loss_param, self.spec.propagate_down
        self.normalization: int = loss.normalization
        if loss.HasField("normalize") and not loss.HasField("normalization"):
            self.normalization = LossParameter.VALID if loss.normalize else LossParameter.BATCH_SIZE
        self.parts = [place >= len(down) or down[place] for place in range(2)]
        self._check_settings()

    def _check_settings(self) -> None:
        param = self.spec.multibox_loss_param
        if self.background >= self.classes:
            raise LayerError(
                f"expected a background_label_id of 0 to {self.classes - 1}, got {self.background}",
                (_PARAM, "background_label_id"),
            )
        if param.map_object_to_agnostic and (self.classes, self.background) != (2, 0):
            raise LayerError(
                "map_object_to_agnostic needs num_classes 2 and background_label_id 0, got "
                f"{self.classes} and {self.background}",
                (_PARAM, "map_object_to_agnostic"),
            )
        if param.HasField("do_neg_mining") and param.do_neg_mining != self.mining:
            found = MultiBoxLossParameter.MiningType.Name(param.mining_type)
            raise LayerError(
                f"do_neg_mining: {str(param.do_neg_mining).lower()} contradicts mining_type: "
                f"{found}",
                (_PARAM, "do_neg_mining"),
                "give mining_type alone",
            )
        if self.mining and not self.shared:
            raise LayerError(
                "mining needs share_location: true", (_PARAM, "share_location"),
                "or set mining_type: NONE",
            )  # fmt: skip
        needed = "sample_size" if self.hard else "neg_pos_ratio"
        if self.mining and not getattr(param, needed) > 0:
            raise LayerError(
                f"expected {needed} above 0, got {getattr(param, needed):g}", (_PARAM, needed)
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_predictions(self, shapes, self.classes, self.shared)
        if not shapes[3] or shapes[3][-1] != 8:
            raise LayerError(
                f"expected rows of 8 values in '{self.spec.bottom[3]}', got "
                f"{shape_text(shapes[3])}",
                ("bottom", 3),
                "image, label, instance, xmin, ymin, xmax, ymax, difficult",
            )
        return [()]

    def build(self, shapes: Sequence[Shape]) -> None:
        images, priors = check_predictions(self, shapes, self.classes, self.shared)
        self._loc_shape = (images, priors, 1 if self.shared else self.classes, 4)
        self._conf_shape = (images, priors, self.classes)
        self._dloc = self.device.pinned(self._loc_shape, self.dtype)
        self._p = self.device.pinned(self._conf_shape, self.dtype)
        self._dconf = self.device.pinned(self._conf_shape, self.dtype)
        self._reduced = self.device.pinned((images, priors, 1), self.dtype)
        self._factor = self.scratch(())
        self._matcher = Matcher(self, images, priors)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        loc, conf, priors, rows = (self.device.get(bottom) for bottom in bottoms)
        loc, conf = loc.reshape(self._loc_shape), conf.reshape(self._conf_shape)
        self._priors, self._variances = priors.reshape(2, -1, 4)
        # A diverged net can output any values: no warning for each box.
        with np.errstate(all="ignore"):
            boxes = self._decode(loc)
            truths = self._matcher.read(rows.reshape(-1, 8))
            pairs, free = self._matcher.pair(self._priors, boxes, truths)
            difference = self._offset_error(loc, boxes, pairs, truths)
            self._write_targets(pairs, truths)
            costs, chosen = self._confidence_loss(conf), np.ones(self._conf_shape[:2], bool)
            if self.mining:
                hardness = costs.copy()
                if self.hard:
                    hardness[pairs.image, pairs.prior] += self._offset_loss(difference).sum(axis=1)
                taken, chosen = self._matcher.mine(
                    truths, pairs, free, hardness, self._nms_boxes(boxes)
                )
                pairs, difference = pairs.where(taken), difference[taken]
            count, each = self._conf_shape[:2]
            self._normalizer = divisor(
                self, self.normalization, len(pairs.prior), count * each, count
            )
            if not self.parts[0]:
                pairs, difference = pairs.where(np.zeros(0, int)), difference[:0]
            chosen &= self.parts[1]
            loss = self._localization_loss(pairs, difference)
            np.subtract(self._p, self._dconf, out=self._dconf)
            loss += float(self._modulate(costs)[chosen].sum(dtype=np.float64))
            self._dconf[~chosen] = 0
        self.device.put(np.array(loss / self._normalizer), tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        self.xp.divide(dtops[0], self._normalizer, out=self._factor)
        for slopes, dx in zip((self._dloc, self._dconf), dbottoms[:2], strict=True):
            if dx is not None:
                self.device.put(slopes, dx)
                self.xp.multiply(dx, self._factor, out=dx)

    # Offsets.

    def _decode(self, loc: Array) -> Array | None:
        """The boxes decoded from ``loc``, N x sets x P x 4; None if not needed."""
        param = self.spec.multibox_loss_param
        thins = self.mining and param.HasField("nms_param") and not param.use_prior_for_nms
        if param.use_prior_for_matching and not thins:
            return None
        variances = self._variances
        if param.encode_variance_in_target:
            variances = np.ones_like(variances)
        return decode(self._priors, variances, loc.swapaxes(1, 2), self.code)

    def _nms_boxes(self, boxes: Array | None) -> Array:
        """The boxes for non-maximum suppression in mining, N x P x 4."""
        if boxes is None or self.spec.multibox_loss_param.use_prior_for_nms:
            return np.broadcast_to(self._priors, (*self._conf_shape[:2], 4))
        one: Array = boxes[:, 0]
        return one

    def _offset_error(self, loc: Array, boxes: Array | None, pairs: Pairs, truths: Truths) -> Array:
        """The difference of predicted and target offsets of each pair, (M, 4)."""
        param = self.spec.multibox_loss_param
        priors, variances = self._priors[pairs.prior], self._variances[pairs.prior]
        if not (variances > 0).all():
            raise LayerError(
                f'layer "{self.name}" ({self.type}): expected variances above 0 in '
                f"'{self.spec.bottom[2]}', got {variances.min():g}",
                ("bottom", 2),
            )
        offsets = loc[pairs.image, pairs.prior, pairs.place]
        if param.encode_variance_in_target:
            offsets = offsets / variances
        difference: Array = offsets - encode(
            priors, variances, truths.corners[pairs.truth], self.code
        )
        if param.bp_inside:
            held = priors
            if not param.use_prior_for_matching and boxes is not None:
                held = boxes[pairs.image, pairs.place, pairs.prior]
            difference[outside(held)] = 0
        return difference

    def _offset_loss(self, difference: Array) -> Array:
        """The loss of each offset."""
        half = difference**2 / 2
        if self.spec.multibox_loss_param.loc_loss_type == MultiBoxLossParameter.L2:
            return half
        far = np.abs(difference)
        return np.where(far < 1, half, far - 0.5)

    def _localization_loss(self, pairs: Pairs, difference: Array) -> float:
        """The loss of all offsets; writes its gradient to ``_dloc``; neither is divided by Z."""
        param = self.spec.multibox_loss_param
        slope = difference
        if param.loc_loss_type == MultiBoxLossParameter.SMOOTH_L1:
            slope = np.clip(difference, -1, 1)
        if param.encode_variance_in_target:
            slope = slope / self._variances[pairs.prior]
        self._dloc.fill(0)
        self._dloc[pairs.image, pairs.prior, pairs.place] = param.loc_weight * slope
        return float(param.loc_weight * self._offset_loss(difference).sum(dtype=np.float64))

    # Scores.

    def _write_targets(self, pairs: Pairs, truths: Truths) -> None:
        """Write to ``_dconf`` 1 for the target class of each prior, else 0."""
        wanted, labels = self._dconf, np.full(self._conf_shape[:2], self.background)
        wanted.fill(0)
        if self.softmax or self.mining:
            labels[pairs.image, pairs.prior] = truths.label[pairs.truth]
            np.put_along_axis(wanted, labels[..., None], 1, axis=2)
        else:
            wanted[pairs.image, pairs.prior, truths.label[pairs.truth]] = 1

    def _confidence_loss(self, conf: Array) -> Array:
        """Write the probabilities to ``_p``; returns the loss of each prior's scores, (N, P)."""
        p, wanted = self._p, self._dconf
        if self.softmax:
            softmax(np, conf, 2, p, self._reduced)
            return -np.log(np.maximum(np.einsum("npc,npc->np", p, wanted), _SMALLEST))
        np.multiply(conf, 0.5, out=p)
        np.tanh(p, out=p)
        np.add(p, 1, out=p)
        np.multiply(p, 0.5, out=p)
        return np.logaddexp(0, conf).sum(axis=2) - np.einsum("npc,npc->np", conf, wanted)

    def _modulate(self, costs: Array) -> Array:
        """Modulate the loss of each prior, (N, P), and its gradient ``_dconf``; not here."""
        return costs
