"""ImageData: batches of image files."""

from __future__ import annotations

from protonet.data.image_list import ImageList
from protonet.data.source import CACHE_LIMIT
from protonet.errors import LayerError
from protonet.layers.batches import BatchSettings, ImageBatches
from protonet.layers.registry import register

_PARAM = "image_data_param"


@register("ImageData")
class ImageData(ImageBatches):
    """Batches of the image files that a text lists, each with a class.

    Bottom:
        none.
    Top:
        0: N x C x H x W, the images after transform_param; C is 3 (BGR), or 1 without is_color.
        1 (optional): N, the numbers of the list.
    Params:
        none.
    Spec:
        image_data_param: source (lines of ``file label``), batch_size (1), root_folder (put
        before every name), new_height and new_width (both or neither), is_color (true), shuffle
        (false), rand_skip (0); threads and cache of NVIDIA's fork. transform_param: scale,
        mirror, crop_size, mean_file, mean_value.
    Raises:
        LayerError: without source, for a batch_size of 0, or one of new_height and new_width.
        DataError: for a list or an image that cannot be used: names the line.
    Differs:
        Without new_height and new_width all images must have one size, whatever crop_size is.
        Names are also looked up beside the list. Shuffling, random crops and mirrors are a
        function of the seed and the image's number in the stream, so runs repeat.
    """

    def setup(self) -> None:
        param = self.spec.image_data_param
        if not param.source:
            raise LayerError(f"{_PARAM} needs a source, a text that lists images", (_PARAM,))
        if not param.batch_size:
            raise LayerError(f"{_PARAM} needs a batch_size of 1 or more", (_PARAM, "batch_size"))
        if bool(param.new_height) != bool(param.new_width):
            raise LayerError(
                f"expected new_height and new_width both or neither, got {param.new_height} and "
                f"{param.new_width}",
                (_PARAM, "new_height" if param.new_height else "new_width"),
            )
        if param.short_side:
            raise LayerError(
                "short_side, of NVIDIA's fork, is not supported",
                (_PARAM, "short_side"),
                "give new_height and new_width",
            )
        images = ImageList(
            self.around.find(param.source),
            root=param.root_folder,
            height=param.new_height,
            width=param.new_width,
        )
        cache_limit: int | None = CACHE_LIMIT
        if param.HasField("cache"):
            cache_limit = None if param.cache else 0
        self.open(
            images,
            BatchSettings(
                int(param.batch_size),
                color=param.is_color,
                shuffle=param.shuffle or (self.around.shuffle and self.training),
                rand_skip=param.rand_skip,
                threads=param.threads if param.HasField("threads") else 0,
                cache_limit=cache_limit,
            ),
        )
