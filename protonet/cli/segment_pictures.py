"""The classes of pixels that ``protonet infer`` prints, and the pictures that it writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.errors import UsageError

if TYPE_CHECKING:
    from protonet.jobs.evaluation.segmenter import Segmentation, Segmenter
    from protonet.jobs.inference.predictor import Prediction


class SegmentPictures:
    """Answers of a net that tells the classes of pixels.

    Args:
        segmenter: the net.
        folder: where pictures are written; None for none.
        opacity: of the classes over the images.
    """

    def __init__(self, segmenter: Segmenter, folder: Path | None, opacity: float) -> None:
        self._segmenter, self._folder, self._opacity = segmenter, folder, opacity
        self._names: set[str] = set()
        self.output = segmenter.output
        self.outputs: tuple[str, ...] = (segmenter.output,)
        """The blob whose scores these are."""

    def print(self, prediction: Prediction) -> None:
        """The shares of the classes that are seen, and the names of the pictures."""
        found = self._segmenter.of(prediction)
        click.echo(f"{prediction.image}: {self.output}, classes of the pixels")
        for each in found.shares():
            if each.share:
                click.echo(f"  {each.share:8.2%}  {each.name}")
        for path in self._written(prediction, found):
            click.echo(f"  {path}")

    def as_json(self, prediction: Prediction) -> dict[str, Any]:
        """The shares of all classes, and the pictures."""
        found = self._segmenter.of(prediction)
        classes = [
            {"index": each.index, "name": each.name, "color": each.color, "share": each.share}
            for each in found.shares()
        ]
        pictures = [str(path) for path in self._written(prediction, found)]
        return {"classes": classes, **({"pictures": pictures} if pictures else {})}

    def _written(self, prediction: Prediction, found: Segmentation) -> list[Path]:
        """Write the map and the overlay in the size of the image."""
        from protonet.formats.atomic import write_atomic
        from protonet.jobs.evaluation.segmenter import original_image

        if self._folder is None:
            return []
        image = original_image(prediction.image)
        stem = free_name(self._names, prediction.image.stem)
        made = {
            self._folder / f"{stem}_labels.png": found.map_picture(image.shape[1:]),
            self._folder / f"{stem}_overlay.png": found.overlay(image, self._opacity),
        }
        for path, content in made.items():
            write_atomic(path, content)
        return list(made)


def free_name(names: set[str], stem: str) -> str:
    """A name that is not in ``names``, which then has it: a/1.png and b/1.png are 1 and 1-2."""
    name, number = stem, 1
    while name in names:
        number += 1
        name = f"{stem}-{number}"
    names.add(name)
    return name


def make_folder(folder: Path) -> None:
    """Make the folder of pictures.

    Raises:
        UsageError: when it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--picture {folder}: cannot be made: {error.strerror}") from error
