"""Lists of video clips, each a folder of frames: what VideoData layers read."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import numpy as np

from protonet.data.datum import decode_image
from protonet.data.file_list import FileList, FileListOptions, numbered_lines, read_listed_file
from protonet.data.resize import resize
from protonet.errors import DataError


class ClipList(FileList[tuple[int, Path, int, int]]):
    """The clips that a list names (``FileList``).

    Every line is ``folder first label``; blank lines are skipped. Frame i of a clip is
    ``folder/%06d.jpg`` with the number first + i step.

    Args:
        source, places: as of FileList.
        length: frames of a clip.
        step: from one frame to the next.
    """

    advice = "resize the frames, or set new_height and new_width, or crop_size"

    def __init__(
        self, source: Path, *, length: int = 1, step: int = 1, **places: Unpack[FileListOptions]
    ) -> None:
        super().__init__(source, **places)
        self._length, self._step = length, step

    def read_lines(self, source: Path) -> list[tuple[int, Path, int, int]]:
        """Line number, folder, first frame and label of each line."""
        return [
            (number, Path(self.root + name), first, label)
            for number, name, first, label in _read(source)
        ]

    def image(self, key: int, *, color: bool | None = None) -> tuple[np.ndarray, int]:
        """A clip, uint8 (channels x frames, height, width), the frames of a channel contiguous,
        and its label.

        Raises:
            DataError: naming the list's line and the frame that cannot be read, or that has
                another size than the first.
        """
        frames: list[np.ndarray] = []
        _, _, first, label = self._lines[key]
        for number in range(first, first + self._length * self._step, self._step):
            frame = self._frame(key, number, color)
            if frames and frame.shape != frames[0].shape:
                raise DataError(
                    f"{self.where(key)}: frame {number} is {frame.shape[1]}x{frame.shape[2]}, but "
                    f"the first is {frames[0].shape[1]}x{frames[0].shape[2]}; {self.advice}"
                )
            frames.append(frame)
        clip = np.stack(frames, axis=1)
        return clip.reshape(-1, *clip.shape[2:]), label

    def where(self, key: int) -> str:
        """How messages name a clip: ``list:line: folder``."""
        number, folder, _, _ = self._lines[key]
        return f"{self.path}:{number}: {folder}"

    def _frame(self, key: int, number: int, color: bool | None) -> np.ndarray:
        path = self._lines[key][1] / f"{number:06d}.jpg"
        where = f"{self.where(key)}/{path.name}"
        image = decode_image(read_listed_file(path, self._folder, where), where, color=color)
        return image if self._size is None else resize(image, *self._size)


def _read(source: Path) -> list[tuple[int, str, int, int]]:
    """Line number, folder without the root, first frame and label of each line."""
    lines = []
    for number, line in numbered_lines(source, "clip"):
        words = line.rsplit(None, 2)
        if len(words) != 3 or not all(word.removeprefix("-").isdecimal() for word in words[1:]):
            raise DataError(
                f"{source}:{number}: expected a folder, the number of the first frame and a "
                f"label, got '{line[:80]}'"
            )
        first, label = int(words[1]), int(words[2])
        if first < 0 or not -(2**31) <= label < 2**31:
            raise DataError(
                f"{source}:{number}: expected a first frame of 0 or more and a label of 32 bits, "
                f"got {first} and {label}"
            )
        lines.append((number, words[0].strip(), first, label))
    return lines
