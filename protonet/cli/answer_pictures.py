"""What answers of ``protonet infer`` that are no numbers share: lines, JSON, pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import click

from protonet.errors import UsageError

if TYPE_CHECKING:
    from protonet.jobs.inference.predictor import Prediction

F = TypeVar("F")


class AnswerPictures(ABC, Generic[F]):
    """Answers of a net; F is what it finds in an image.

    Args:
        outputs: the blobs that the answers come from.
        folder: where pictures are written; None for none.
    """

    def __init__(self, outputs: tuple[str, ...], folder: Path | None) -> None:
        self.outputs, self._folder = outputs, folder
        self._names: set[str] = set()

    @abstractmethod
    def found(self, prediction: Prediction) -> F:
        """What the net found."""

    @abstractmethod
    def lines(self, found: F) -> Iterable[str]:
        """What is printed: behind the image and the outputs, and then indented."""

    @abstractmethod
    def values(self, found: F) -> dict[str, Any]:
        """What JSON tells."""

    @abstractmethod
    def pictures(self, image: Path, found: F) -> Mapping[str, bytes]:
        """PNG files by the ends of their names."""

    def print(self, prediction: Prediction) -> None:
        """The lines, and the names of the pictures."""
        found = self.found(prediction)
        first, *lines = self.lines(found)
        click.echo(f"{prediction.image}: {', '.join(self.outputs)}, {first}")
        for line in (*lines, *map(str, self._written(prediction.image, found))):
            click.echo(f"  {line}")

    def as_json(self, prediction: Prediction) -> dict[str, Any]:
        """The values, and the names of the pictures."""
        found = self.found(prediction)
        names = [str(path) for path in self._written(prediction.image, found)]
        return {**self.values(found), **({"pictures": names} if names else {})}

    def _written(self, image: Path, found: F) -> list[Path]:
        """Write the pictures; a/1.png and b/1.png have the names 1 and 1-2."""
        from protonet.formats.atomic import write_atomic

        if self._folder is None:
            return []
        stem, number = image.stem, 1
        while stem in self._names:
            number += 1
            stem = f"{image.stem}-{number}"
        self._names.add(stem)
        made = {
            self._folder / f"{stem}_{end}.png": png
            for end, png in self.pictures(image, found).items()
        }
        for path, content in made.items():
            write_atomic(path, content)
        return list(made)


def make_folder(folder: Path, option: str = "") -> None:
    """Make the folder of pictures, which an option may name.

    Raises:
        UsageError: when it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        where = f"{option} {folder}".strip()
        raise UsageError(f"{where}: cannot be made: {error.strerror}") from error
