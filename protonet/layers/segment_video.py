"""The videos of temporal segment networks, which VideoData layers read, too."""

from __future__ import annotations

import re
from typing import Any

from protonet.data.prefetch import Empty
from protonet.data.segment_list import SegmentList
from protonet.data.segment_source import RATIOS, SegmentSource, SegmentTransform
from protonet.errors import DataError, LayerError
from protonet.layers.base import Layer
from protonet.layers.batches import refuse_transform, resize_size, shuffled, skipped
from protonet.proto.caffe_pb2 import VideoDataParameter
from protonet.ranks.communicator import Part

_PARAM = "video_data_param"
_MARKS = ("num_segments", "modality", "name_pattern", "grayscale")
_DONE = frozenset(
    {
        *("scale", "mirror", "crop_size", "mean_value", "fix_crop", "more_fix_crop"),
        *("multi_scale", "scale_ratios", "max_distort", "is_flow"),
    }
)
_NAMES = {VideoDataParameter.RGB: "image_%04d.jpg", VideoDataParameter.FLOW: "flow_%c_%04d.jpg"}


def has_segments(param: Any) -> bool:
    """Whether a layer's message is that of a temporal segment network."""
    return isinstance(param, VideoDataParameter) and any(map(param.HasField, _MARKS))


class SegmentVideo:
    """The list, the shape and the source of a layer's videos.

    Raises:
        LayerError: for settings that do not go together.
        DataError: for a list or a frame that cannot be used.
    """

    def __init__(self, layer: Layer) -> None:
        self._layer, self._param = layer, layer.spec.video_data_param
        param, context = self._param, layer.context
        for name in ("use_image", "use_temporal_jitter", "use_sampling_rate_jitter"):
            if getattr(param, name):
                raise LayerError(
                    f"{name} and the fields of temporal segment networks cannot be combined",
                    (_PARAM, name),
                )
        for name in ("batch_size", "new_length", "num_segments"):
            if not getattr(param, name):
                raise LayerError(f"{_PARAM} needs a {name} of 1 or more", (_PARAM, name))
        refuse_transform(layer.spec, _DONE)
        self._flow = param.modality == VideoDataParameter.FLOW
        self.transform = self._make_transform()
        self.listed = SegmentList(
            context.find(param.source),
            pattern=self._pattern(),
            flow=self._flow,
            color=not param.grayscale,
            length=int(param.new_length),
            root=param.root_folder,
            folder=context.folder,
            size=resize_size(param, _PARAM),
        )
        planes = int(param.num_segments) * self.listed.length * self.listed.planes
        self._check_mean(planes)
        first = self.listed.read(0, [0])
        try:
            size = self.transform.output_size(first.shape[1], first.shape[2])
        except DataError as error:
            raise LayerError(
                f"{error} (the first, {self.listed.where(0)})", ("transform_param", "crop_size")
            ) from None
        self.image_shape = (planes, *size)

    def _pattern(self) -> str:
        """How frames are called."""
        pattern = self._param.name_pattern or _NAMES[self._param.modality]
        wanted = r"[^%/]*" + (r"%c[^%/]*" if self._flow else "") + r"%(0?\d{1,2})?d[^%/]*"
        if not re.fullmatch(wanted, pattern):
            example = _NAMES[self._param.modality]
            raise LayerError(
                f"expected a name_pattern such as '{example}', got '{pattern[:60]}'",
                (_PARAM, "name_pattern"),
            )
        return pattern

    def _make_transform(self) -> SegmentTransform:
        param = self._layer.spec.transform_param
        ratios = tuple(param.scale_ratios) or RATIOS
        if not all(0 < ratio <= 1 for ratio in ratios):
            raise LayerError(
                "expected scale_ratios above 0 and up to 1, got "
                f"{', '.join(f'{ratio:g}' for ratio in ratios)}",
                ("transform_param", "scale_ratios"),
            )
        if param.max_distort < 0:
            raise LayerError(
                f"expected max_distort of 0 or more, got {param.max_distort}",
                ("transform_param", "max_distort"),
            )
        if param.multi_scale and not param.crop_size:
            raise LayerError("multi_scale needs a crop_size", ("transform_param", "multi_scale"))
        return SegmentTransform(
            size=int(param.crop_size),
            training=self._layer.training,
            fixed=param.fix_crop,
            more=param.more_fix_crop,
            ratios=ratios if param.multi_scale else None,
            distort=param.max_distort,
            mirror=param.mirror,
            flow=param.is_flow,
            mean=tuple(param.mean_value) or (0.0,),
            scale=param.scale,
        )

    def _check_mean(self, planes: int) -> None:
        count = len(self.transform.mean)
        if planes % count:
            raise LayerError(
                f"expected one mean_value, or a number of them that divides {planes} channels, got "
                f"{count}",
                ("transform_param", "mean_value"),
            )

    def make_source(self, batch_size: int, part: Part | None, empty: Empty) -> SegmentSource:
        """The source of batches, or of a part of each with so many videos."""
        param, context = self._param, self._layer.context
        return SegmentSource(
            self.listed,
            batch_size,
            int(param.num_segments),
            self.transform,
            self.image_shape[1:],
            shuffle=shuffled(self._layer, param),
            seed=context.seed,
            name=self._layer.name,
            part=part,
            skip=skipped(param.rand_skip, context.seed),
            threads=context.threads,
            empty=empty,
        )
