"""Images with their objects on their way into the databases of one part of a data set."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from protonet.data.annotate import annotated_datum
from protonet.data.detection_boxes import MeasuredFile
from protonet.data.detection_set import read_file
from protonet.data.detectnet_labels import label_record, table_rows
from protonet.data.record_format import RecordFormat
from protonet.data.resumable import ResumableOutput
from protonet.data.writer import DatabaseWriter
from protonet.ranks.pool import IN_TURN, Pool, opening


@dataclass(frozen=True)
class PartWriter:
    """Writes ``<part>_images`` and, with ``detectnet``, ``<part>_boxes``, under the same keys."""

    work: ResumableOutput
    part: str
    files: Sequence[MeasuredFile]
    form: RecordFormat
    detectnet: bool = False
    pool: Pool = IN_TURN

    def write(self, watch: Callable[[int], None]) -> None:
        """Write the records that are not there yet; ``watch`` is called with how many are.

        Raises:
            UsageError: when records that are there were made of other files or boxes.
            DataError: for an image that cannot be read.
        """
        with ExitStack() as stack:
            images = stack.enter_context(self._database("images"))
            labels = stack.enter_context(self._database("boxes")) if self.detectnet else None
            # One of the two may be ahead; what it has is written once more.
            begin = len(images) if labels is None else min(len(images), len(labels))
            rows = [_row(each) for each in self.files]
            self.work.check_rows(rows, begin, self._where, self.part)
            watch(begin)
            count = table_rows(each.objects for each in self.files)
            made = self.pool.map(opening(partial(_record, self.form)), self.files[begin:])
            for index, value in enumerate(made, begin):
                file, size, objects = self.files[index]
                key = f"{index:08d}_{file.name}".encode("utf-8", "surrogateescape")
                images.put(key, value)
                if labels is not None:
                    shown = size if self.form.size is None else self.form.size
                    labels.put(key, label_record(objects, shown, count))
                watch(index + 1)

    def _database(self, what: str) -> DatabaseWriter:
        return DatabaseWriter(Path(f"{self.work.folder / self.part}_{what}"), resume=True)

    def _where(self, index: int) -> str:
        return self.files[index].file.where


def _record(form: RecordFormat, measured: MeasuredFile) -> bytes:
    """The serialized record of an image with its objects."""
    file = measured.file
    made = form.record(read_file(file.path), file.where, file.name)
    return bytes(annotated_datum(made.datum, measured.objects).SerializeToString())


def _row(measured: MeasuredFile) -> str:
    """What a record is made of."""
    objects = measured.objects
    return json.dumps([measured.file.name, objects.boxes.tolist(), objects.marks.tolist()])
