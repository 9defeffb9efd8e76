"""The Python layers of Faster R-CNN: proposals, and the targets of anchors and regions.

Source: Ren et al., Faster R-CNN, NIPS 2015; rbgirshick/py-faster-rcnn, lib/rpn and
lib/fast_rcnn/config.py, whose settings for end-to-end training are the defaults here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from protonet.blob import Array
from protonet.errors import LayerError
from protonet.kernels.anchors import (
    RATIOS,
    SCALES,
    ProposalSettings,
    make_anchors,
    overlaps_inclusive,
    shift_anchors,
    targets,
)
from protonet.layers.builtin_python import BuiltinLayer
from protonet.layers.proposals import propose_all
from protonet.layers.python_api import Blob
from protonet.proto.caffe_pb2 import TRAIN

_ANCHORS = {"feat_stride": 16, "ratios": RATIOS, "scales": SCALES}


class _Anchored(BuiltinLayer):
    """Base of the layers that have anchors."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        for key in ("ratios", "scales"):
            if min(self.numbers(key)) <= 0:
                raise self.invalid(key, "numbers above 0")
        self.stride = int(self.number("feat_stride", 1))
        self.anchors = make_anchors(16, self.numbers("ratios"), self.numbers("scales"))

    def expect(self, bottom: Sequence[Blob], place: int, fits: bool, expected: str) -> None:
        """Raise LayerError unless ``fits``."""
        if not fits:
            found = "x".join(map(str, bottom[place].shape))
            raise LayerError(
                f"{self.name} expects {expected} as bottom {place}, got {found}", ("bottom", place)
            )

    def expect_maps(self, bottom: Sequence[Blob], place: int, each: int) -> None:
        """Raise LayerError unless a bottom has ``each`` channels for each anchor."""
        shape, count = bottom[place].shape, each * len(self.anchors)
        fits = len(shape) == 4 and shape[1] == count
        self.expect(bottom, place, fits, f"N x {count} x H x W, of {len(self.anchors)} anchors,")


def check_truths(layer: BuiltinLayer, bottom: Sequence[Blob], place: int) -> None:
    """Raise LayerError unless a bottom is G x 5."""
    shape = bottom[place].shape
    if len(shape) < 2 or int(np.prod(shape[1:])) != 5:
        raise LayerError(
            f"{layer.name} expects G x 5 (x1, y1, x2, y2, class) as bottom {place}, got "
            f"{'x'.join(map(str, shape))}",
            ("bottom", place),
        )


