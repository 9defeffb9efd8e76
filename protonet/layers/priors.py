"""PriorBox: the default boxes of a detector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.alternative_fields import h_w_pair
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.limits import MOST_NUMBERS
from protonet.layers.registry import register

_PARAM = "prior_box_param"
_TF_SIZE, _TF_BORDER = 60, 0.05
_SAME = 1e-6
"""Aspect ratios that differ by less are equal."""


@register("PriorBox")
class PriorBox(Layer):
    """Boxes of several sizes and shapes around the centre of each cell of a feature map.

    The centre of cell (i, j) is ((j + offset) step_w, (i + offset) step_h). Around it there are,
    for each min_size s: a square of s; with max_size t a square of sqrt(s t), which is r; and for
    each aspect ratio a but 1 a box of r sqrt(a) by r / sqrt(a), where r is s without max_size.
    The first channel has (xmin, ymin, xmax, ymax) of each box in fractions of the image, cells
    by row; the second has its variances. There is no gradient.

    Bottom:
        0: features, N x C x H x W, of which only H and W are used.
        1: image, N x C x h x w, of which only h and w are used; optional if the spec has them.
    Top:
        boxes: 1 x 2 x (H W B 4), with B boxes around each centre.
    Params:
        none.
    Spec:
        prior_box_param: min_size (required, one or more), max_size (none, or one for each
        min_size), aspect_ratio (none; 1 is always there), flip (true: also 1 / a for each a), clip
        (false: to the image), variance (0.1; one or four), img_size or img_h and img_w (those of
        image), step or step_h and step_w (the image's extent over the feature map's), offset
        (0.5), denser_prior_boxes (false: also each box at the lower border of its cell); of
        Synopsys' fork: yx_order (false: ymin, xmin, ymax, xmax), tf (false: the square of max_size
        comes last, and that of a min_size of 60 is smaller by a twentieth of the image on each
        side).
    Raises:
        LayerError: without min_size, for sizes, ratios, variances or steps that are not above 0,
        another number of them than above, a max_size that is not above its min_size, one of a
        pair without the other, both forms of a setting, bottoms without 4 axes, no image, or a
        loss_weight.
    Differs:
        BVLC Caffe has no such layer; this is the one of the SSD and NVIDIA forks. As there,
        fractions of min_size and max_size are truncated, and the second bottom may be left out.
        Sizes below 1 are refused, and so are aspect ratios of 0 or less. Centres and extents are
        float32 in any precision: the corners are bitwise those of the fork.
    """

    bottoms = (1, 2)
    no_gradient = frozenset({0, 1})
    traits = Traits(backward_reads=frozenset())

    def setup(self) -> None:
        param = self.spec.prior_box_param
        if any(self.spec.loss_weight):
            raise LayerError(
                "boxes have no gradient and cannot be part of the objective", ("loss_weight",)
            )
        self._read_sizes()
        self.ratios = self._distinct_ratios()
        self.variances = tuple(param.variance) or (0.1,)
        if len(self.variances) not in (1, 4):
            raise LayerError(
                f"expected one variance or four, got {len(self.variances)}", (_PARAM, "variance")
            )
        self._check_positive("variance", self.variances)
        self.image = self._pair("img", "img_size")
        self.step = self._pair("step", "step")
        if self.image is None and len(self.spec.bottom) < 2:
            raise LayerError(
                "expected the image as second bottom, or img_size, got neither",
                (_PARAM,),
            )

    def _read_sizes(self) -> None:
        param = self.spec.prior_box_param
        if not param.min_size:
            raise LayerError(f"{_PARAM} needs a min_size", (_PARAM,), "such as min_size: 30")
        if param.max_size and len(param.max_size) != len(param.min_size):
            raise LayerError(
                f"expected one max_size for each of the {len(param.min_size)} min_size, got "
                f"{len(param.max_size)}",
                (_PARAM, "max_size"),
            )
        for place, size in enumerate(param.min_size):
            if not 1 <= size <= MOST_NUMBERS:
                raise LayerError(
                    f"expected a min_size of 1 or more, in pixels of the image, got {size:g}",
                    (_PARAM, "min_size", place),
                )
        for place, (low, high) in enumerate(zip(param.min_size, param.max_size, strict=False)):
            if not low < high <= MOST_NUMBERS:
                raise LayerError(
                    f"expected a max_size above its min_size, {low:g}, got {high:g}",
                    (_PARAM, "max_size", place),
                )
        self.min_sizes = [int(size) for size in param.min_size]
        self.max_sizes = [int(size) for size in param.max_size]

    def _distinct_ratios(self) -> list[float]:
        """The distinct aspect ratios other than 1."""
        param = self.spec.prior_box_param
        self._check_positive("aspect_ratio", param.aspect_ratio)
        ratios = [1.0]
        for ratio in param.aspect_ratio:
            if all(abs(ratio - other) >= _SAME for other in ratios):
                ratios += [ratio, 1 / ratio] if param.flip else [ratio]
        return ratios[1:]

    def _pair(self, name: str, single: str) -> tuple[float, float] | None:
        """A setting for height and width, from either of its forms."""
        param = self.spec.prior_box_param
        parts = h_w_pair(param, _PARAM, name, single)
        for field in parts or [single]:
            if param.HasField(field):
                self._check_positive(field, [getattr(param, field)])
        if parts:
            return getattr(param, parts[0]), getattr(param, parts[1])
        if not param.HasField(single):
            return None
        return getattr(param, single), getattr(param, single)

    def _check_positive(self, field: str, values: Sequence[float]) -> None:
        for value in values:
            if not value > 0:
                raise LayerError(f"expected {field} above 0, got {value:g}", (_PARAM, field))

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        for place, shape in enumerate(shapes):
            if len(shape) != 4:
                raise LayerError(
                    f"expected 4 axes, N x C x H x W, got '{self.spec.bottom[place]}' "
                    f"{shape_text(shape)}",
                    ("bottom", place),
                )
        boxes = len(self.min_sizes) * (1 + len(self.ratios)) + len(self.max_sizes)
        if self.spec.prior_box_param.denser_prior_boxes:
            boxes *= 2
        return [(1, 2, shapes[0][2] * shapes[0][3] * boxes * 4)]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._boxes = self.scratch(self.infer(shapes)[0])
        self.device.put_lazily(lambda: self._made(shapes), self._boxes)

    def _made(self, shapes: Sequence[Shape]) -> Array:
        height, width = shapes[0][2:]
        image = self.image or shapes[1][2:]
        step = self.step or (image[0] / height, image[1] / width)
        # Rounded in the fork's order, so that boxes tie as they do there: centres and extents
        # are float32; halves, sums and quotients are double.
        centres = np.empty((height, width, 1, 2))
        centres[..., 0] = self._centres(width, step[1])[:, None]
        centres[..., 1] = self._centres(height, step[0])[:, None, None]
        half = np.array(self._extents(), np.float32).astype(np.float64) / 2
        boxes = np.concatenate([centres - half, centres + half], axis=-1)
        if self.spec.prior_box_param.denser_prior_boxes:
            borders = (np.arange(1, height + 1) * step[0]).astype(np.float32)
            centres[..., 1] = borders[:, None, None]
            lower = np.concatenate([centres - half, centres + half], axis=-1)
            boxes = np.stack([boxes, lower], axis=3).reshape(height, width, -1, 4)
        boxes /= np.tile((image[1], image[0]), 2)
        if self.spec.prior_box_param.tf:
            boxes[:, :, self._smaller()] += np.array([1, 1, -1, -1]) * _TF_BORDER
        if self.spec.prior_box_param.yx_order:
            boxes = boxes[..., [1, 0, 3, 2]]
        if self.spec.prior_box_param.clip:
            np.clip(boxes, 0, 1, out=boxes)
        both = np.empty((2, *boxes.shape))
        both[0], both[1] = boxes, self.variances
        return both

    def _centres(self, cells: int, step: float) -> Array:
        """The centre of each cell along one axis, in pixels."""
        offset = np.float32(self.spec.prior_box_param.offset)
        centres: Array = (np.arange(cells, dtype=np.float32) + offset) * np.float32(step)
        return centres

    def _extents(self) -> list[tuple[float, float]]:
        """The width and height of each box around a centre."""
        found: list[tuple[float, float]] = []
        for place, size in enumerate(self.min_sizes):
            found.append((size, size))
            square = []
            if self.max_sizes:
                side = (size * self.max_sizes[place]) ** 0.5
                square = [(side, side)]
            roots = np.sqrt(np.array(self.ratios, np.float32))
            ratios = list(zip(size * roots, size / roots, strict=True))
            found += ratios + square if self.spec.prior_box_param.tf else square + ratios
        return found

    def _smaller(self) -> list[bool]:
        """Which boxes TensorFlow makes smaller: the first one of a min_size of 60."""
        each = 1 + len(self.ratios) + bool(self.max_sizes)
        marks = [size == _TF_SIZE and not place for size in self.min_sizes for place in range(each)]
        return marks * (2 if self.spec.prior_box_param.denser_prior_boxes else 1)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.xp.copyto(tops[0], self._boxes)
