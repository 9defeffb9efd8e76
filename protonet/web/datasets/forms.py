"""The forms of new data sets, with their limits and defaults."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from protonet.web.forms import Form, Name, Pixels, Place, Seed, Share

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Fit = Literal["squash", "crop", "fill", "half-crop"]
Encoding = Literal["png", "jpg", "bmp", "webp"]
OwnEncoding = Literal["own", "png", "jpg", "bmp", "webp"]
Side = Annotated[int, Field(ge=16, le=10_000)]


class NamedForm(Form):
    """A form of a new data set."""

    name: Name


class GradientsForm(NamedForm):
    """The seed example's data: grayscale images that brighten along x and y."""

    name: Name = "gradients"
    width: Pixels = 50
    height: Pixels = 50
    count: Count = 100
    val_count: Count | None = None
    seed: Seed = 0
    raw: bool = False


class DrawnForm(NamedForm):
    """Drawn circles, squares and triangles on noise."""

    width: Side = 64
    height: Side = 64
    count: Count = 1000
    val_count: Count | None = None
    seed: Seed = 0


class ShapesForm(DrawnForm):
    """Drawn shapes with their boxes, for detection; ``detectnet`` stores them for DetectNet too."""

    name: Name = "shapes"
    detectnet: bool = False


class SegmentsForm(DrawnForm):
    """Drawn shapes with the class of each pixel, for segmentation."""

    name: Name = "segments"


class DatabasesForm(NamedForm):
    """Existing databases. ``label_map`` and ``sizes`` are files of a data set with boxes,
    ``class_table`` of one with a class for each pixel.
    """

    train_images: Place
    train_labels: Place | None = None
    val_images: Place | None = None
    val_labels: Place | None = None
    mean: Place | None = None
    classes: Place | None = None
    label_map: Place | None = None
    sizes: Place | None = None
    class_table: Place | None = None


class FoldersForm(NamedForm):
    """A folder with a folder of images per class."""

    folder: Place
    width: Pixels = 256
    height: Pixels = 256
    fit: Fit = "squash"
    gray: bool = False
    encoding: Encoding | None = None
    val_share: Share = 0.25
    seed: Seed = 0


class _Sized(NamedForm):
    """Width and height are given together, or neither: then images keep their size."""

    width: Pixels | None = None
    height: Pixels | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("give both width and height, or neither")
        return self


class VectorsForm(_Sized):
    """A table of image files and numbers; the files are uploaded with it."""

    gray: bool | None = None
    encoded: bool = False
    val_share: Share = 0.2
    shuffle: bool = False
    seed: Seed = 0


class ListsForm(_Sized):
    """Lists of image files and classes, which are uploaded; the images are on the server.

    ``folder`` is that of relative paths.
    """

    folder: Place | None = None
    fit: Fit = "squash"
    gray: bool = False
    encoding: Encoding | None = "png"
    shuffle: bool = False
    seed: Seed = 0


class _DividedForm(_Sized):
    """Image files on the server, divided by lists, by a share, or as they are."""

    folder: Place
    fit: Fit = "squash"
    gray: bool = False
    encoding: OwnEncoding | None = "own"
    train_list: Place | None = None
    val_list: Place | None = None
    val_share: Share | None = None
    seed: Seed = 0

    @model_validator(mode="after")
    def _one_division(self) -> Self:
        if self.val_share is not None and (self.train_list or self.val_list):
            raise ValueError("a validation share and lists of images exclude each other")
        return self


class DetectionForm(_DividedForm):
    """Images with boxes, as of ``convert-detection``.

    ``folder`` is a folder of KITTI, VOC or COCO, or a file of COCO or CSV; ``form`` None tells it
    by what is there. ``images`` is the folder of the images of COCO and CSV. Images are padded to
    ``pad_width`` and ``pad_height`` first; validation images need a box of ``val_least`` pixels;
    ``detectnet`` stores the boxes for DetectNet too.
    """

    form: Literal["kitti", "voc", "coco", "csv"] | None = None
    images: Place | None = None
    classes: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default=[], max_length=10_000
    )
    label_map: Place | None = None
    pad_width: Pixels | None = None
    pad_height: Pixels | None = None
    val_least: Annotated[int, Field(ge=0, le=10_000)] = 0
    detectnet: bool = False
    repair: bool = False


class SegmentationForm(_DividedForm):
    """Images with label pictures, as of ``convert-segmentation``.

    ``folder`` is a folder or a list; ``labels`` the folder of the label pictures, ``base`` that
    of the files of a list; ``classes`` a class table or names; ``colors`` those of label pictures.
    """

    form: Literal["folders", "voc", "list"] | None = None
    labels: Place | None = None
    base: Place | None = None
    classes: Place | None = None
    colors: Place | None = None
    ignore: Annotated[str, Field(pattern=r"^(auto|none|\d{1,3})$")] = "auto"
    coding: Literal["numbers", "colors"] | None = None
    only_pairs: bool = False