class ProposalLayer(_Anchored):
    """Proposal, with the settings of its phase.

    Bottoms: scores, offsets, images; tops: regions, and optionally scores.
    """

    bottoms = (3, 3)
    tops = (1, 2)
    defaults: ClassVar[Mapping[str, Any]] = {
        **_ANCHORS,
        "pre_nms_topn": None,
        "post_nms_topn": None,
        "nms_thresh": 0.7,
        "min_size": 16,
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        usual = (12000, 2000) if self.phase == TRAIN else (6000, 300)
        for key, count in zip(("pre_nms_topn", "post_nms_topn"), usual, strict=True):
            if self.settings[key] is None:
                self.settings[key] = count
        self.proposing = ProposalSettings(
            stride=self.stride,
            anchors=self.anchors,
            least=self.number("min_size", 0),
            before=int(self.number("pre_nms_topn", 0)),
            after=int(self.number("post_nms_topn", 0)),
            threshold=self.number("nms_thresh", 0),
        )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.expect_maps(bottom, 0, 2)
        self.expect_maps(bottom, 1, 4)
        scores, offsets = bottom[0].shape, bottom[1].shape
        fits = (offsets[0], *offsets[2:]) == (scores[0], *scores[2:])
        self.expect(bottom, 1, fits, "as many images and cells as bottom 0 has")
        infos = bottom[2].shape
        fits = bool(infos) and infos[0] == scores[0] and bottom[2].count >= 3 * infos[0]
        self.expect(bottom, 2, fits, f"height, width and scale of {scores[0]} image(s)")
        if not top[0].shape:
            most = scores[0] * self.proposing.most(scores[2] * scores[3])
            for blob, length in zip(top, (5, 1), strict=False):
                blob.reshape(most, length)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        found = propose_all(self.proposing, *(blob.data for blob in bottom))
        for blob, values in zip(top, found, strict=False):
            self.write(blob, values)


class AnchorTargetLayer(_Anchored):
    """Labels and offset targets of the anchors of an image.

    An anchor is an object if its IoU with a truth is positive_overlap or more, or the highest for
    that truth; it is background if its IoU with each is less than negative_overlap. Of both
    together batch_size are sampled, at most fg_fraction of them objects.

    Bottoms: scores 1 x (2 A) x H x W, only for the shape; truths G x 5; images 1 x 3;
    data. Tops: labels 1 x 1 x (A H) x W (-1: ignored); targets 1 x (4 A) x H x W;
    weights inside and outside of the loss, in the shape of targets.
    """

    bottoms = (3, 4)
    tops = (4, 4)
    defaults: ClassVar[Mapping[str, Any]] = {
        **_ANCHORS,
        "allowed_border": 0,
        "batch_size": 256,
        "fg_fraction": 0.5,
        "positive_overlap": 0.7,
        "negative_overlap": 0.3,
        "clobber_positives": False,
        "inside_weights": (1.0, 1.0, 1.0, 1.0),
        "positive_weight": -1.0,
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        self.number("batch_size", 1)
        self.number("allowed_border", -np.inf)
        for key in ("fg_fraction", "positive_overlap", "negative_overlap"):
            self.number(key, 0, 1)
        self.inside = np.array(self.numbers("inside_weights", 4))
        if -1 < self.number("positive_weight", -1, 1) <= 0:
            raise self.invalid("positive_weight", "-1, or a number above 0")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.expect_maps(bottom, 0, 2)
        shape = bottom[0].shape
        self.expect(bottom, 0, shape[0] == 1, "a single image")
        check_truths(self, bottom, 1)
        self.expect(bottom, 2, bottom[2].count >= 3, "height, width and scale of the image")
        count, (height, width) = len(self.anchors), shape[2:]
        top[0].reshape(1, 1, count * height, width)
        for blob in top[1:]:
            blob.reshape(1, 4 * count, height, width)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        height, width = bottom[0].shape[2:]
        truths = bottom[1].data.reshape(-1, 5)[:, :4].astype(float)
        info = bottom[2].data.reshape(-1)
        anchors = shift_anchors(self.anchors, height, width, self.stride)
        border = self.settings["allowed_border"]
        limit = np.array([info[1], info[0]]) + border
        inside = np.flatnonzero(
            (anchors[:, :2] >= -border).all(axis=1) & (anchors[:, 2:] < limit).all(axis=1)
        )
        table = overlaps_inclusive(anchors[inside], truths)
        labels = np.full(len(anchors), -1.0)
        labels[inside] = self._sampled(self._labelled(table))
        rows = np.zeros((3, len(anchors), 4))
        if len(truths):
            rows[0, inside] = targets(anchors[inside], truths[table.argmax(axis=1)])
        rows[1, labels == 1] = self.inside
        rows[2] = self._weights(labels)[:, None]
        cells = (height, width, len(self.anchors))
        top[0].data[...] = labels.reshape(cells).transpose(2, 0, 1).reshape(top[0].shape)
        for blob, each in zip(top[1:], rows, strict=True):
            blob.data[...] = each.reshape(height, width, -1).transpose(2, 0, 1)

    def _labelled(self, table: Array) -> Array:
        """1 for objects, 0 for background and -1, by overlaps (K, G)."""
        settings = self.settings
        labels = np.full(len(table), -1.0)
        greatest = table.max(axis=1, initial=0)
        background = greatest < settings["negative_overlap"]
        if not settings["clobber_positives"]:
            labels[background] = 0
        best = table.max(axis=0, initial=0)
        labels[((table == best) & (best > 0)).any(axis=1)] = 1
        labels[greatest >= settings["positive_overlap"]] = 1
        if settings["clobber_positives"]:
            labels[background] = 0
        return labels

    def _sampled(self, labels: Array) -> Array:
        """Sample objects and background; the others get -1."""
        size = int(self.settings["batch_size"])
        most = int(self.settings["fg_fraction"] * size)
        for label in (1, 0):
            places = np.flatnonzero(labels == label)
            if len(places) > most:
                gone = self.random.choice(places, len(places) - most, replace=False)
                labels[gone] = -1
            most = size - int((labels == 1).sum())
        return labels

    def _weights(self, labels: Array) -> Array:
        """The weights of the loss of each anchor's offsets."""
        share = self.settings["positive_weight"]
        objects, rest = labels == 1, labels == 0
        if share == -1:
            return (labels >= 0) / max(1, int((labels >= 0).sum()))
        return objects * share / max(1, objects.sum()) + rest * (1 - share) / max(1, rest.sum())


class ProposalTargetLayer(BuiltinLayer):
    """Labels and offset targets of regions.

    The truths are regions too. A region is an object if its IoU with a truth is fg_thresh or
    more, and background if its highest IoU is bg_thresh_lo up to bg_thresh_hi; batch_size are
    sampled, at most fg_fraction of them objects; -1 keeps all.

    Bottoms: regions R x 5 of one image, truths G x 5. Tops, each with two axes of 1 after:
    regions K x 5, labels K x 1, targets K x (4 C), weights inside and outside of the loss.
    """

    bottoms = (2, 2)
    tops = (5, 5)
    required = frozenset({"num_classes"})
    defaults: ClassVar[Mapping[str, Any]] = {
        "batch_size": 128,
        "fg_fraction": 0.25,
        "fg_thresh": 0.5,
        "bg_thresh_hi": 0.5,
        "bg_thresh_lo": 0.0,
        "means": (0.0, 0.0, 0.0, 0.0),
        "stds": (0.1, 0.1, 0.2, 0.2),
        "inside_weights": (1.0, 1.0, 1.0, 1.0),
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        self.classes = int(self.number("num_classes", 2))
        if self.number("batch_size", -1) == 0:
            raise self.invalid("batch_size", "-1 or a count")
        for key in ("fg_fraction", "fg_thresh", "bg_thresh_hi", "bg_thresh_lo"):
            self.number(key, 0, 1)
        self.means, self.stds, self.inside = (
            np.array(self.numbers(key, 4)) for key in ("means", "stds", "inside_weights")
        )
        if self.stds.min() <= 0:
            raise self.invalid("stds", "numbers above 0")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_truths(self, bottom, 0)
        check_truths(self, bottom, 1)
        if not top[0].shape:
            count = max(1, int(self.settings["batch_size"]))
            for blob, length in zip(top, (5, 1, *(4 * self.classes,) * 3), strict=True):
                blob.reshape(count, length, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        given, truths = (blob.data.reshape(-1, 5).astype(float) for blob in bottom)
        if given[:, 0].any():
            raise LayerError(
                self.in_layer(
                    f"expects regions of a single image, got image {given[:, 0].max():g}"
                ),
                ("bottom", 0),
            )
        classes = truths[:, 4]
        wrong = (classes < 0) | (classes >= (self.classes if self.classes > 2 else np.inf))
        if wrong.any():
            raise LayerError(
                self.in_layer(
                    f"expects classes 0 to {self.classes - 1} of truths, got {classes[wrong][0]:g}"
                ),
                ("bottom", 1),
            )
        regions = np.concatenate([given, np.insert(truths[:, :4], 0, 0, axis=1)])
        table = overlaps_inclusive(regions[:, 1:], truths[:, :4])
        kept, objects = self._sampled(table.max(axis=1, initial=0))
        labels = np.zeros(len(kept))
        rows = np.zeros((3, len(kept), self.classes, 4))
        if objects:
            own = truths[table[kept[:objects]].argmax(axis=1)]
            labels[:objects] = own[:, 4]
            found = targets(regions[kept[:objects], 1:], own[:, :4])
            columns = np.minimum(own[:, 4].astype(int), self.classes - 1)
            for array, values in zip(
                rows, ((found - self.means) / self.stds, self.inside, self.inside > 0), strict=True
            ):
                array[np.arange(objects), columns] = values
        rows[:, labels == 0] = 0
        for blob, values in zip(top, (regions[kept], labels, *rows), strict=True):
            self.write(blob, values.reshape(len(kept), blob_length(values), 1, 1))

    def _sampled(self, greatest: Array) -> tuple[Array, int]:
        """The sampled regions, objects first, and the number of objects."""
        settings: dict[str, Any] = self.settings
        size = int(settings["batch_size"])
        if size < 0:
            size = len(greatest)
            most = size
        else:
            most = round(settings["fg_fraction"] * size)
        objects = self._some(np.flatnonzero(greatest >= settings["fg_thresh"]), most)
        rest = np.flatnonzero(
            (greatest < settings["bg_thresh_hi"]) & (greatest >= settings["bg_thresh_lo"])
        )
        rest = self._some(rest, size - len(objects))
        return np.concatenate([objects, rest]), len(objects)

    def _some(self, places: Array, most: int) -> Array:
        if len(places) <= most:
            return places
        return np.sort(self.random.choice(places, most, replace=False))


def blob_length(values: Array) -> int:
    """The number of values of a row."""
    return int(np.prod(values.shape[1:]))
