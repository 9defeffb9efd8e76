"""Predictions of a detector in separate maps, as Synopsys' fork gives them to DetectionOutput."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, shape_text

_PARAM = "detection_output_param"


def separate_maps(layer: Layer) -> int:
    """The number of maps; 0 where predictions are joined.

    Raises:
        LayerError: for a number of bottoms, or settings, that do not go with it.
    """
    param, count = layer.spec.detection_output_param, len(layer.spec.bottom)
    if not param.no_permute:
        if count > 4:
            raise LayerError(
                f"expected 3 or 4 bottoms, got {count}", ("bottom", 4),
                "or set no_permute: true, for maps of scores, maps of offsets, and priors",
            )  # fmt: skip
        return 0
    if param.nbottom < 1 or count != 2 * param.nbottom + 1:
        raise LayerError(
            f"expected {2 * max(1, param.nbottom) + 1} bottoms for nbottom {param.nbottom}: maps "
            f"of scores, maps of offsets, and priors; got {count}",
            (_PARAM, "nbottom" if param.HasField("nbottom") else "no_permute"),
        )
    if param.use_polygon or not param.share_location:
        raise LayerError(
            "no_permute needs share_location: true and no use_polygon", (_PARAM, "no_permute")
        )
    return int(param.nbottom)


def check_maps(layer: Layer, shapes: Sequence[Shape], classes: int, maps: int) -> int:
    """The number of images.

    Raises:
        LayerError: for maps that do not belong together, or another number of priors.
    """
    count, names = 0, layer.spec.bottom
    for place in range(maps):
        scores, offsets = shapes[place], shapes[place + maps]
        fits = len(scores) == len(offsets) == 4 and offsets[1] % 4 == 0
        if not fits or scores != (
            shapes[0][0], classes, offsets[1] // 4, math.prod(offsets[2:])
        ) or offsets[0] != scores[0]:  # fmt: skip
            raise LayerError(
                f"expected scores N x {classes} x A x (H W) in '{names[place]}' and offsets "
                f"N x (A 4) x H x W in '{names[place + maps]}', got {shape_text(scores)} and "
                f"{shape_text(offsets)}",
                ("bottom", place),
            )
        count += math.prod(offsets[1:]) // 4
    if shapes[-1][:2] != (1, 2) or math.prod(shapes[-1]) != 8 * count:
        raise LayerError(
            f"expected boxes and variances of {count} priors, 1 x 2 x {4 * count}, in "
            f"'{names[2 * maps]}', got {shape_text(shapes[-1])}",
            ("bottom", 2 * maps),
        )
    return shapes[0][0]


def join_maps(bottoms: Sequence[Array], maps: int) -> list[Array]:
    """Offsets (N, P 4), scores (N, P C) and priors, with the priors of a cell side by side."""
    images, classes = bottoms[0].shape[:2]
    scores = [
        each.transpose(0, 3, 2, 1).reshape(images, -1, classes) for each in bottoms[:maps]
    ]  # fmt: skip
    offsets = [
        each.reshape(images, each.shape[1] // 4, 4, -1).transpose(0, 3, 1, 2).reshape(images, -1, 4)
        for each in bottoms[maps : 2 * maps]
    ]
    return [np.concatenate(offsets, axis=1), np.concatenate(scores, axis=1), bottoms[-1]]
