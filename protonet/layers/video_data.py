"""VideoData: batches of clips from a list of frames in files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.data.clip_list import ClipList
from protonet.data.segment_source import SegmentSource
from protonet.data.source import BatchSource, cached_bytes
from protonet.data.transform import Transformer
from protonet.errors import LayerError
from protonet.layers.base import shape_text
from protonet.layers.batches import (
    PLAIN,
    BatchLayer,
    cache_limit,
    mean_of,
    naming_first_image,
    refuse_transform,
    resize_size,
    shuffled,
)
from protonet.layers.registry import register
from protonet.layers.segment_video import SegmentVideo, has_segments
from protonet.proto.caffe_pb2 import (
    ImageDataParameter,
    TransformationParameter,
    VideoDataParameter,
)

_NOT_DONE = (
    *("video_file", "use_temporal_jitter", "use_sampling_rate_jitter", "use_multiple_label"),
)


@register("VideoData")
class VideoData(BatchLayer):
    """Batches of clips, with an integer label for each (C3D).

    Bottom:
        none.
    Top:
        0: N x C x L x H x W, L frames after transform_param, which is the same for all frames of
        a clip; H and W are crop_size where it is set, else new_height and new_width, else those
        of the files. With segments N x (S L C) x H x W, where C is 2 for FLOW.
        1 (optional): N, the labels as numbers.
    Params:
        none.
    Spec:
        video_data_param (or image_data_param, as C3D 1.0 has it): source (lines of folder, first
        frame and label), batch_size (1), root_folder, new_length (L, 1), sampling_rate (1: every
        frame), new_height and new_width, is_color (true), shuffle, rand_skip; use_image must be
        true. show_data has no effect.
        Or, of temporal segment networks: source (lines of folder, number of frames and label),
        num_segments (S, 1), modality (FLOW; or RGB), name_pattern (flow_%c_%04d.jpg, or
        image_%04d.jpg), grayscale (false), and batch_size, new_length, new_height, new_width,
        root_folder, shuffle and rand_skip.
        transform_param: scale, mirror, crop_size, mean_file (of one frame), mean_value; with
        segments no mean_file, but fix_crop, more_fix_crop, multi_scale, scale_ratios (1, 0.875,
        0.75, 0.66), max_distort (1) and is_flow.
    Raises:
        LayerError: without source or use_image, for one of new_height and new_width, jitter,
        several labels, or settings that do not fit the frames.
        DataError: for a list, frame or mean that cannot be used; names list, line and file.
    Differs:
        BVLC Caffe has no such layer; C3D's and yjxiong's forks have. Videos are not decoded, only
        frames in files; a clip that lacks a frame is an error, where they skip it. A mean_file
        has one frame, not L.
    """

    segments: SegmentVideo | None

    def setup(self) -> None:
        param, name = self._param()
        if not param.source:
            raise LayerError(f"{name} needs a source, a text file of clips", (name,))
        self.segments = None
        if has_segments(param):
            self.segments = SegmentVideo(self)
            self.batch_size = int(param.batch_size)
            self.image_shape = self.segments.image_shape
            self.share_out()
            return
        for field in _NOT_DONE:
            if getattr(param, field, False):
                raise LayerError(
                    f"{field} is not supported by VideoData layers here", (name, field)
                )
        if not param.use_image:
            raise LayerError(
                "videos are not decoded here",
                (name,),
                "write the frames of each to a folder, as 000001.jpg and so on, and set "
                "use_image: true",
            )
        for field in ("batch_size", "new_length", "sampling_rate"):
            if not getattr(param, field):
                raise LayerError(f"{name} needs a {field} of 1 or more", (name, field))
        size = resize_size(param, name)
        refuse_transform(self.spec, PLAIN)
        self.batch_size, self.length = int(param.batch_size), int(param.new_length)
        self.clips = ClipList(
            self.context.find(param.source),
            root=param.root_folder,
            folder=self.context.folder,
            size=size,
            length=self.length,
            step=int(param.sampling_rate),
        )
        self.transformer = self._transformer(self.clips.image(0, color=param.is_color)[0])
        self.image_shape = self.transformer.output_shape
        self.share_out()

    def _param(self) -> tuple[VideoDataParameter | ImageDataParameter, str]:
        """The layer's settings, and the name of their message."""
        given = [
            name
            for name in ("video_data_param", "image_data_param")
            if self.spec.HasField(name)
        ]  # fmt: skip
        if len(given) > 1:
            raise LayerError(f"{given[0]} and {given[1]} are both given", (given[1],))
        name = (*given, "video_data_param")[0]
        param: VideoDataParameter | ImageDataParameter = getattr(self.spec, name)
        return param, name

    def _transformer(self, first: np.ndarray) -> Transformer:
        """The transformer for clips like the first, with frames as channels."""
        asked = TransformationParameter()
        asked.CopyFrom(self.spec.transform_param)
        values = list(asked.mean_value)
        if len(values) > 1:
            del asked.mean_value[:]
            asked.mean_value.extend(value for value in values for _ in range(self.length))
        mean = mean_of(self)
        mean = None if mean is None else mean.repeat(self.length, axis=0)
        axes = f"channels x {self.length} frames, rows, columns"
        with naming_first_image(f"{self.clips.where(0)}, is {shape_text(first.shape)}: {axes}"):
            return Transformer(
                asked, self.phase, first.shape, mean, seed=self.context.seed, name=self.name
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        if self.segments is not None:
            return super().infer(shapes)
        planes, *extents = self.image_shape
        clips: Shape = (self.batch_size, planes // self.length, self.length, *extents)
        return [clips, (self.batch_size,)][: len(self.spec.top)]

    def make_source(self) -> BatchSource | SegmentSource:
        param, context = self._param()[0], self.context
        if self.segments is not None:
            return self.segments.make_source(self.batch_size, self.part, self.device.pinned)
        return BatchSource(
            self.clips,
            self.batch_size,
            self.transformer,
            part=self.part,
            color=param.is_color,
            shuffle=shuffled(self, param),
            seed=context.seed,
            skip=self.skipped(param.rand_skip),
            threads=context.threads,
            cache_limit=cache_limit(None),
            empty=self.device.pinned,
        )

    def cached_bytes(self) -> int:
        if self.segments is not None:
            return 0
        return cached_bytes(len(self.clips), self.batch_size, self.transformer, cache_limit(None))

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        flat = tops[0].reshape(self.batch_size, *self.image_shape)
        super().forward(bottoms, [flat, *tops[1:]])
