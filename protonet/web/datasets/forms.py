"""The forms of new data sets, with their limits and defaults."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from protonet.web.forms import Form, Name, Pixels, Place, Seed, Share

Count = Annotated[int, Field(ge=1, le=1_000_000)]


class GradientsForm(Form):
    """The seed example's data: grayscale images that brighten along x and y."""

    name: Name = "gradients"
    width: Pixels = 50
    height: Pixels = 50
    count: Count = 100
    val_count: Count | None = None
    seed: Seed = 0


class DatabasesForm(Form):
    """Existing databases. ``label_map`` and ``sizes`` are files of a data set with boxes,
    ``class_table`` of one with a class for each pixel.
    """

    name: Name
    train_images: Place
    train_labels: Place | None = None
    val_images: Place | None = None
    val_labels: Place | None = None
    mean: Place | None = None
    classes: Place | None = None
    label_map: Place | None = None
    sizes: Place | None = None
    class_table: Place | None = None


class FoldersForm(Form):
    """A folder with a folder of images per class."""

    name: Name
    folder: Place
    width: Pixels = 256
    height: Pixels = 256
    fit: Literal["squash", "crop", "fill", "half-crop"] = "squash"
    gray: bool = False
    encoding: Literal["png", "jpg", "bmp", "webp"] | None = None
    val_share: Share = 0.25
    seed: Seed = 0


class VectorsForm(Form):
    """A table of image files and numbers; the files are uploaded with it."""

    name: Name
    width: Pixels | None = None
    height: Pixels | None = None
    gray: bool | None = None
    val_share: Share = 0.2
    shuffle: bool = False
    seed: Seed = 0

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("give both width and height, or neither")
        return self
