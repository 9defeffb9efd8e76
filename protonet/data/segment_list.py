"""Lists of videos as folders of frames, read in segments: temporal segment networks.

Source: Wang et al., Temporal Segment Networks, ECCV 2016; yjxiong/caffe, video_data_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import numpy as np

from protonet.data.datum import decode_image
from protonet.data.file_list import FileList, FileListOptions, numbered_lines, read_listed_file
from protonet.data.resize import resize
from protonet.errors import DataError


class SegmentList(FileList[tuple[int, Path, int, int]]):
    """The videos that a list names (``FileList``).

    Every line is ``folder frames label``; blank lines are skipped. Frame i, from 1 on, is
    the file of ``pattern % i``, or of ``pattern % ("x", i)`` and ``pattern % ("y", i)``.

    Args:
        source, places: as of FileList.
        pattern: the names of the frames.
        flow: two gray images a frame instead of one.
        color: images in colour; those of ``flow`` are gray.
        length: consecutive frames of a segment.
    """

    def __init__(
        self,
        source: Path,
        *,
        pattern: str,
        flow: bool,
        color: bool = True,
        length: int = 1,
        **places: Unpack[FileListOptions],
    ) -> None:
        super().__init__(source, **places)
        self._pattern, self._flow = pattern, flow
        self._color, self.length = color and not flow, length
        self.planes = 2 if flow else 3 if color else 1

    def read_lines(self, source: Path) -> list[tuple[int, Path, int, int]]:
        """Line number, folder, number of frames and label of each line."""
        lines = []
        for number, line in numbered_lines(source, "video"):
            words = line.rsplit(None, 2)
            if len(words) != 3 or not all(word.removeprefix("-").isdecimal() for word in words[1:]):
                raise DataError(
                    f"{source}:{number}: expected a folder, the number of its frames and a label, "
                    f"got '{line[:80]}'"
                )
            frames, label = int(words[1]), int(words[2])
            if not 0 < frames < 2**31 or not -(2**31) <= label < 2**31:
                raise DataError(
                    f"{source}:{number}: expected frames of 1 or more and a label of 32 bits, got "
                    f"{frames} and {label}"
                )
            lines.append((number, Path(self.root + words[0].strip()), frames, label))
        return lines

    def frames(self, row: int) -> int:
        """The number of frames of a video, by the list."""
        return self._lines[row][2]

    def label(self, row: int) -> int:
        """The class of a video."""
        return self._lines[row][3]

    def read(self, row: int, starts: Sequence[int]) -> np.ndarray:
        """Segments of a video, each of ``length`` frames after the one of a number:
        (segments x frames x planes, height, width), uint8.

        Raises:
            DataError: naming the list's line and the frame that cannot be read, or that has
                another size than the first.
        """
        planes: list[np.ndarray] = []
        for start in starts:
            for number in range(start + 1, start + 1 + self.length):
                for axis in "xy" if self._flow else "-":
                    image = self._frame(row, axis, number)
                    if planes and image.shape[1:] != planes[0].shape[1:]:
                        sizes = [f"{each.shape[1]}x{each.shape[2]}" for each in (image, planes[0])]
                        raise DataError(
                            f"{self.where(row)}: frame {number} is {sizes[0]}, but the first is "
                            f"{sizes[1]}; resize the frames, or set new_height and new_width"
                        )
                    planes.append(image)
        return np.concatenate(planes)

    def where(self, row: int) -> str:
        """How messages name a video: ``list:line: folder``."""
        number, folder, _, _ = self._lines[row]
        return f"{self.path}:{number}: {folder}"

    def _frame(self, row: int, axis: str, number: int) -> np.ndarray:
        name = self._pattern % ((axis, number) if self._flow else number)
        where = f"{self.where(row)}/{name}"
        data = read_listed_file(self._lines[row][1] / name, self._folder, where)
        image = decode_image(data, where, color=self._color)
        return image if self._size is None else resize(image, *self._size)
