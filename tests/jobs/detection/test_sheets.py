"""Sheets of augmented images."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from protonet.data.augmented_images import AugmentedImage, Variant
from protonet.data.boxes import Objects
from protonet.jobs.detection.pictures import color_of
from protonet.jobs.detection.sheets import sheet


def opened(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        return np.asarray(picture)


def test_the_image_and_its_variants_beside_it() -> None:
    image = np.zeros((3, 20, 40), np.uint8)
    image[0] = 255  # blue
    gray = np.full((1, 40, 20), 7, np.uint8)
    made = AugmentedImage(
        b"k", Variant(image, Objects.none()),
        (Variant(gray, Objects.none()), Variant(image.astype(np.float32), Objects.none())),
    )  # fmt: skip
    pixels = opened(sheet(made, side=80))
    assert pixels.shape == (80, 80 + 8 + 40 + 8 + 80, 3)
    assert pixels[10, 10].tolist() == pixels[10, 140].tolist() == [0, 0, 255]
    assert pixels[79, 90].tolist() == [7, 7, 7]
    assert pixels[10, 84].tolist() == pixels[79, 10].tolist() == [255, 255, 255]


def test_boxes_in_the_colors_of_their_classes() -> None:
    objects = Objects(
        np.array([[0.25, 0.5, 0.75, 1]], np.float32), np.array([[2, 0, 0]], np.float32)
    )
    image = Variant(np.zeros((1, 50, 100), np.uint8), objects)
    pixels = opened(sheet(AugmentedImage(b"k", image, ()), ["", "cat", "dog"], 800))
    assert pixels.shape == (400, 800, 3)
    color = [int(color_of(2)[at : at + 2], 16) for at in (1, 3, 5)]
    assert pixels[300, 200].tolist() == pixels[300, 599].tolist() == color
    assert pixels[300, 400].tolist() == [0, 0, 0]
    numbered = opened(sheet(AugmentedImage(b"k", image, ()), None, 800))
    assert (numbered != pixels).any(), "class 2 instead of dog"
