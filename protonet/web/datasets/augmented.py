"""Pictures of what a network's data layer makes of a data set's images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from protonet.data.augmented_images import Variant, augmented_images
from protonet.web.data_url import data_url
from protonet.web.datasets.classes import Classes
from protonet.web.datasets.databases import Databases
from protonet.web.datasets.samples import Box, boxes_of, images_of, picture, small
from protonet.web.forms import Form, Seed
from protonet.web.networks import read_bounded
from protonet.web.workspace import Workspace


class AugmentForm(Form):
    """A network whose data layer is shown at work: ``variants`` of each of ``count`` images."""

    network: Annotated[str, Field(min_length=1)]
    part: Annotated[str, Field(pattern="^(train|val)$")] = "train"
    count: Annotated[int, Field(ge=1, le=24)] = 4
    variants: Annotated[int, Field(ge=1, le=12)] = 5
    seed: Seed = 0
    side: Annotated[int, Field(ge=16, le=1024)] = 256


@dataclass(frozen=True)
class AugmentedPicture:
    """An image as data URL, with its size and its boxes."""

    png: str
    size: tuple[int, int]
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class AugmentedSample:
    """An image by its key: as it is, and as several epochs would see it."""

    key: str
    original: AugmentedPicture
    variants: tuple[AugmentedPicture, ...]


def augmented_samples(
    form: AugmentForm, workspace: Workspace, databases: Databases
) -> list[AugmentedSample]:
    """The pictures of a form.

    Raises:
        NetworkError: for a text that cannot be read, or settings that contradict the images.
        UsageError: for a network whose data layer changes nothing.
        DataError: for records that cannot be read.
    """
    definition = read_bounded(form.network, workspace, databases)
    images: Path = images_of(databases, form.part)
    classes = Classes.of(databases)
    return [
        AugmentedSample(
            each.key.decode(errors="replace"),
            _picture(each.original, classes, form.side),
            tuple(_picture(variant, classes, form.side) for variant in each.variants),
        )
        for each in augmented_images(
            definition, images, count=form.count, variants=form.variants, seed=form.seed
        )
    ]


def _picture(variant: Variant, classes: Classes, side: int) -> AugmentedPicture:
    height, width = variant.image.shape[1:]
    png = data_url(picture(small(variant.image, side)))
    return AugmentedPicture(png, (height, width), boxes_of(variant.objects, classes))
