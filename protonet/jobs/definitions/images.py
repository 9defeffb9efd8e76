"""How the data layers of a training transform their images, beside what their text says."""

from __future__ import annotations

from dataclasses import dataclass

from protonet.proto.caffe_pb2 import LayerParameter


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """Options for layers of images; None leaves what their text says.

    ``mean_file`` or ``mean_values`` are set in layers without a mean, or in all with
    ``replace_mean``. ``crop`` is the side of a square, 0 for none. ``mirror`` turns images at
    random in training; False never.
    """

    mean_file: str | None = None
    mean_values: tuple[float, ...] = ()
    replace_mean: bool = False
    crop: int | None = None
    mirror: bool | None = None

    def put(self, layer: LayerParameter, *, trains: bool) -> None:
        """Set the options in a layer of images, of training or of validation."""
        transform = layer.transform_param
        if self.replace_mean:
            transform.ClearField("mean_file")
            transform.ClearField("mean_value")
        if not transform.mean_file and not transform.mean_value:
            if self.mean_file is not None:
                transform.mean_file = self.mean_file
            transform.mean_value.extend(self.mean_values)
        if self.crop is not None:
            transform.ClearField("crop_size")
            if self.crop:
                transform.crop_size = self.crop
        if self.mirror is not None:
            transform.ClearField("mirror")
            if self.mirror and trains:
                transform.mirror = True


UNCHANGED = ImageOptions()
