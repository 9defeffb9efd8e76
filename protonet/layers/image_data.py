"""ImageData: batches of image files from a list."""

from __future__ import annotations

from protonet.data.augment import Augment
from protonet.data.image_list import ImageList, PathList
from protonet.data.source import BatchSource
from protonet.data.transform import Transformer, crop_of
from protonet.errors import LayerError
from protonet.layers.base import shape_text
from protonet.layers.batches import (
    FORKS,
    PLAIN,
    BatchLayer,
    cache_limit,
    mean_of,
    naming_first_image,
    refuse_deprecated_fields,
    refuse_transform,
    resize_size,
    shuffled,
    transformer_of,
)
from protonet.layers.registry import register
from protonet.layers.sharding import own_source, shard_of

_PARAM = "image_data_param"


@register("ImageData")
class ImageData(BatchLayer):
    """Batches of image files, with an integer label for each.

    Bottom:
        none.
    Top:
        0: N x C x H x W, the images after transform_param; H and W are crop_size where it is set,
        else new_height and new_width, else those of the files.
        1 (optional): N, the labels as numbers.
    Params:
        none.
    Spec:
        image_data_param: source (lines of path and label), batch_size (1), root_folder,
        new_height and new_width, is_color (true), shuffle, rand_skip; threads, cache and precache
        of NVIDIA's fork; label (true; false: lines are paths alone, and there is no second top).
        transform_param: scale, mirror, crop_size, mean_file, mean_value, and the forks' fields
        that Data knows.
    Raises:
        LayerError: without source, for one of new_height and new_width, for a short_side or a
        fraction of a data set, or for settings that do not fit the images.
        DataError: for a list, image or mean that cannot be used; names list, line and file.
    Differs:
        Images of several sizes need new_height and new_width, or crop_size; Caffe changes the
    shape with every batch of one. Orders, crops and mirrors are a function of the seed and the
        image's number in the stream, so runs are reproducible. Paths may contain spaces.
    """

    def setup(self) -> None:
        param = self.spec.image_data_param
        if not param.source:
            raise LayerError(f"{_PARAM} needs a source, a text file of images", (_PARAM,))
        if not param.batch_size:
            raise LayerError(f"{_PARAM} needs a batch_size of 1 or more", (_PARAM, "batch_size"))
        size = resize_size(param, _PARAM)
        self._refuse()
        self.batch_size = int(param.batch_size)
        listed = ImageList if param.label else PathList
        if not param.label and len(self.spec.top) > 1:
            raise LayerError("label: false leaves no labels for a second top", ("top", 1))
        self.images = listed(
            own_source(param, self.context),
            root=param.root_folder,
            folder=self.context.folder,
            size=size,
        )
        self.transformer = self._make_transformer(any_size=size is None)
        self.image_shape = self.transformer.output_shape
        self.share_out()
        self.shard = shard_of(self, param, self.images.path, len(self.images))

    def _make_transformer(self, *, any_size: bool) -> Transformer:
        """The transformer for images like the first; with ``any_size``, sizes may differ."""
        param, transform = self.spec.image_data_param, self.spec.transform_param
        image, _ = self.images.image(0, color=param.is_color)
        cropped = crop_of(transform) is not None and not Augment.wanted(transform)
        mean = mean_of(self)
        any_size = any_size and cropped and mean is None
        with naming_first_image(f"{self.images.where(0)}, is {shape_text(image.shape)}"):
            return transformer_of(self, image.shape, mean, any_size=any_size)

    def _refuse(self) -> None:
        """Refuse fields of the schema that this layer does not support."""
        param, transform = self.spec.image_data_param, self.spec.transform_param
        refuse_transform(self.spec, PLAIN | FORKS | {"force_color", "force_gray"})
        refuse_deprecated_fields(param, _PARAM, ("scale", "mean_file", "crop_size", "mirror"))
        if param.short_side:
            raise LayerError(
                "short_side is not supported here; give new_height and new_width",
                (_PARAM, "short_side"),
            )
        for name in ("label_type", "ignore_label", "has_label", "normalize"):
            owner = "ImageLabelmapData" if name == "normalize" else "ImageSegData"
            if getattr(param, name) != param.DESCRIPTOR.fields_by_name[name].default_value:
                raise LayerError(
                    f"{name} is of {owner} layers, whose labels are of pixels", (_PARAM, name)
                )
        if param.dataset_share_per_node != 1:
            raise LayerError(
                "the whole list is read; leave dataset_share_per_node at 1",
                (_PARAM, "dataset_share_per_node"),
            )
        for field in ("force_color", "force_gray"):
            if getattr(transform, field):
                raise LayerError(
                    f"{field} is for databases; set is_color", ("transform_param", field)
                )

    def make_source(self) -> BatchSource:
        param, context = self.spec.image_data_param, self.context
        asked = param.HasField("cache") or param.HasField("precache")
        return BatchSource(
            self.images,
            self.batch_size,
            self.transformer,
            part=self.part,
            shard=self.shard,
            color=param.is_color,
            shuffle=shuffled(self, param),
            seed=context.seed,
            skip=self.skipped(param.rand_skip),
            threads=param.threads if param.HasField("threads") else context.threads,
            cache_limit=cache_limit((param.cache or param.precache) if asked else None),
            empty=self.device.pinned,
        )
